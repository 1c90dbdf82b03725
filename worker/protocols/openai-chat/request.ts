import type { FromUrl } from "../../core/call.ts";
import type { ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { effortNamed } from "../effort.ts";
import { extensionNames, without } from "../extensions.ts";
import {
  at,
  invalid,
  missing,
  objectOf,
  optionalBoolean,
  optionalCount,
  optionalList,
  optionalNumber,
  optionalObject,
  optionalString,
  optionalStrings,
  others,
  requiredObject,
  requiredText,
} from "../fields.ts";
import { flatFormat, freeformTool } from "../freeform.ts";
import { parseMessages } from "./messages.ts";
import { keptHere } from "./metadata.ts";
import { readSchema } from "./schema.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop",
  "seed",
  "n",
  "presence_penalty",
  "frequency_penalty",
  "logit_bias",
  "logprobs",
  "top_logprobs",
  "tools",
  "tool_choice",
  "functions",
  "function_call",
  "parallel_tool_calls",
  "user",
  "metadata",
]);

/** Reads a chat completions body. */
export function parseRequest(body: JsonObject, fromUrl: FromUrl = {}): ChatRequest {
  const model = fromUrl.model ?? requiredText(body, "", "model");
  const list = optionalList(body, "", "messages");
  if (list === undefined) throw missing("messages", "an array of at least one message");
  if (list.length === 0) throw invalid("messages", "an array of at least one message");
  const stream = optionalBoolean(body, "", "stream") ?? false;
  const streamOptions = optionalObject(body, "", "stream_options");
  const streamUsage = streamOptions
    ? optionalBoolean(streamOptions, "stream_options", "include_usage")
    : undefined;
  const extra = extraOf(body, streamOptions);
  const request: ChatRequest = {
    model,
    messages: parseMessages(list),
    stream,
    streamUsage: streamUsage ?? false,
    sampling: {},
    tools: parseTools(body),
    extra,
    dialect: "openai-chat",
  };
  readSampling(body, request, extra);
  const choice = parseToolChoice(body);
  if (choice !== undefined) request.toolChoice = choice;
  const parallel = optionalBoolean(body, "", "parallel_tool_calls");
  if (parallel !== undefined) request.parallelToolCalls = parallel;
  const format = parseFormat(body, extra);
  if (format !== undefined) request.responseFormat = format;
  const reasoning = parseReasoning(body, extra);
  if (reasoning !== undefined) request.reasoning = reasoning;
  const user = optionalString(body, "", "user");
  if (user !== undefined) request.user = user;
  return request;
}

function extraOf(body: JsonObject, streamOptions: JsonObject | undefined): JsonObject {
  const extra = without(others(body, KNOWN), extensionNames(body));
  for (const name of Object.keys(extra)) if (extra[name] === null) delete extra[name];
  const metadata = body["metadata"];
  if (isJsonObject(metadata)) {
    const gone = keptHere(metadata, body);
    if (gone !== "all") {
      const kept = without(metadata, gone);
      if (Object.keys(kept).length > 0) extra["metadata"] = kept;
    }
  }
  if (streamOptions) {
    const rest = others(streamOptions, new Set(["include_usage"]));
    if (Object.keys(rest).length > 0) extra["stream_options"] = rest;
  }
  return extra;
}

function readSampling(body: JsonObject, request: ChatRequest, extra: JsonObject): void {
  const { sampling } = request;
  const old = optionalCount(body, "", "max_tokens", 1);
  const limit = optionalCount(body, "", "max_completion_tokens", 1) ?? old;
  if (limit !== undefined) {
    sampling.maxOutputTokens = limit;
    // Under its old name alone: a target of this dialect gets it under that name again.
    if (body["max_completion_tokens"] === undefined) extra["max_tokens"] = limit;
    else extra["max_completion_tokens"] = limit;
  }
  const numbers = [
    ["temperature", "temperature"],
    ["top_p", "topP"],
    ["presence_penalty", "presencePenalty"],
    ["frequency_penalty", "frequencyPenalty"],
  ] as const;
  for (const [name, key] of numbers) {
    const value = optionalNumber(body, "", name);
    if (value !== undefined) sampling[key] = value;
  }
  const topK = optionalCount(body, "", "top_k", 0);
  if (topK !== undefined) sampling.topK = topK;
  const seed = optionalNumber(body, "", "seed");
  if (seed !== undefined) sampling.seed = seed;
  const n = optionalCount(body, "", "n", 1);
  if (n !== undefined) sampling.n = n;
  const bias = optionalObject(body, "", "logit_bias");
  if (bias !== undefined) sampling.logitBias = bias;
  const logprobs = optionalBoolean(body, "", "logprobs");
  if (logprobs !== undefined) sampling.logprobs = logprobs;
  const top = optionalCount(body, "", "top_logprobs", 0);
  if (top !== undefined) sampling.topLogprobs = top;
  const stop = body["stop"];
  if (typeof stop === "string") sampling.stop = [stop];
  else if (stop !== undefined && stop !== null && !Array.isArray(stop)) {
    throw invalid("stop", "a string or an array of strings");
  } else {
    const stops = optionalStrings(body, "", "stop");
    if (stops !== undefined) sampling.stop = stops;
  }
}

