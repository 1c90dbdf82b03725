import type { ChatRequest, Tool, ToolChoice } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { budgetOf, effortOf } from "../effort.ts";
import { byTool } from "../json-tool.ts";
import type { BuiltRequest, Target } from "../protocol.ts";
import { stopsWithoutBlanks, tellLostSampling } from "../losses.ts";
import { tellLost } from "../marks.ts";
import { isLost } from "../spellings.ts";
import { unsupported, unsupportedTool } from "../unsupported.ts";
import { buildMessages, cachePoint } from "./build-messages.ts";

/** Sampling that Converse has no place for. */
const LOST = [
  "seed",
  "presence_penalty",
  "frequency_penalty",
  "logit_bias",
  "logprobs",
  "top_logprobs",
] as const;

/** Writes a Converse request; model and streaming stand in the URL. */
export function buildRequest(request: ChatRequest, target: Target): BuiltRequest {
  const degraded = new Set<string>();
  const { system, messages } = buildMessages(request.messages, degraded);
  tellLost(request, ["name", "citations", "detail", "grammar", "thought_signature"], degraded);
  const { systemInTurn, schemaByTool, refuses } = target.facts.quirks ?? {};
  const body: JsonObject = { messages };
  if (system.length > 0) {
    if (systemInTurn) {
      degraded.add("system");
      body["messages"] = withSystem(system, messages);
    } else body["system"] = system;
  }
  for (const name of Object.keys(request.extra)) {
    if (isLost(name, request.extra[name])) degraded.add(name);
  }
  const config = configOf(request, target, degraded);
  const standIn = request.responseFormat?.type === "schema" && schemaByTool === true;
  const asked = standIn ? byTool(request) : request;
  writeTools(body, asked, degraded);
  writeFormat(body, asked, degraded);
  const more = thinkingOf(asked, target, degraded);
  const { topK } = request.sampling;
  if (topK !== undefined) {
    if (refuses?.includes("top_k")) degraded.add("top_k");
    else more["top_k"] = topK;
  }
  // A model that thinks runs at its own temperature.
  if (more["thinking"] !== undefined) {
    for (const name of ["temperature", "topP"] as const) {
      if (config[name] === undefined) continue;
      delete config[name];
      degraded.add(name === "topP" ? "top_p" : name);
    }
  }
  if (Object.keys(config).length > 0) body["inferenceConfig"] = config;
  if (Object.keys(more).length > 0) body["additionalModelRequestFields"] = more;
  if (request.user !== undefined) degraded.add("user");
  return { body, degraded: [...degraded] };
}

/** System texts at the head of the first turn, which is the user's. */
function withSystem(system: JsonObject[], messages: JsonObject[]): JsonObject[] {
  const [first, ...rest] = messages;
  const content = first?.["role"] === "user" ? first["content"] : undefined;
  if (!Array.isArray(content)) return [{ role: "user", content: system }, ...messages];
  return [{ role: "user", content: [...system, ...content] }, ...rest];
}

function configOf({ sampling }: ChatRequest, { facts }: Target, degraded: Set<string>): JsonObject {
  if (sampling.n !== undefined && sampling.n > 1) throw unsupported("`n` above 1", "n");
  const config: JsonObject = {};
  const most = facts.maxOutput ?? Number.POSITIVE_INFINITY;
  if (sampling.maxOutputTokens !== undefined) {
    if (sampling.maxOutputTokens > most) degraded.add("max_tokens");
    config["maxTokens"] = Math.min(sampling.maxOutputTokens, most);
  }
  const refused = new Set(facts.quirks?.refuses);
  if (sampling.temperature !== undefined) {
    if (refused.has("temperature")) degraded.add("temperature");
    else {
      // The scale ends at 1.
      config["temperature"] = Math.min(sampling.temperature, 1);
      if (sampling.temperature > 1) degraded.add("temperature");
    }
  }
  if (sampling.topP !== undefined) {
    if (refused.has("top_p")) degraded.add("top_p");
    else config["topP"] = sampling.topP;
  }
  const stop = stopsWithoutBlanks(sampling, degraded);
  if (stop.length > 0) config["stopSequences"] = stop;
  tellLostSampling(sampling, LOST, degraded);
  return config;
}

