import type { ChatRequest, Reasoning, Tool, ToolChoice } from "../../core/chat.ts";
import { GatewayError } from "../../core/errors.ts";
import { isJsonObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
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
  others,
  requiredText,
} from "../fields.ts";
import { freeformTool } from "../freeform.ts";
import { readSchema } from "../openai-chat/schema.ts";
import { parseInput } from "./input.ts";
import { keptHere } from "./metadata.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "model",
  "input",
  "instructions",
  "stream",
  "max_output_tokens",
  "temperature",
  "top_p",
  "top_logprobs",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "user",
  "metadata",
  "text",
  "reasoning",
  "store",
]);

/** Members that stand for something which is kept at the provider alone. */
const BOUND = ["previous_response_id", "conversation", "prompt"] as const;

/** Reads a Responses body. */
export function parseRequest(body: JsonObject): ChatRequest {
  const model = requiredText(body, "", "model");
  if (optionalBoolean(body, "", "background") === true) {
    throw new GatewayError(
      "unsupported_endpoint",
      "Responses in the background are not served here; leave `background` out.",
      { param: "background" },
    );
  }
  const bound: string[] = BOUND.filter((name) => body[name] !== undefined && body[name] !== null);
  const { input } = body;
  if ((input === undefined || input === null) && bound.length === 0) {
    throw missing("input", "a string or an array of items");
  }
  const instructions = optionalString(body, "", "instructions");
  const extra = extraOf(body);
  const request: ChatRequest = {
    model,
    messages: [
      ...(instructions
        ? [{ role: "system" as const, parts: [{ type: "text" as const, text: instructions }] }]
        : []),
      ...(input === undefined || input === null ? [] : parseInput(input)),
    ],
    stream: optionalBoolean(body, "", "stream") ?? false,
    streamUsage: true,
    sampling: {},
    tools: (optionalList(body, "", "tools") ?? []).map((value, index) =>
      parseTool(objectOf(value, at("tools", index)), at("tools", index)),
    ),
    extra,
    dialect: "openai-responses",
  };
  if (request.messages.some(({ parts }) => parts.some((part) => isReference(part)))) {
    bound.push("input");
  }
  if (bound.length > 0) request.bound = bound;
  readSampling(body, request);
  const choice = parseToolChoice(body);
  if (choice !== undefined) request.toolChoice = choice;
  const parallel = optionalBoolean(body, "", "parallel_tool_calls");
  if (parallel !== undefined) request.parallelToolCalls = parallel;
  readText(body, request, extra);
  readReasoning(body, request, extra);
  const user = optionalString(body, "", "user");
  if (user !== undefined) request.user = user;
  return request;
}

function isReference(part: ChatRequest["messages"][number]["parts"][number]): boolean {
  return part.type === "native" && part.value["type"] === "item_reference";
}

function extraOf(body: JsonObject): JsonObject {
  const extra = without(others(body, KNOWN), extensionNames(body));
  for (const name of Object.keys(extra)) if (extra[name] === null) delete extra[name];
  // Kept nowhere is what every other target does; only keeping it is something to miss.
  if (body["store"] === true) extra["store"] = true;
  const metadata = body["metadata"];
  if (isJsonObject(metadata)) {
    const gone = keptHere(metadata);
    const kept = gone === "all" ? {} : without(metadata, gone);
    if (Object.keys(kept).length > 0) extra["metadata"] = kept;
  }
  return extra;
}

function readSampling(body: JsonObject, { sampling }: ChatRequest): void {
  const limit = optionalCount(body, "", "max_output_tokens", 1);
  if (limit !== undefined) sampling.maxOutputTokens = limit;
  const temperature = optionalNumber(body, "", "temperature");
  if (temperature !== undefined) sampling.temperature = temperature;
  const topP = optionalNumber(body, "", "top_p");
  if (topP !== undefined) sampling.topP = topP;
  const top = optionalCount(body, "", "top_logprobs", 0);
  const wants = optionalList(body, "", "include")?.includes("message.output_text.logprobs");
  if (wants || (top !== undefined && top > 0)) sampling.logprobs = true;
  if (top !== undefined && top > 0) sampling.topLogprobs = top;
}

function parseTool(tool: JsonObject, path: string): Tool {
  const type = requiredText(tool, path, "type");
  if (type === "custom") {
    const own = optionalString(tool, path, "description");
    const format = optionalObject(tool, path, "format");
    return freeformTool(requiredText(tool, path, "name"), {
      ...(own !== undefined && { description: own }),
      ...(format && { format }),
    });
  }
  if (type !== "function") return { type: "native", dialect: "openai-responses", value: tool };
  const parsed: Tool = { type: "function", name: requiredText(tool, path, "name") };
  const description = optionalString(tool, path, "description");
  if (description !== undefined) parsed.description = description;
  const parameters = optionalObject(tool, path, "parameters");
  if (parameters !== undefined) parsed.parameters = parameters;
  const strict = optionalBoolean(tool, path, "strict");
  if (strict !== undefined) parsed.strict = strict;
  return parsed;
}

function parseToolChoice(body: JsonObject): ToolChoice | undefined {
  const choice = body["tool_choice"];
  if (choice === undefined || choice === null) return undefined;
  if (choice === "auto" || choice === "none" || choice === "required") return { type: choice };
  if (!isJsonObject(choice)) {
    throw invalid("tool_choice", '"none", "auto", "required" or an object naming a tool');
  }
  if (choice["type"] === "function" || choice["type"] === "custom") {
    return { type: "function", name: requiredText(choice, "tool_choice", "name") };
  }
  return { type: "native", dialect: "openai-responses", value: choice };
}

function readText(body: JsonObject, request: ChatRequest, extra: JsonObject): void {
  const text = optionalObject(body, "", "text");
  if (text === undefined) return;
  const rest = others(text, new Set(["format"]));
  if (Object.keys(rest).length > 0) extra["text"] = rest;
  const format = optionalObject(text, "text", "format");
  if (format === undefined) return;
  const where = "text.format";
  const type = requiredText(format, where, "type");
  if (type === "text") request.responseFormat = { type: "text" };
  else if (type === "json_object") request.responseFormat = { type: "json" };
  else if (type === "json_schema") request.responseFormat = readSchema(format, where);
  else extra["text"] = text;
}

function readReasoning(body: JsonObject, request: ChatRequest, extra: JsonObject): void {
  const from = optionalObject(body, "", "reasoning");
  if (from === undefined) return;
  const reasoning: Reasoning = {};
  const effort = effortNamed(optionalString(from, "reasoning", "effort"));
  if (effort !== undefined) reasoning.effort = effort;
  const summary =
    optionalString(from, "reasoning", "summary") ??
    optionalString(from, "reasoning", "generate_summary");
  if (summary !== undefined && reasoning.effort === undefined) reasoning.adaptive = true;
  if (summary !== undefined && reasoning.effort !== "none") reasoning.display = "summarized";
  extra["reasoning"] = from;
  if (Object.keys(reasoning).length > 0) request.reasoning = reasoning;
}
