import type { ChatResponse, Choice, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { noAnswer, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { others } from "../fields.ts";
import type { AnswerContext } from "../protocol.ts";
import { readCitations, writeCitations } from "./citations.ts";
import { encodeFinish, parseFinish } from "./finish.ts";
import { readLogprobs, writeLogprobs } from "./logprobs.ts";
import { ownId } from "./names.ts";
import { readPart, writePart, type CallId } from "./parts.ts";
import { encodeUsage, parseUsage, tellsUsage } from "./usage.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "candidates",
  "usageMetadata",
  "modelVersion",
  "responseId",
  "promptFeedback",
]);
const KNOWN_CANDIDATE: ReadonlySet<string> = new Set([
  "content",
  "finishReason",
  "index",
  "logprobsResult",
]);

/** Ids for the calls of one answer: Google's own, or the answer's with a number. */
export function callIds(responseId: string): CallId {
  let calls = 0;
  return (own) => {
    const number = calls++;
    return own === undefined ? `call_${responseId || "gemini"}_${number}` : ownId(own);
  };
}

/** Reads a whole answer. It says no time that all of Google's services give, so `created` is 0. */
export function parseResponse(body: JsonObject): ChatResponse {
  const candidates = objectsIn(body["candidates"]);
  const blocked = textOf(objectIn(body["promptFeedback"])?.["blockReason"]);
  if (candidates.length === 0 && blocked === undefined) {
    throw noAnswer(body, "it has no candidates");
  }
  const id = stringOf(body["responseId"]) ?? "";
  const callId = callIds(id);
  const choices: Choice[] =
    candidates.length === 0
      ? [{ index: 0, parts: [], finish: "content_filter", extra: { blockReason: blocked } }]
      : candidates.map((each, position) => choiceOf(each, position, callId));
  const response: ChatResponse = {
    id,
    created: 0,
    model: stringOf(body["modelVersion"]) ?? "",
    choices,
    extra: others(body, KNOWN),
    dialect: "gemini",
  };
  const usage = objectIn(body["usageMetadata"]);
  if (usage && tellsUsage(usage)) response.usage = parseUsage(usage);
  return response;
}

function choiceOf(candidate: JsonObject, position: number, callId: CallId): Choice {
  const content = objectIn(candidate["content"]);
  const parts = objectsIn(content?.["parts"]).flatMap((part) => readPart(part, callId));
  const citations = readCitations(candidate);
  if (citations.length > 0) cite(parts, citations);
  const reason = textOf(candidate["finishReason"]) ?? "";
  const called = parts.some((part) => part.type === "toolCall");
  const finish = parseFinish(reason, called);
  const { index } = candidate;
  const choice: Choice = { index: typeof index === "number" ? index : position, parts, finish };
  const logprobs = readLogprobs(candidate["logprobsResult"]);
  if (logprobs !== undefined) choice.logprobs = logprobs;
  const extra = others(candidate, KNOWN_CANDIDATE);
  if (reason !== "" && encodeFinish(finish) !== reason) extra["finishReason"] = reason;
  if (Object.keys(extra).length > 0) choice.extra = extra;
  return choice;
}

function cite(parts: Part[], citations: Json[]): void {
  const index = parts.findLastIndex((part) => part.type === "text" && part.text !== "");
  const part = parts[index];
  if (part?.type === "text") parts[index] = { ...part, citations };
}

/** Writes a whole answer. */
export function encodeResponse(response: ChatResponse, context: AnswerContext): JsonObject {
  const home = response.dialect === "gemini";
  return {
    candidates: response.choices.map((choice) => candidateOf(choice, home)),
    usageMetadata: response.usage ? encodeUsage(response.usage) : {},
    modelVersion: response.model,
    responseId: response.id || context.requestId,
    ...(home && response.extra),
  };
}

function candidateOf(choice: Choice, home: boolean): JsonObject {
  const citations = writeCitations(
    choice.parts.flatMap((part) => (part.type === "text" ? (part.citations ?? []) : [])),
  );
  const logprobs = writeLogprobs(choice.logprobs);
  return {
    content: {
      role: "model",
      parts: choice.parts.map(writePart).filter((part) => part !== null),
    },
    finishReason: encodeFinish(choice.finish),
    index: choice.index,
    ...(citations && { citationMetadata: citations }),
    ...(logprobs && { logprobsResult: logprobs }),
    ...(home && choice.extra),
  };
}