/** "None" is said by offering none, unless the history holds calls: then tools have to be there. */
function writeTools(body: JsonObject, request: ChatRequest, degraded: Set<string>): void {
  const { tools, toolChoice: choice } = request;
  const used = namesCalled(request);
  if (tools.length === 0) {
    // A history of calls is refused without tools, whoever offers none any more: those of the history then.
    if (used.length === 0) return;
    degraded.add("tools");
    const inputSchema = { json: { type: "object" } };
    body["toolConfig"] = { tools: used.map((name) => ({ toolSpec: { name, inputSchema } })) };
    return;
  }
  if (choice?.type === "none") {
    if (used.length === 0) return;
    degraded.add("tool_choice");
  }
  if (request.parallelToolCalls === false) degraded.add("parallel_tool_calls");
  const wire = wireChoice(choice);
  body["toolConfig"] = {
    tools: tools.flatMap(buildTool),
    ...(wire && { toolChoice: wire }),
  };
}

/** The tools that were called in the history, each once. */
function namesCalled({ messages }: ChatRequest): string[] {
  const names = messages.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === "toolCall" ? [part.name] : [])),
  );
  return [...new Set(names)];
}

function buildTool(tool: Tool): JsonObject[] {
  if (tool.type === "native") {
    throw unsupportedTool(tool.value);
  }
  const { name, description, parameters = {}, strict, cache } = tool;
  const schema = parameters["type"] === undefined ? { type: "object", ...parameters } : parameters;
  const spec = {
    name,
    ...(description && { description }),
    inputSchema: { json: schema },
    ...(strict !== undefined && { strict }),
  };
  return [{ toolSpec: spec }, ...(cache ? [cachePoint(cache)] : [])];
}

function wireChoice(choice: ToolChoice | undefined): JsonObject | undefined {
  switch (choice?.type) {
    case "auto":
      return { auto: {} };
    case "required":
      return { any: {} };
    case "function":
      return { tool: { name: choice.name } };
    case "native":
      throw unsupported("This form of `tool_choice`", "tool_choice");
    default:
      return undefined;
  }
}

function writeFormat(
  body: JsonObject,
  { responseFormat: format }: ChatRequest,
  degraded: Set<string>,
): void {
  if (format === undefined || format.type === "text") return;
  // JSON of any shape can't be asked for, only that of a schema.
  if (format.type === "json") {
    degraded.add("response_format");
    return;
  }
  const { name, description, schema } = format;
  body["outputConfig"] = {
    textFormat: {
      type: "json_schema",
      structure: {
        jsonSchema: {
          name,
          ...(description !== undefined && { description }),
          schema: JSON.stringify(schema),
        },
      },
    },
  };
}

/** Thinking as the model is told it (PROTOCOLS 22), in the fields that are the model's own. */
function thinkingOf(request: ChatRequest, { facts }: Target, degraded: Set<string>): JsonObject {
  const { reasoning, toolChoice } = request;
  if (!reasoning) return {};
  const forced = toolChoice?.type === "required" || toolChoice?.type === "function";
  const off = reasoning.effort === "none";
  if (facts.reasoning === "none" || (forced && facts.reasoning !== "effort")) {
    if (!off) degraded.add("reasoning_effort");
    return {};
  }
  const effort = effortOf(reasoning);
  if (facts.reasoning === "effort") {
    return off || effort === undefined ? {} : { reasoning_effort: effort };
  }
  if (off) return facts.reasoning === "budget" ? { thinking: { type: "disabled" } } : {};
  if (facts.reasoning === "adaptive") {
    return {
      thinking: { type: "adaptive" },
      ...(effort !== undefined && { output_config: { effort } }),
    };
  }
  const most = request.sampling.maxOutputTokens ?? facts.maxOutput ?? 8192;
  const budget = Math.min(budgetOf(reasoning) ?? 1024, Math.floor(most * 0.8));
  if (budget < 1024) {
    degraded.add("reasoning_effort");
    return {};
  }
  return { thinking: { type: "enabled", budget_tokens: budget } };
}
