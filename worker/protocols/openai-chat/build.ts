import type { ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { PrefillForm } from "../../core/model.ts";
import { effortOf } from "../effort.ts";
import { define } from "../fields.ts";
import { deepFormat, isFreeform } from "../freeform.ts";
import { dropRefused } from "../losses.ts";
import { tellLost } from "../marks.ts";
import type { BuiltRequest, Target } from "../protocol.ts";
import { isLost, SPELLINGS } from "../spellings.ts";
import { unsupported, unsupportedTool } from "../unsupported.ts";
import { buildMessages } from "./build-messages.ts";
import { withoutForeign } from "./foreign.ts";
import { schemaMembers } from "./schema.ts";

/** Writes a chat completions request for an OpenAI-compatible target. */
export function buildRequest(request: ChatRequest, target: Target): BuiltRequest {
  const degraded = new Set<string>();
  const body: JsonObject = {
    model: target.model,
    messages: buildMessages(request, target, degraded),
  };
  const home = request.dialect === "openai-chat";
  tellLost(
    request,
    ["cache_control", "citations", ...(home ? [] : ["grammar" as const])],
    degraded,
  );
  for (const name of Object.keys(request.extra)) {
    if (SPELLINGS.has(name)) continue;
    if (home) define(body, name, request.extra[name]);
    else if (isLost(name, request.extra[name])) degraded.add(name);
  }
  writeSampling(body, request, target, degraded);
  if (request.tools.length > 0) body["tools"] = request.tools.map((tool) => buildTool(tool, home));
  // Without tools it is refused here, which other dialects take.
  if (request.toolChoice && (home || request.tools.length > 0)) {
    body["tool_choice"] = buildToolChoice(request.toolChoice, home ? request.tools : []);
  }
  if (request.parallelToolCalls !== undefined && request.tools.length > 0) {
    body["parallel_tool_calls"] = request.parallelToolCalls;
  }
  if (request.responseFormat) body["response_format"] = buildFormat(request.responseFormat);
  if (request.reasoning) writeReasoning(body, request, request.reasoning, target, degraded);
  if (request.user !== undefined) body["user"] = request.user;
  if (request.stream) {
    body["stream"] = true;
    const options = home ? request.extra["stream_options"] : undefined;
    const own = typeof options === "object" && !Array.isArray(options) ? options : undefined;
    if (target.streamUsage === "include_usage") {
      body["stream_options"] = { ...own, include_usage: true };
    } else if (own) {
      body["stream_options"] = own;
    }
  }
  if (request.prefill !== undefined) markBegun(body, request.prefill);
  dropRefused(body, target, degraded);
  if (target.refuses) {
    const { changed, lost } = withoutForeign(body, target.refuses);
    Object.assign(body, changed);
    for (const name of lost) degraded.add(name);
  }
  return { body, degraded: [...degraded] };
}

/** Says that the last message is the beginning of the answer, in the words of whoever needs to be told. */
function markBegun(body: JsonObject, form: PrefillForm): void {
  const last = Array.isArray(body["messages"]) ? body["messages"].at(-1) : undefined;
  if (form === "vllm") {
    body["continue_final_message"] = true;
    body["add_generation_prompt"] = false;
  } else if (form !== "assistant" && isJsonObject(last)) {
    last[form] = true;
  }
}

function writeSampling(
  body: JsonObject,
  { sampling, extra, dialect }: ChatRequest,
  target: Target,
  degraded: Set<string>,
): void {
  if (sampling.maxOutputTokens !== undefined) {
    const asSent = "max_completion_tokens" in extra ? "max_completion_tokens" : "max_tokens";
    body[target.facts.quirks?.tokenLimit ?? asSent] = sampling.maxOutputTokens;
  }
  const named: [string, Json | undefined][] = [
    ["temperature", sampling.temperature],
    ["top_p", sampling.topP],
    ["stop", sampling.stop],
    ["seed", sampling.seed],
    ["n", sampling.n],
    ["presence_penalty", sampling.presencePenalty],
    ["frequency_penalty", sampling.frequencyPenalty],
    ["logit_bias", sampling.logitBias],
    ["logprobs", sampling.logprobs],
    ["top_logprobs", sampling.topLogprobs],
  ];
  for (const [name, value] of named) if (value !== undefined) body[name] = value;
  if (sampling.topK === undefined) return;
  // Not OpenAI's own, but common: only for callers who wrote it in this dialect.
  if (dialect === "openai-chat") body["top_k"] = sampling.topK;
  else degraded.add("top_k");
}

/** Tools that take text are told to callers of this dialect's own target alone: few compatible ones have them. */
function buildTool(tool: Tool, home: boolean): JsonObject {
  if (tool.type === "native") {
    if (tool.dialect === "openai-chat") return tool.value;
    throw unsupportedTool(tool.value);
  }
  if (tool.freeform && home) {
    const { description, format } = tool.freeform;
    return {
      type: "custom",
      custom: {
        name: tool.name,
        ...(description !== undefined && { description }),
        ...(format && { format: deepFormat(format) }),
      },
    };
  }
  return {
    type: "function",
    function: {
      name: tool.name,
      ...(tool.description !== undefined && { description: tool.description }),
      ...(tool.parameters && { parameters: tool.parameters }),
      ...(tool.strict !== undefined && { strict: tool.strict }),
    },
  };
}

function buildToolChoice(choice: ToolChoice, own: readonly Tool[]): Json {
  if (choice.type === "function" && isFreeform(choice.name, own)) {
    return { type: "custom", custom: { name: choice.name } };
  }
  if (choice.type === "function") return { type: "function", function: { name: choice.name } };
  if (choice.type !== "native") return choice.type;
  if (choice.dialect === "openai-chat") return choice.value;
  throw unsupported("This form of `tool_choice`", "tool_choice");
}

function buildFormat(format: ResponseFormat): JsonObject {
  if (format.type === "text") return { type: "text" };
  if (format.type === "json") return { type: "json_object" };
  return {
    type: "json_schema",
    json_schema: schemaMembers(format),
  };
}

/** Reasoning as the model is told it (PROTOCOLS 22): by effort, or by a `thinking` switch with a budget. */
function writeReasoning(
  body: JsonObject,
  request: ChatRequest,
  reasoning: Reasoning,
  { facts }: Target,
  degraded: Set<string>,
): void {
  const asSent = request.dialect === "openai-chat" ? request.extra["thinking"] : undefined;
  const { effort, budgetTokens } = reasoning;
  switch (facts.reasoning) {
    case "none":
      if (effort !== "none") degraded.add("reasoning_effort");
      return;
    case "budget":
    case "adaptive":
      if (asSent !== undefined) body["thinking"] = asSent;
      else if (effort === "none") body["thinking"] = { type: "disabled" };
      else {
        body["thinking"] = {
          type: "enabled",
          ...(budgetTokens !== undefined && { budget_tokens: budgetTokens }),
        };
      }
      return;
    default: {
      const level = effortOf(reasoning);
      if (asSent !== undefined && facts.reasoning === undefined) body["thinking"] = asSent;
      else if (level !== undefined) body["reasoning_effort"] = level;
      if (asSent !== undefined && effort !== undefined && effort !== "none") {
        body["reasoning_effort"] = effort;
      }
    }
  }
}
