import type { ChatRequest, Tool, ToolChoice } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { effortOf } from "../effort.ts";
import { define } from "../fields.ts";
import { isFreeform } from "../freeform.ts";
import { dropRefused, tellLostSampling } from "../losses.ts";
import { tellLost } from "../marks.ts";
import type { BuiltRequest, Target } from "../protocol.ts";
import { schemaMembers } from "../openai-chat/schema.ts";
import { isLost } from "../spellings.ts";
import { unsupported, unsupportedTool } from "../unsupported.ts";
import { buildInput } from "./build-input.ts";
import { LEAST } from "./verbatim.ts";

/** Sampling that Responses has no place for. */
const LOST = [
  "stop",
  "seed",
  "presence_penalty",
  "frequency_penalty",
  "logit_bias",
  "top_k",
] as const;

/** Writes a Responses request. What came from another dialect is not kept at the provider, as it would be nowhere else. */
export function buildRequest(request: ChatRequest, target: Target): BuiltRequest {
  const degraded = new Set<string>();
  const home = request.dialect === "openai-responses";
  const body: JsonObject = {
    model: target.model,
    input: buildInput(request, target.account, degraded),
  };
  tellLost(request, ["name", "cache_control", "citations", "thought_signature"], degraded);
  for (const name of Object.keys(request.extra)) {
    if (home) define(body, name, request.extra[name]);
    else if (isLost(name, request.extra[name])) degraded.add(name);
  }
  if (!home) body["store"] = false;
  writeSampling(body, request, degraded);
  const tools = request.tools.map(buildTool);
  if (tools.length > 0) body["tools"] = tools;
  if (request.toolChoice && tools.length > 0)
    body["tool_choice"] = choiceOf(request.toolChoice, request.tools);
  if (request.parallelToolCalls !== undefined && tools.length > 0) {
    body["parallel_tool_calls"] = request.parallelToolCalls;
  }
  const format = formatOf(request);
  if (format) body["text"] = { ...objectIn(body["text"]), format };
  writeReasoning(body, request, target, degraded);
  if (request.user !== undefined) body["user"] = request.user;
  if (request.stream) body["stream"] = true;
  dropRefused(body, target, degraded);
  return { body, degraded: [...degraded] };
}

function writeSampling(body: JsonObject, request: ChatRequest, degraded: Set<string>): void {
  const { sampling } = request;
  if (sampling.n !== undefined && sampling.n > 1) throw unsupported("`n` above 1", "n");
  const limit = sampling.maxOutputTokens;
  if (limit !== undefined) {
    if (limit < LEAST) degraded.add("max_tokens");
    body["max_output_tokens"] = Math.max(limit, LEAST);
  }
  if (sampling.temperature !== undefined) body["temperature"] = sampling.temperature;
  if (sampling.topP !== undefined) body["top_p"] = sampling.topP;
  if (sampling.logprobs) include(body, "message.output_text.logprobs");
  if (sampling.topLogprobs !== undefined) body["top_logprobs"] = sampling.topLogprobs;
  tellLostSampling(sampling, LOST, degraded);
}

function include(body: JsonObject, what: string): void {
  const asked = Array.isArray(body["include"]) ? body["include"] : [];
  if (!asked.includes(what)) body["include"] = [...asked, what];
}

function buildTool(tool: Tool): JsonObject {
  if (tool.type === "native") {
    if (tool.dialect === "openai-responses") return tool.value;
    throw unsupportedTool(tool.value);
  }
  if (tool.freeform) return { type: "custom", name: tool.name, ...tool.freeform };
  return {
    type: "function",
    name: tool.name,
    ...(tool.description !== undefined && { description: tool.description }),
    parameters: tool.parameters ?? { type: "object", properties: {} },
    // Strict is this provider's default and would refuse schemas that others take.
    strict: tool.strict ?? false,
  };
}

function choiceOf(choice: ToolChoice, tools: readonly Tool[]): Json {
  if (choice.type === "function") {
    return { type: isFreeform(choice.name, tools) ? "custom" : "function", name: choice.name };
  }
  if (choice.type !== "native") return choice.type;
  if (choice.dialect === "openai-responses") return choice.value;
  throw unsupported("This form of `tool_choice`", "tool_choice");
}

function formatOf({ responseFormat: format }: ChatRequest): JsonObject | undefined {
  if (format === undefined || format.type === "text") return undefined;
  if (format.type === "json") return { type: "json_object" };
  return { type: "json_schema", ...schemaMembers(format) };
}

/** The effort; for who does not keep the reasoning here, its encrypted form, so that it can come back. */
function writeReasoning(
  body: JsonObject,
  { reasoning, dialect, extra }: ChatRequest,
  { facts }: Target,
  degraded: Set<string>,
): void {
  const home = dialect === "openai-responses";
  if (!home && (facts.reasoning === "effort" || (reasoning && facts.reasoning !== "none"))) {
    include(body, "reasoning.encrypted_content");
  }
  if (!reasoning) return;
  if (facts.reasoning === "none") {
    if (reasoning.effort !== "none") degraded.add("reasoning_effort");
    delete body["reasoning"];
    return;
  }
  const effort = effortOf(reasoning);
  const shown = reasoning.display !== undefined && reasoning.display !== "omitted";
  const asked = dialect === "anthropic" && reasoning.display !== "omitted";
  body["reasoning"] = {
    ...objectIn(extra["reasoning"]),
    ...(effort !== undefined && { effort }),
    ...(!home && (shown || asked) && effort !== "none" && { summary: "auto" }),
  };
}
