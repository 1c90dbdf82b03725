import type { FromUrl } from "../../core/call.ts";
import type { ChatRequest, Reasoning, ResponseFormat, Tool, ToolChoice } from "../../core/chat.ts";
import { GatewayError } from "../../core/errors.ts";
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
  requiredObject,
  requiredText,
} from "../fields.ts";
import { parseMessages, parseSystem } from "./messages.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "system",
  "max_tokens",
  "stream",
  "stop_sequences",
  "temperature",
  "top_p",
  "top_k",
  "metadata",
  "thinking",
  "output_config",
  "output_format",
  "tool_choice",
  "tools",
]);

const EFFORTS: ReadonlySet<string> = new Set(["low", "medium", "high", "xhigh", "max"]);

/** Reads a Messages body. */
export function parseRequest(body: JsonObject, fromUrl: FromUrl = {}): ChatRequest {
  refuseThread(body);
  const model = requiredText(body, "", "model");
  const list = optionalList(body, "", "messages");
  if (list === undefined) throw missing("messages", "an array of at least one message");
  if (list.length === 0) throw invalid("messages", "an array of at least one message");
  const maxTokens = optionalCount(body, "", "max_tokens", 1);
  if (maxTokens === undefined && !fromUrl.count)
    throw missing("max_tokens", "a whole number of at least 1");
  const extra = without(others(body, KNOWN), extensionNames(body));
  const request: ChatRequest = {
    model,
    messages: [...parseSystem(body), ...parseMessages(list)],
    stream: optionalBoolean(body, "", "stream") ?? false,
    streamUsage: true,
    sampling: maxTokens === undefined ? {} : { maxOutputTokens: maxTokens },
    tools: (optionalList(body, "", "tools") ?? []).map((value, index) =>
      parseTool(objectOf(value, at("tools", index)), at("tools", index)),
    ),
    extra,
    dialect: "anthropic",
  };
  const temperature = optionalNumber(body, "", "temperature");
  if (temperature !== undefined) request.sampling.temperature = temperature;
  const topP = optionalNumber(body, "", "top_p");
  if (topP !== undefined) request.sampling.topP = topP;
  const topK = optionalCount(body, "", "top_k", 0);
  if (topK !== undefined) request.sampling.topK = topK;
  const stop = optionalStrings(body, "", "stop_sequences");
  if (stop !== undefined) request.sampling.stop = stop;
  readToolChoice(body, request);
  readOutput(body, request, extra);
  const metadata = optionalObject(body, "", "metadata");
  const user = metadata ? optionalString(metadata, "metadata", "user_id") : undefined;
  if (user !== undefined) request.user = user;
  return request;
}

/**
 * A turn may go to any deployment, so that none can hold the conversation. The official client knows this refusal: it goes
 * on with whole histories.
 */
function refuseThread(body: JsonObject): void {
  if (optionalObject(body, "", "thread") === undefined) return;
  throw new GatewayError(
    "unsupported_endpoint",
    "Conversations that a provider's servers hold are not served here: leave `thread` out and send all messages.",
    {
      param: "thread",
      members: { details: { error_code: "thread_unsupported_request", unsupported: ["thread"] } },
    },
  );
}

function parseTool(tool: JsonObject, path: string): Tool {
  const type = optionalString(tool, path, "type") ?? "custom";
  if (type !== "custom") return { type: "native", dialect: "anthropic", value: tool };
  const parsed: Tool = {
    type: "function",
    name: requiredText(tool, path, "name"),
    parameters: requiredObject(tool, path, "input_schema"),
  };
  const description = optionalString(tool, path, "description");
  if (description !== undefined) parsed.description = description;
  const strict = optionalBoolean(tool, path, "strict");
  if (strict !== undefined) parsed.strict = strict;
  const cache = optionalObject(tool, path, "cache_control");
  if (cache !== undefined) parsed.cache = cache;
  return parsed;
}

function readToolChoice(body: JsonObject, request: ChatRequest): void {
  const choice = optionalObject(body, "", "tool_choice");
  if (choice === undefined) return;
  request.toolChoice = toolChoice(choice);
  const single = optionalBoolean(choice, "tool_choice", "disable_parallel_tool_use");
  if (single !== undefined) request.parallelToolCalls = !single;
}

function toolChoice(choice: JsonObject): ToolChoice {
  const type = requiredText(choice, "tool_choice", "type");
  if (type === "auto" || type === "none") return { type };
  if (type === "any") return { type: "required" };
  if (type === "tool") {
    return { type: "function", name: requiredText(choice, "tool_choice", "name") };
  }
  return { type: "native", dialect: "anthropic", value: choice };
}

/** Thinking, effort and output format. Forms that nobody else knows stay in `extra`. */
function readOutput(body: JsonObject, request: ChatRequest, extra: JsonObject): void {
  const reasoning: Reasoning = {};
  const thinking = optionalObject(body, "", "thinking");
  if (thinking !== undefined) {
    const type = requiredText(thinking, "thinking", "type");
    const budget = optionalCount(thinking, "thinking", "budget_tokens", 1);
    const display = optionalString(thinking, "thinking", "display");
    if (display !== undefined) reasoning.display = display;
    if (type === "disabled") reasoning.effort = "none";
    else if (type === "adaptive") reasoning.adaptive = true;
    else if (type === "enabled") {
      if (budget === undefined) {
        throw missing("thinking.budget_tokens", "a whole number of at least 1024");
      }
      reasoning.budgetTokens = budget;
    } else extra["thinking"] = thinking;
  }
  const config = optionalObject(body, "", "output_config") ?? {};
  const effort = optionalString(config, "output_config", "effort");
  const rest = others(config, new Set(["effort", "format"]));
  if (effort !== undefined && EFFORTS.has(effort)) {
    // Switched off wins over an effort that only tunes the answer.
    reasoning.effort ??= effort as NonNullable<Reasoning["effort"]>;
    if (reasoning.effort === "none") rest["effort"] = effort;
  } else if (effort !== undefined) {
    rest["effort"] = effort;
  }
  const format =
    optionalObject(config, "output_config", "format") ?? optionalObject(body, "", "output_format");
  if (format !== undefined) {
    const parsed = parseFormat(format);
    if (parsed) request.responseFormat = parsed;
    else rest["format"] = format;
  }
  if (Object.keys(rest).length > 0) extra["output_config"] = rest;
  if (Object.keys(reasoning).length > 0) request.reasoning = reasoning;
}

function parseFormat(format: JsonObject): ResponseFormat | undefined {
  if (format["type"] !== "json_schema" || !isJsonObject(format["schema"])) return undefined;
  return { type: "schema", name: "answer", schema: format["schema"], strict: true };
}
