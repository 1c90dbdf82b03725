import type { ChatResponse, Choice } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { NO_USAGE } from "../../core/usage.ts";
import { noAnswer, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { others } from "../fields.ts";
import type { AnswerContext } from "../protocol.ts";
import { readBlock, writeBlocks } from "./blocks.ts";
import { encodeFinish, parseFinish } from "./finish.ts";
import { encodeUsage, parseUsage } from "./usage.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "id",
  "type",
  "role",
  "model",
  "content",
  "stop_reason",
  "stop_sequence",
  "usage",
]);

/** Reads a whole message. It says no time, so `created` is 0. */
export function parseResponse(body: JsonObject): ChatResponse {
  if (body["type"] === "error" || !Array.isArray(body["content"])) {
    throw noAnswer(body, "it has no content");
  }
  const parts = objectsIn(body["content"]).map(readBlock);
  const reason = stringOf(body["stop_reason"]) ?? "";
  const stopSequence = textOf(body["stop_sequence"]);
  const called = parts.some((part) => part.type === "toolCall");
  const { finish, own } = parseFinish(reason, called, stopSequence);
  const choice: Choice = { index: 0, parts, finish };
  if (stopSequence !== undefined) choice.stopSequence = stopSequence;
  const extra = others(body, KNOWN);
  if (own !== undefined) extra["stop_reason"] = own;
  if (Object.keys(extra).length > 0) choice.extra = extra;
  const response: ChatResponse = {
    id: stringOf(body["id"]) ?? "",
    created: 0,
    model: stringOf(body["model"]) ?? "",
    choices: [choice],
    extra: {},
    dialect: "anthropic",
  };
  const usage = objectIn(body["usage"]);
  if (usage) response.usage = parseUsage(usage);
  return response;
}

/** Writes a whole message; Anthropic knows one choice only, the first. */
export function encodeResponse(response: ChatResponse, context: AnswerContext): JsonObject {
  const choice = response.choices[0] ?? { index: 0, parts: [], finish: "error" as const };
  const home = response.dialect === "anthropic";
  const called = choice.parts.some((part) => part.type === "toolCall");
  return {
    id: messageId(response.id, context),
    type: "message",
    role: "assistant",
    model: response.model,
    content: choice.parts.flatMap(writeBlocks),
    stop_reason: encodeFinish(choice.finish, called, choice.stopSequence),
    stop_sequence: choice.stopSequence ?? null,
    usage: encodeUsage(response.usage ?? NO_USAGE),
    ...(home && choice.extra),
  };
}

/** The answer's own id in the form that Anthropic clients expect. */
export function messageId(id: string, { requestId }: AnswerContext): string {
  return id.startsWith("msg_") ? id : `msg_${id || requestId}`;
}
