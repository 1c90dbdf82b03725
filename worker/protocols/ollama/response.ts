import type { ChatResponse, FinishReason, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { NO_USAGE, tokenCount, type TokenUsage } from "../../core/usage.ts";
import { argumentsOf, noAnswer, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";

/** Reads a whole answer. */
export function parseResponse(body: JsonObject): ChatResponse {
  const message = objectIn(body["message"]);
  if (!message) throw noAnswer(body, "it has no message");
  const parts: Part[] = [];
  const thinking = textOf(message["thinking"]);
  if (thinking !== undefined) parts.push({ type: "thinking", text: thinking });
  const text = textOf(message["content"]);
  if (text !== undefined) parts.push({ type: "text", text });
  parts.push(...readCalls(message, body, 0));
  const called = parts.some((part) => part.type === "toolCall");
  const response: ChatResponse = {
    id: "",
    created: createdAt(body),
    model: stringOf(body["model"]) ?? "",
    choices: [{ index: 0, parts, finish: parseFinish(body, called) }],
    extra: {},
    dialect: "ollama",
  };
  const logprobs = readLogprobs(body);
  if (logprobs !== undefined && response.choices[0]) response.choices[0].logprobs = logprobs;
  const usage = parseUsage(body);
  if (usage) response.usage = usage;
  return response;
}

/** Log probabilities, which come in OpenAI's own form; undefined for none. */
export function readLogprobs(body: JsonObject): Json | undefined {
  const content = objectsIn(body["logprobs"]);
  return content.length === 0 ? undefined : { content, refusal: null };
}

/** The calls of a message; they get ids out of the answer's own time, since they seldom have any. */
export function readCalls(message: JsonObject, body: JsonObject, before: number): Part[] {
  const stamp = (stringOf(body["created_at"]) ?? "").replace(/\D/g, "");
  return objectsIn(message["tool_calls"]).map((call, index): Part => {
    const named = objectIn(call["function"]) ?? {};
    return {
      type: "toolCall",
      id: textOf(call["id"]) ?? `call_${stamp}_${before + index}`,
      name: stringOf(named["name"]) ?? "",
      arguments: argumentsOf(named["arguments"]),
    };
  });
}

export function parseFinish(body: JsonObject, called: boolean): FinishReason {
  if (body["done_reason"] === "length") return "length";
  return called ? "tool_calls" : "stop";
}

/** Unix seconds of the answer's own time, 0 for none. */
export function createdAt(body: JsonObject): number {
  const time = Date.parse(stringOf(body["created_at"]) ?? "");
  return Number.isFinite(time) ? Math.floor(time / 1000) : 0;
}

/** Thinking is part of the answer's count; undefined before the end. */
export function parseUsage(body: JsonObject): TokenUsage | undefined {
  if (body["prompt_eval_count"] === undefined && body["eval_count"] === undefined) return undefined;
  return {
    ...NO_USAGE,
    input: tokenCount(body["prompt_eval_count"]),
    output: tokenCount(body["eval_count"]),
  };
}
