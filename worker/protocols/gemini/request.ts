import type { FromUrl } from "../../core/call.ts";
import type { ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
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
  requiredText,
} from "../fields.ts";
import { parseContents, parseSystem } from "./contents.ts";
import { camel } from "./names.ts";
import { jsonSchema } from "./schema.ts";

const MEMBERS = [
  "contents",
  "systemInstruction",
  "tools",
  "toolConfig",
  "generationConfig",
] as const;
const KNOWN: ReadonlySet<string> = new Set([...MEMBERS, "model", "metadata"]);
const CONFIG = [
  "maxOutputTokens",
  "temperature",
  "topP",
  "topK",
  "stopSequences",
  "seed",
  "candidateCount",
  "presencePenalty",
  "frequencyPenalty",
  "responseLogprobs",
  "logprobs",
  "responseMimeType",
  "responseSchema",
  "responseJsonSchema",
  "thinkingConfig",
] as const;
const KNOWN_CONFIG: ReadonlySet<string> = new Set(CONFIG);
const WHERE = "generationConfig";

const COUNTED = ["generateContentRequest"] as const;

/** Reads a generateContent body; model and streaming stand in the URL. */
export function parseRequest(body: JsonObject, fromUrl: FromUrl = {}): ChatRequest {
  // A count may be asked for a whole request, which then stands inside.
  const inner = fromUrl.count ? optionalObject(camel(body, COUNTED), "", COUNTED[0]) : undefined;
  const from = camel(inner ?? body, MEMBERS);
  const model = fromUrl.model ?? requiredText(body, "", "model");
  const list = optionalList(from, "", "contents");
  if (list === undefined) throw missing("contents", "an array of at least one content");
  if (list.length === 0) throw invalid("contents", "an array of at least one content");
  const config = camel(optionalObject(from, "", WHERE) ?? {}, CONFIG);
  const extra = without(others(from, KNOWN), extensionNames(body));
  const rest = others(config, KNOWN_CONFIG);
  if (Object.keys(rest).length > 0) extra[WHERE] = rest;
  const request: ChatRequest = {
    model,
    messages: [...parseSystem(from), ...parseContents(list)],
    stream: fromUrl.stream ?? false,
    streamUsage: true,
    sampling: {},
    tools: (optionalList(from, "", "tools") ?? []).flatMap((value, index) =>
      parseTool(objectOf(value, at("tools", index)), at("tools", index)),
    ),
    extra,
    dialect: "gemini",
  };
  // Half of the prompt may stand there.
  const kept = ["cachedContent", "cached_content"].filter((name) => typeof from[name] === "string");
  if (kept.length > 0) request.bound = kept;
  readSampling(config, request);
  readFormat(config, request, extra);
  readThinking(config, request);
  const choice = optionalObject(from, "", "toolConfig");
  if (choice !== undefined) readToolConfig(choice, request, extra);
  return request;
}

function readSampling(config: JsonObject, { sampling }: ChatRequest): void {
  const numbers = [
    ["temperature", "temperature"],
    ["topP", "topP"],
    ["presencePenalty", "presencePenalty"],
    ["frequencyPenalty", "frequencyPenalty"],
    ["topK", "topK"],
    ["seed", "seed"],
  ] as const;
  for (const [name, key] of numbers) {
    const value = optionalNumber(config, WHERE, name);
    if (value !== undefined) sampling[key] = value;
  }
  const limit = optionalCount(config, WHERE, "maxOutputTokens", 1);
  if (limit !== undefined) sampling.maxOutputTokens = limit;
  const stop = optionalStrings(config, WHERE, "stopSequences");
  if (stop !== undefined) sampling.stop = stop;
  const n = optionalCount(config, WHERE, "candidateCount", 1);
  if (n !== undefined) sampling.n = n;
  const logprobs = optionalBoolean(config, WHERE, "responseLogprobs");
  if (logprobs !== undefined) sampling.logprobs = logprobs;
  const top = optionalCount(config, WHERE, "logprobs", 0);
  if (top !== undefined) sampling.topLogprobs = top;
}

