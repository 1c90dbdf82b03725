import type { ChatRequest, Message, Part, Tool } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { decodeText } from "../base64.ts";
import { inCallOrder } from "../call-order.ts";
import { effortOf } from "../effort.ts";
import { parsed } from "../fields.ts";
import { isTextual } from "../media.ts";
import type { BuiltRequest, Target } from "../protocol.ts";
import { dropRefused } from "../losses.ts";
import { tellLost } from "../marks.ts";
import { isLost } from "../spellings.ts";
import { unsupported, unsupportedTool } from "../unsupported.ts";

/** Writes a chat request of Ollama's own protocol. */
export function buildRequest(request: ChatRequest, target: Target): BuiltRequest {
  const degraded = new Set<string>();
  const names = new Map<string, string>();
  const body: JsonObject = {
    model: target.model,
    messages: inCallOrder(request.messages).flatMap((message, index) =>
      buildMessage(message, `messages[${index}]`, names, degraded),
    ),
    stream: request.stream,
  };
  for (const name of Object.keys(request.extra)) {
    if (isLost(name, request.extra[name])) degraded.add(name);
  }
  tellLost(
    request,
    [
      "name",
      "cache_control",
      "citations",
      "detail",
      "filename",
      "strict",
      "grammar",
      "thought_signature",
    ],
    degraded,
  );
  const { toolChoice: choice } = request;
  if (choice?.type === "native") throw unsupported("This form of `tool_choice`", "tool_choice");
  // There is no choice of tools: none is offered where none may be called, and none can be forced.
  if (request.tools.length > 0 && choice?.type !== "none") {
    body["tools"] = request.tools.map(buildTool);
    if (choice?.type === "required" || choice?.type === "function") degraded.add("tool_choice");
    if (request.parallelToolCalls === false) degraded.add("parallel_tool_calls");
  }
  if (request.user !== undefined) degraded.add("user");
  const options = optionsOf(request, degraded);
  if (Object.keys(options).length > 0) body["options"] = options;
  if (request.sampling.logprobs) body["logprobs"] = true;
  if (request.sampling.topLogprobs) body["top_logprobs"] = request.sampling.topLogprobs;
  const { responseFormat: format } = request;
  if (format?.type === "json") body["format"] = "json";
  if (format?.type === "schema") body["format"] = format.schema;
  if (request.reasoning) {
    const effort = effortOf(request.reasoning);
    const levels = target.facts.reasoning === "effort";
    if (target.facts.reasoning === "none") {
      if (effort !== "none") degraded.add("reasoning_effort");
    } else if (effort === "none") body["think"] = false;
    else body["think"] = levels && effort !== undefined ? effort : true;
  }
  dropRefused(body, target, degraded);
  return { body, degraded: [...degraded] };
}

function optionsOf({ sampling }: ChatRequest, degraded: Set<string>): JsonObject {
  if (sampling.n !== undefined && sampling.n > 1) throw unsupported("`n` above 1", "n");
  const options: JsonObject = {};
  const named: [string, Json | undefined][] = [
    ["num_predict", sampling.maxOutputTokens],
    ["temperature", sampling.temperature],
    ["top_p", sampling.topP],
    ["top_k", sampling.topK],
    ["stop", sampling.stop],
    ["seed", sampling.seed],
    ["presence_penalty", sampling.presencePenalty],
    ["frequency_penalty", sampling.frequencyPenalty],
  ];
  for (const [name, value] of named) if (value !== undefined) options[name] = value;
  if (sampling.logitBias !== undefined) degraded.add("logit_bias");
  return options;
}

function buildTool(tool: Tool): JsonObject {
  if (tool.type === "native") {
    throw unsupportedTool(tool.value);
  }
  const { name, description = "", parameters } = tool;
  const schema = parameters ?? { type: "object", properties: {} };
  return { type: "function", function: { name, description, parameters: schema } };
}

/** A turn in Ollama's form: text and images apart, results of tools under the tool's name. */
function buildMessage(
  message: Message,
  path: string,
  names: Map<string, string>,
  degraded: Set<string>,
): JsonObject[] {
  const texts: string[] = [];
  const images: string[] = [];
  const calls: JsonObject[] = [];
  const results: JsonObject[] = [];
  let thinking = "";
  const take = (part: Part): void => {
    switch (part.type) {
      case "text":
      case "refusal":
        if (part.text !== "") texts.push(part.text);
        break;
      case "image":
        if (part.source.type !== "data") throw unsupported("An image that is named by a URL", path);
        images.push(part.source.data);
        break;
      case "file":
        if (part.source.type !== "data" || !isTextual(part.source.mediaType)) {
          throw unsupported("A file", path);
        }
        texts.push(decodeText(part.source.data));
        break;
      case "thinking":
        if (part.signature === undefined && part.redacted === undefined) thinking += part.text;
        else degraded.add("thinking");
        break;
      case "toolCall":
        names.set(part.id, part.name);
        calls.push({
          function: {
            name: part.name,
            arguments: objectIn(parsed(part.arguments || "{}")) ?? { INVALID_JSON: part.arguments },
          },
        });
        break;
      case "toolResult": {
        if (part.isError) degraded.add("tool_result.is_error");
        const text = part.parts.map((each) => (each.type === "text" ? each.text : "")).join("\n");
        const name = part.name ?? names.get(part.callId) ?? "";
        results.push({ role: "tool", tool_name: name, content: text });
        for (const each of part.parts) if (each.type !== "text") take(each);
        break;
      }
      case "audio":
        throw unsupported("Audio", path);
      case "native": {
        const type = part.value["type"];
        const named = typeof type === "string" ? type : "unknown";
        throw unsupported(`A content part of type '${named}'`, path);
      }
    }
  };
  for (const part of message.parts) take(part);
  const bare = texts.length === 0 && images.length === 0 && calls.length === 0;
  if (bare && results.length > 0) return results;
  const role = message.role === "developer" ? "system" : message.role;
  return [
    ...results,
    {
      role: role === "tool" ? "user" : role,
      // What the model said is one text, however many pieces its maker made of it (around citations, say).
      content: texts.join(message.role === "assistant" ? "" : "\n\n"),
      ...(images.length > 0 && { images }),
      ...(thinking !== "" && { thinking }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
  ];
}