function parseTools(body: JsonObject): Tool[] {
  const tools = (optionalList(body, "", "tools") ?? []).map((value, index): Tool => {
    const path = at("tools", index);
    const tool = objectOf(value, path);
    const type = requiredText(tool, path, "type");
    if (type === "custom") {
      return parseCustom(requiredObject(tool, path, "custom"), at(path, "custom"));
    }
    if (type !== "function") return { type: "native", dialect: "openai-chat", value: tool };
    const named = requiredObject(tool, path, "function");
    return parseFunction(named, at(path, "function"), tool["cache_control"]);
  });
  // Deprecated since tools exist, and read as tools.
  const functions = (optionalList(body, "", "functions") ?? []).map((value, index) => {
    const path = at("functions", index);
    return parseFunction(objectOf(value, path), path);
  });
  return [...tools, ...functions];
}

function parseCustom(from: JsonObject, path: string): Tool {
  const description = optionalString(from, path, "description");
  const format = flatFormat(optionalObject(from, path, "format"));
  return freeformTool(requiredText(from, path, "name"), {
    ...(description !== undefined && { description }),
    ...(format && { format }),
  });
}

function parseFunction(from: JsonObject, path: string, cache?: Json): Tool {
  const tool: Tool = { type: "function", name: requiredText(from, path, "name") };
  const description = optionalString(from, path, "description");
  if (description !== undefined) tool.description = description;
  const parameters = optionalObject(from, path, "parameters");
  if (parameters !== undefined) tool.parameters = parameters;
  const strict = optionalBoolean(from, path, "strict");
  if (strict !== undefined) tool.strict = strict;
  const mark = cache ?? from["cache_control"];
  if (isJsonObject(mark)) tool.cache = mark;
  return tool;
}

function parseToolChoice(body: JsonObject): ToolChoice | undefined {
  const choice = body["tool_choice"] ?? body["function_call"];
  if (choice === undefined || choice === null) return undefined;
  const old = body["tool_choice"] === undefined || body["tool_choice"] === null;
  if (choice === "auto" || choice === "none") return { type: choice };
  if (choice === "required" && !old) return { type: "required" };
  if (isJsonObject(choice)) {
    if (old) return { type: "function", name: requiredText(choice, "function_call", "name") };
    if (choice["type"] === "custom") {
      const custom = requiredObject(choice, "tool_choice", "custom");
      return { type: "function", name: requiredText(custom, "tool_choice.custom", "name") };
    }
    if (choice["type"] !== "function") {
      return { type: "native", dialect: "openai-chat", value: choice };
    }
    const named = requiredObject(choice, "tool_choice", "function");
    return { type: "function", name: requiredText(named, "tool_choice.function", "name") };
  }
  if (old) throw invalid("function_call", '"none", "auto" or an object with the name to call');
  throw invalid("tool_choice", '"none", "auto", "required" or an object naming a tool');
}

function parseFormat(body: JsonObject, extra: JsonObject): ResponseFormat | undefined {
  delete extra["response_format"];
  const format = optionalObject(body, "", "response_format");
  if (format === undefined) return undefined;
  const type = requiredText(format, "response_format", "type");
  if (type === "text") return { type: "text" };
  if (type === "json_object") return { type: "json" };
  if (type !== "json_schema") {
    extra["response_format"] = format;
    return undefined;
  }
  const path = "response_format.json_schema";
  const named = requiredObject(format, "response_format", "json_schema");
  return readSchema(named, path);
}

function parseReasoning(body: JsonObject, extra: JsonObject): Reasoning | undefined {
  const reasoning: Reasoning = {};
  const effort = effortNamed(optionalString(body, "", "reasoning_effort"));
  if (effort !== undefined) {
    reasoning.effort = effort;
    delete extra["reasoning_effort"];
  }
  const thinking = optionalObject(body, "", "thinking");
  if (thinking !== undefined) {
    const type = thinking["type"];
    if (type === "disabled") reasoning.effort = "none";
    else if (type === "adaptive") reasoning.adaptive = true;
    const budget = optionalCount(thinking, "thinking", "budget_tokens", 1);
    if (budget !== undefined) reasoning.budgetTokens = budget;
  }
  return Object.keys(reasoning).length > 0 ? reasoning : undefined;
}