function readFormat(config: JsonObject, request: ChatRequest, extra: JsonObject): void {
  const type = optionalString(config, WHERE, "responseMimeType");
  const own = optionalObject(config, WHERE, "responseSchema");
  const schema = optionalObject(config, WHERE, "responseJsonSchema") ?? (own && jsonSchema(own));
  let format: ResponseFormat | undefined;
  if (schema !== undefined) format = { type: "schema", name: "answer", schema, strict: true };
  else if (type === "application/json") format = { type: "json" };
  if (format !== undefined) request.responseFormat = format;
  else if (type !== undefined && type !== "text/plain") {
    extra[WHERE] = { ...(isJsonObject(extra[WHERE]) && extra[WHERE]), responseMimeType: type };
  }
}

const LEVELS: ReadonlySet<string> = new Set(["minimal", "low", "medium", "high"]);

function readThinking(config: JsonObject, request: ChatRequest): void {
  const from = optionalObject(config, WHERE, "thinkingConfig");
  if (from === undefined) return;
  const where = at(WHERE, "thinkingConfig");
  const thinking = camel(from, ["thinkingBudget", "thinkingLevel", "includeThoughts"]);
  const reasoning: Reasoning = {};
  const budget = optionalNumber(thinking, where, "thinkingBudget");
  if (budget === 0) reasoning.effort = "none";
  else if (budget === -1) reasoning.adaptive = true;
  else if (budget !== undefined) reasoning.budgetTokens = budget;
  const level = optionalString(thinking, where, "thinkingLevel")?.toLowerCase();
  if (level !== undefined && LEVELS.has(level)) {
    reasoning.effort = level as NonNullable<Reasoning["effort"]>;
  }
  const shown = optionalBoolean(thinking, where, "includeThoughts");
  if (shown !== undefined && Object.keys(reasoning).length > 0) {
    reasoning.display = shown ? "summarized" : "omitted";
  }
  if (shown === true && Object.keys(reasoning).length === 0) reasoning.adaptive = true;
  if (Object.keys(reasoning).length > 0) request.reasoning = reasoning;
}

function parseTool(from: JsonObject, path: string): Tool[] {
  const tool = camel(from, ["functionDeclarations"]);
  const declared = optionalList(tool, path, "functionDeclarations");
  const rest = others(tool, new Set(["functionDeclarations"]));
  const native: Tool[] =
    Object.keys(rest).length > 0 ? [{ type: "native", dialect: "gemini", value: rest }] : [];
  const functions = (declared ?? []).map((value, index): Tool => {
    const where = at(at(path, "functionDeclarations"), index);
    const named = camel(objectOf(value, where), ["parametersJsonSchema"]);
    const parsed: Tool = { type: "function", name: requiredText(named, where, "name") };
    const description = optionalString(named, where, "description");
    if (description !== undefined) parsed.description = description;
    const own = optionalObject(named, where, "parameters");
    const schema = optionalObject(named, where, "parametersJsonSchema") ?? (own && jsonSchema(own));
    if (schema !== undefined) parsed.parameters = schema;
    return parsed;
  });
  return [...functions, ...native];
}

function readToolConfig(from: JsonObject, request: ChatRequest, extra: JsonObject): void {
  const config = camel(from, ["functionCallingConfig"]);
  const rest = others(config, new Set(["functionCallingConfig"]));
  if (Object.keys(rest).length > 0) extra["toolConfig"] = rest;
  const where = "toolConfig.functionCallingConfig";
  const calling = optionalObject(config, "toolConfig", "functionCallingConfig");
  if (calling === undefined) return;
  const { mode, allowedFunctionNames: names } = camel(calling, ["allowedFunctionNames"]);
  const allowed = optionalStrings({ names }, where, "names") ?? [];
  const choice = choiceOf(typeof mode === "string" ? mode.toUpperCase() : "", allowed);
  if (choice === "other") {
    request.toolChoice = { type: "native", dialect: "gemini", value: calling };
  } else if (choice !== undefined) request.toolChoice = choice;
}

function choiceOf(mode: string, allowed: readonly string[]): ToolChoice | "other" | undefined {
  const [only] = allowed;
  if (mode === "ANY" && allowed.length === 1 && only !== undefined) {
    return { type: "function", name: only };
  }
  if (allowed.length > 0) return "other";
  if (mode === "ANY") return { type: "required" };
  if (mode === "NONE") return { type: "none" };
  if (mode === "AUTO") return { type: "auto" };
  return mode === "" || mode === "MODE_UNSPECIFIED" ? undefined : "other";
}
