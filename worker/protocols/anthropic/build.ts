import type { ChatRequest, Tool, ToolChoice } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { ModelFacts } from "../../core/model.ts";
import { objectIn } from "../answers.ts";
import { define } from "../fields.ts";
import { byTool } from "../json-tool.ts";
import type { BuiltRequest, Target } from "../protocol.ts";
import { dropRefused, stopsWithoutBlanks, tellLostSampling } from "../losses.ts";
import { tellLost } from "../marks.ts";
import { isLost } from "../spellings.ts";
import { unsupported, unsupportedTool } from "../unsupported.ts";
import { buildMessages } from "./build-messages.ts";
import { outputSchema } from "./schema.ts";
import { buildThinking } from "./thinking.ts";

/** Sampling that Claude has no place for. */
const LOST = [
  "seed",
  "presence_penalty",
  "frequency_penalty",
  "logit_bias",
  "logprobs",
  "top_logprobs",
] as const;

/** Used where nothing is known of the model: every Claude model can write this much. */
const UNKNOWN_MAXIMUM = 4096;

/** Writes a Messages request. */
export function buildRequest(request: ChatRequest, target: Target): BuiltRequest {
  const degraded = new Set<string>();
  const home = request.dialect === "anthropic";
  tellLost(request, ["name", "detail", "grammar", "thought_signature"], degraded);
  const maxTokens = tokenLimit(request, target, degraded);
  const body: JsonObject = { model: target.model, max_tokens: maxTokens };
  Object.assign(body, buildMessages(request.messages, home, degraded));
  for (const name of Object.keys(request.extra)) {
    if (home) define(body, name, request.extra[name]);
    else if (isLost(name, request.extra[name])) degraded.add(name);
  }
  const format = request.responseFormat;
  const native = format?.type === "schema" && takesSchema(target.facts);
  const standIn = format !== undefined && format.type !== "text" && !native;
  const asked = standIn ? byTool(request) : request;
  const choice = asked.toolChoice;
  const tools = asked.tools.map(buildTool);
  if (tools.length > 0) body["tools"] = tools;
  writeToolChoice(body, request, choice, tools.length > 0);
  const forced = choice?.type === "required" || choice?.type === "function";
  const { thinking, effort } = buildThinking(request, target, { maxTokens, forced }, degraded);
  if (thinking) body["thinking"] = thinking;
  const output: JsonObject = { ...(home ? objectIn(request.extra["output_config"]) : undefined) };
  if (effort !== undefined) output["effort"] = effort;
  if (native) {
    const schema = outputSchema(format.schema, () => degraded.add("response_format"));
    output["format"] = { type: "json_schema", schema };
  }
  if (Object.keys(output).length > 0) body["output_config"] = output;
  writeSampling(
    body,
    request,
    thinking?.["type"] !== undefined && thinking["type"] !== "disabled",
    degraded,
  );
  if (request.user !== undefined) body["metadata"] = { user_id: request.user };
  if (request.stream) body["stream"] = true;
  dropRefused(body, target, degraded);
  return { body, degraded: [...degraded] };
}

function takesSchema({ capabilities, quirks }: ModelFacts): boolean {
  return capabilities.json_schema !== false && quirks?.schemaByTool !== true;
}

/** The limit that Anthropic demands: the caller's own, within the model's; else the most that is left (PROTOCOLS 21). */
function tokenLimit({ sampling }: ChatRequest, target: Target, degraded: Set<string>): number {
  const most = Math.min(
    target.facts.maxOutput ?? Number.POSITIVE_INFINITY,
    target.outputLimit ?? Number.POSITIVE_INFINITY,
  );
  const asked = sampling.maxOutputTokens;
  if (asked !== undefined && asked <= most) return asked;
  degraded.add("max_tokens");
  return Math.max(1, Number.isFinite(most) ? most : UNKNOWN_MAXIMUM);
}

function buildTool(tool: Tool): JsonObject {
  if (tool.type === "native") {
    if (tool.dialect === "anthropic") return tool.value;
    throw unsupportedTool(tool.value);
  }
  return {
    name: tool.name,
    ...(tool.description !== undefined && { description: tool.description }),
    input_schema: objectSchema(tool.parameters ?? {}),
    ...(tool.strict !== undefined && { strict: tool.strict }),
    ...(tool.cache && { cache_control: tool.cache }),
  };
}

/** Input is always an object: a schema that does not say so gets to say it. */
function objectSchema(schema: JsonObject): JsonObject {
  return schema["type"] === undefined ? { type: "object", ...schema } : schema;
}

function writeToolChoice(
  body: JsonObject,
  request: ChatRequest,
  choice: ToolChoice | undefined,
  hasTools: boolean,
): void {
  if (!hasTools) return;
  const single = request.parallelToolCalls === undefined ? undefined : !request.parallelToolCalls;
  const wire = wireChoice(choice ?? (single ? { type: "auto" } : undefined));
  if (wire === undefined) return;
  const takesSwitch = objectIn(wire)?.["type"] !== "none" && choice?.type !== "native";
  body["tool_choice"] =
    single !== undefined && takesSwitch
      ? { ...objectIn(wire), disable_parallel_tool_use: single }
      : wire;
}

function wireChoice(choice: ToolChoice | undefined): Json | undefined {
  switch (choice?.type) {
    case undefined:
      return undefined;
    case "auto":
    case "none":
      return { type: choice.type };
    case "required":
      return { type: "any" };
    case "function":
      return { type: "tool", name: choice.name };
    case "native":
      if (choice.dialect === "anthropic") return choice.value;
      throw unsupported("This form of `tool_choice`", "tool_choice");
  }
}

function writeSampling(
  body: JsonObject,
  { sampling, dialect }: ChatRequest,
  thinks: boolean,
  degraded: Set<string>,
): void {
  if (sampling.n !== undefined && sampling.n > 1) {
    throw unsupported("`n` above 1", "n");
  }
  // Anthropic's scale ends at 1, and thinking runs at 1 only.
  const { temperature } = sampling;
  if (temperature !== undefined) {
    const fits = Math.min(temperature, 1);
    if (fits !== temperature || (thinks && fits !== 1)) degraded.add("temperature");
    if (!thinks || fits === 1) body["temperature"] = fits;
  }
  if (sampling.topP !== undefined) {
    // Models since 4.1 refuse both together.
    if (temperature !== undefined && dialect !== "anthropic") degraded.add("top_p");
    else if (thinks && sampling.topP < 0.95) degraded.add("top_p");
    else body["top_p"] = sampling.topP;
  }
  if (sampling.topK !== undefined) {
    if (thinks) degraded.add("top_k");
    else body["top_k"] = sampling.topK;
  }
  const stop = stopsWithoutBlanks(sampling, degraded);
  if (stop.length > 0) body["stop_sequences"] = stop;
  tellLostSampling(sampling, LOST, degraded);
}
