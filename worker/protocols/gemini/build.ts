import type { ChatRequest, Tool, ToolChoice } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { budgetOf, effortOf } from "../effort.ts";
import { objectIn } from "../answers.ts";
import { define } from "../fields.ts";
import { byTool } from "../json-tool.ts";
import type { BuiltRequest, Target } from "../protocol.ts";
import { dropRefused } from "../losses.ts";
import { tellLost } from "../marks.ts";
import { isLost } from "../spellings.ts";
import { refuseStops, unsupported, unsupportedTool } from "../unsupported.ts";
import { buildContents } from "./build-contents.ts";

/** Writes a generateContent request; model and streaming go into the URL. */
export function buildRequest(request: ChatRequest, target: Target): BuiltRequest {
  const degraded = new Set<string>();
  const home = request.dialect === "gemini";
  const body: JsonObject = { ...buildContents(request.messages, target, home, degraded) };
  tellLost(
    request,
    ["name", "cache_control", "citations", "detail", "filename", "strict", "grammar"],
    degraded,
  );
  for (const name of Object.keys(request.extra)) {
    if (home) define(body, name, request.extra[name]);
    else if (name !== "modalities" && isLost(name, request.extra[name])) degraded.add(name);
  }
  const either = target.facts.quirks?.formatWithoutTools === true;
  const formatted = !home && (request.responseFormat?.type ?? "text") !== "text";
  const asked = either && formatted && request.tools.length > 0 ? byTool(request) : request;
  const tools = buildTools(asked.tools);
  if (tools.length > 0) body["tools"] = tools;
  if (asked.toolChoice && tools.length > 0) {
    const own = home ? objectIn(request.extra["toolConfig"]) : undefined;
    body["toolConfig"] = { ...own, functionCallingConfig: callingOf(asked.toolChoice) };
  }
  if (request.parallelToolCalls === false && tools.length > 0) degraded.add("parallel_tool_calls");
  if (request.user !== undefined) degraded.add("user");
  const config: JsonObject = {
    ...(home ? objectIn(request.extra["generationConfig"]) : undefined),
    ...samplingOf(request, degraded),
    ...formatOf(asked),
  };
  const modalities = modalitiesOf(request);
  if (modalities) config["responseModalities"] = modalities;
  const thinking = thinkingOf(request, target, degraded);
  if (thinking) config["thinkingConfig"] = thinking;
  dropRefused(config, target, degraded);
  if (Object.keys(config).length > 0) body["generationConfig"] = config;
  return { body, degraded: [...degraded] };
}

const MOST_STOPS = 5;

function samplingOf({ sampling }: ChatRequest, degraded: Set<string>): JsonObject {
  refuseStops(sampling, MOST_STOPS);
  const config: JsonObject = {};
  const named: [string, Json | undefined][] = [
    ["maxOutputTokens", sampling.maxOutputTokens],
    ["temperature", sampling.temperature],
    ["topP", sampling.topP],
    ["topK", sampling.topK],
    ["stopSequences", sampling.stop],
    ["seed", sampling.seed],
    ["candidateCount", sampling.n],
    ["presencePenalty", sampling.presencePenalty],
    ["frequencyPenalty", sampling.frequencyPenalty],
    ["responseLogprobs", sampling.logprobs],
    ["logprobs", sampling.topLogprobs],
  ];
  for (const [name, value] of named) if (value !== undefined) config[name] = value;
  if (sampling.logitBias !== undefined) degraded.add("logit_bias");
  return config;
}

/** What the answer may be made of, beyond text: OpenAI's words for it in Google's. */
function modalitiesOf({ dialect, extra: { modalities } }: ChatRequest): Json | undefined {
  if (dialect !== "openai-chat" || !Array.isArray(modalities)) return undefined;
  const named = modalities.filter((each) => typeof each === "string");
  if (named.every((each) => each === "text")) return undefined;
  return named.map((each) => each.toUpperCase());
}

function formatOf({ responseFormat: format }: ChatRequest): JsonObject {
  if (format === undefined || format.type === "text") return {};
  return {
    responseMimeType: "application/json",
    ...(format.type === "schema" && { responseJsonSchema: format.schema }),
  };
}

function buildTools(tools: readonly Tool[]): JsonObject[] {
  const declarations: JsonObject[] = [];
  const native: JsonObject[] = [];
  for (const tool of tools) {
    if (tool.type === "function") {
      declarations.push({
        name: tool.name,
        ...(tool.description !== undefined && { description: tool.description }),
        ...(tool.parameters && { parametersJsonSchema: tool.parameters }),
      });
    } else if (tool.dialect === "gemini") native.push(tool.value);
    else {
      throw unsupportedTool(tool.value);
    }
  }
  return [...(declarations.length > 0 ? [{ functionDeclarations: declarations }] : []), ...native];
}

function callingOf(choice: ToolChoice): Json {
  switch (choice.type) {
    case "auto":
      return { mode: "AUTO" };
    case "none":
      return { mode: "NONE" };
    case "required":
      return { mode: "ANY" };
    case "function":
      return { mode: "ANY", allowedFunctionNames: [choice.name] };
    case "native":
      if (choice.dialect === "gemini") return choice.value;
      throw unsupported("This form of `tool_choice`", "tool_choice");
  }
}

const LEVELS: Readonly<Record<string, string>> = {
  minimal: "minimal",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "high",
  max: "high",
};

/** Thinking as the model is told it (PROTOCOLS 22): a level on newer models, a budget on older ones. */
function thinkingOf(
  { reasoning, dialect }: ChatRequest,
  { facts }: Target,
  degraded: Set<string>,
): JsonObject | undefined {
  if (!reasoning) return undefined;
  const home = dialect === "gemini";
  const asked = home ? "thinkingConfig" : dialect === "anthropic" ? "thinking" : "reasoning_effort";
  if (facts.reasoning === "none") {
    if (reasoning.effort !== "none") degraded.add(asked);
    return undefined;
  }
  const includeThoughts = reasoning.display !== "omitted";
  const byBudget =
    facts.reasoning === "budget" ||
    (facts.reasoning === undefined && reasoning.effort === undefined);
  if (reasoning.effort === "none") {
    if (byBudget) return { thinkingBudget: 0 };
    // These models can't be switched off: their least level.
    degraded.add(asked);
    return { thinkingLevel: "low" };
  }
  if (byBudget) {
    const thinkingBudget = reasoning.adaptive ? -1 : budgetOf(reasoning);
    return { ...(thinkingBudget !== undefined && { thinkingBudget }), includeThoughts };
  }
  const effort = effortOf(reasoning);
  const level = effort === undefined ? undefined : LEVELS[effort];
  if (effort === "xhigh" || effort === "max") degraded.add(asked);
  return { ...(level !== undefined && { thinkingLevel: level }), includeThoughts };
}
