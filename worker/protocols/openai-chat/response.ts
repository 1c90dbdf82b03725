import type { ChatResponse, Choice, Part, ThinkingPart } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { badAnswer, noAnswer, objectIn, stringOf } from "../answers.ts";
import { carry, openaiState } from "../carried.ts";
import { others } from "../fields.ts";
import { freeformInput } from "../freeform.ts";
import type { AnswerContext } from "../protocol.ts";
import { annotationsOf } from "./citations.ts";
import { encodeFinish, parseFinish } from "./finish.ts";
import { encodeImage, messageParts } from "./parts.ts";
import { encodeUsage, usageIn } from "./usage.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "model",
  "choices",
  "usage",
]);
const KNOWN_CHOICE: ReadonlySet<string> = new Set([
  "index",
  "message",
  "finish_reason",
  "logprobs",
  "usage",
]);

/** Reads a whole chat completion. */
export function parseResponse(body: JsonObject): ChatResponse {
  const list = body["choices"];
  if (!Array.isArray(list) || list.length === 0) {
    throw noAnswer(body, "it has no choices");
  }
  const response: ChatResponse = {
    id: stringOf(body["id"]) ?? "",
    created: typeof body["created"] === "number" ? Math.floor(body["created"]) : 0,
    model: stringOf(body["model"]) ?? "",
    choices: list.map(choiceOf),
    extra: others(body, KNOWN),
    dialect: "openai-chat",
  };
  const usage = usageIn(body);
  if (usage) response.usage = usage;
  return response;
}

function choiceOf(value: Json, position: number): Choice {
  const from = objectIn(value);
  const message = objectIn(from?.["message"]);
  if (!from || !message) throw badAnswer("a choice has no message");
  const index = typeof from["index"] === "number" ? from["index"] : position;
  const parts = messageParts(message, (call) => `call_${index}_${call}`);
  const told = stringOf(from["finish_reason"]) ?? "";
  const called = parts.some((part) => part.type === "toolCall");
  const finish = told === "" ? (called ? "tool_calls" : "stop") : parseFinish(told);
  const choice: Choice = { index, parts, finish };
  if (typeof from["stop_reason"] === "string") choice.stopSequence = from["stop_reason"];
  const logprobs = from["logprobs"];
  if (logprobs !== undefined && logprobs !== null) choice.logprobs = logprobs;
  const extra = others(from, KNOWN_CHOICE);
  if (Object.keys(extra).length > 0) choice.extra = extra;
  return choice;
}

/** Writes a whole chat completion. */
export function encodeResponse(response: ChatResponse, context: AnswerContext): JsonObject {
  const home = response.dialect === "openai-chat";
  return {
    id: home && response.id !== "" ? response.id : `chatcmpl-${response.id || context.requestId}`,
    object: "chat.completion",
    created: response.created || context.created,
    model: response.model,
    choices: response.choices.map((choice) => encodeChoice(choice, home)),
    ...(response.usage && { usage: encodeUsage(response.usage) }),
    ...(home && response.extra),
  };
}

function encodeChoice(choice: Choice, home: boolean): JsonObject {
  return {
    index: choice.index,
    message: encodeMessage(choice.parts),
    logprobs: choice.logprobs ?? null,
    finish_reason: encodeFinish(choice.finish),
    ...(home && choice.extra),
  };
}

/** The assistant's message out of parts: texts joined, thinking and calls beside them. */
function encodeMessage(parts: readonly Part[]): JsonObject {
  let content: string | null = null;
  let refusal: string | null = null;
  const thinking: ThinkingPart[] = [];
  const calls: JsonObject[] = [];
  const annotations: Json[] = [];
  const citations: Json[] = [];
  const images: JsonObject[] = [];
  let audio: JsonObject | undefined;
  let signature: string | undefined;
  for (const part of parts) {
    if (part.type === "text" && part.signature !== undefined) signature = part.signature;
    else if (part.type === "text") {
      const start = content?.length ?? 0;
      content = (content ?? "") + part.text;
      for (const citation of part.citations ?? []) {
        annotations.push(...annotationsOf(citation, start, content.length));
        if (objectIn(citation)?.["type"] !== "url_citation") citations.push(citation);
      }
    } else if (part.type === "refusal") refusal = (refusal ?? "") + part.text;
    else if (part.type === "thinking") thinking.push(part);
    else if (part.type === "toolCall") calls.push(encodeCall(part));
    else if (part.type === "audio") audio = encodeAudio(part);
    else if (part.type === "image") images.push(...encodeImage(part));
    else if (part.type === "native" && isCustomCall(part.value)) calls.push(part.value);
  }
  const reasoning = thinking.map((part) => part.text).join("");
  const signed = thinking.some(
    (part) => part.signature !== undefined || part.redacted !== undefined,
  );
  return {
    role: "assistant",
    content,
    refusal,
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(signed && { thinking_blocks: thinking.map(encodeThinkingBlock) }),
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(audio && { audio }),
    ...(images.length > 0 && { images }),
    ...(signature !== undefined && googleState(signature)),
    ...(annotations.length > 0 && { annotations }),
    ...(citations.length > 0 && { citations }),
  };
}

/** True for a tool call of a kind that only this dialect knows. */
export function isCustomCall(value: JsonObject): boolean {
  return value["type"] === "custom" && isJsonObject(value["custom"]);
}

export function encodeCall(part: Extract<Part, { type: "toolCall" }>): JsonObject {
  if (part.freeform) {
    const { id, name } = part;
    return { id, type: "custom", custom: { name, input: freeformInput(part.arguments) } };
  }
  return {
    id: part.id,
    type: "function",
    function: { name: part.name, arguments: part.arguments },
    ...(part.signature !== undefined && googleState(part.signature)),
  };
}

/** Google's thought signature as its own compatible endpoint carries it (PROTOCOLS 23). */
export function googleState(signature: string): JsonObject {
  return { extra_content: { google: { thought_signature: signature } } };
}

function encodeAudio(part: Extract<Part, { type: "audio" }>): JsonObject {
  return {
    ...(part.id !== undefined && { id: part.id }),
    data: part.data,
    ...(part.transcript !== undefined && { transcript: part.transcript }),
  };
}

/** A thinking block in the form in which it may be sent back (PROTOCOLS 23). */
export function encodeThinkingBlock(part: ThinkingPart): JsonObject {
  if (part.redacted !== undefined) {
    const own = part.family === "openai" ? carry("openai", openaiState(part)) : part.redacted;
    return { type: "redacted_thinking", data: own };
  }
  return {
    type: "thinking",
    thinking: part.text,
    ...(part.signature !== undefined && { signature: part.signature }),
  };
}
