import type { Message, Part } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import {
  at,
  invalid,
  missing,
  objectOf,
  optionalList,
  optionalString,
  requiredText,
} from "../fields.ts";
import { camel, member } from "./names.ts";
import { readPart, type CallId } from "./parts.ts";
import { joinTurns } from "./turns.ts";

const PART = [
  "functionCall",
  "functionResponse",
  "inlineData",
  "fileData",
  "thoughtSignature",
] as const;

/** `systemInstruction` as the first message, if there is one. */
export function parseSystem(body: JsonObject): Message[] {
  const value = body["systemInstruction"];
  if (value === undefined || value === null) return [];
  if (typeof value === "string")
    return [{ role: "system", parts: [{ type: "text", text: value }] }];
  const from = objectOf(value, "systemInstruction");
  const parts = partsOf(from, "systemInstruction", () => "");
  return parts.length === 0 ? [] : [{ role: "system", parts }];
}

/**
 * Reads `contents`. Answers of functions become tool messages of their own; calls without an id get one, which the
 * answers of the same name take in their order.
 */
export function parseContents(list: Json[]): Message[] {
  const waiting: { name: string; id: string }[] = [];
  let calls = 0;
  const callId: CallId = (own) => own ?? `call_${calls++}`;
  const messages = list.flatMap((value, index): Message[] => {
    const path = at("contents", index);
    const from = objectOf(value, path);
    const role = optionalString(from, path, "role") ?? "user";
    if (role !== "user" && role !== "model" && role !== "function") {
      throw invalid(at(path, "role"), '"user" or "model"');
    }
    if (role === "model") {
      const parts = partsOf(from, path, callId);
      for (const part of parts) {
        if (part.type === "toolCall") waiting.push({ name: part.name, id: part.id });
      }
      return [{ role: "assistant", parts }];
    }
    const turns: Message[] = [];
    for (const [position, value_] of (optionalList(from, path, "parts") ?? []).entries()) {
      const where = at(at(path, "parts"), position);
      const part = camel(objectOf(value_, where), PART);
      const answer = part["functionResponse"];
      const turn = isJsonObject(answer) ? "tool" : "user";
      const read = isJsonObject(answer)
        ? [resultOf(answer, at(where, "functionResponse"), waiting)]
        : readChecked(part, where, callId);
      const last = turns[turns.length - 1];
      if (last?.role === turn) last.parts.push(...read);
      else turns.push({ role: turn, parts: read });
    }
    if (turns.length === 0) throw missing(at(path, "parts"), "an array of at least one part");
    return turns;
  });
  return joinTurns(messages);
}

function partsOf(from: JsonObject, path: string, callId: CallId): Part[] {
  const list = optionalList(from, path, "parts");
  if (list === undefined) throw missing(at(path, "parts"), "an array of parts");
  return list.flatMap((value, index) => {
    const where = at(at(path, "parts"), index);
    return readChecked(camel(objectOf(value, where), PART), where, callId);
  });
}

/** A caller's part; what must be there is looked for first, since an answer's reader takes anything. */
function readChecked(part: JsonObject, path: string, callId: CallId): Part[] {
  const text = part["text"];
  if (text !== undefined && typeof text !== "string") throw invalid(at(path, "text"), "a string");
  for (const [name, needed] of [
    ["functionCall", "name"],
    ["inlineData", "data"],
    ["fileData", "fileUri"],
  ] as const) {
    const value = part[name];
    if (value === undefined) continue;
    const where = at(path, name);
    requiredText(camel(objectOf(value, where), ["fileUri", "mimeType"]), where, needed);
  }
  if (Object.keys(part).length === 0) {
    throw missing(path, "a member such as `text`, `inlineData` or `functionCall`");
  }
  return readPart(part, callId);
}

function resultOf(
  from: JsonObject,
  path: string,
  waiting: { name: string; id: string }[],
): Extract<Part, { type: "toolResult" }> {
  const name = requiredText(from, path, "name");
  const own = optionalString(from, path, "id");
  const index = waiting.findIndex((call) => (own ? call.id === own : call.name === name));
  const [call] = index < 0 ? [] : waiting.splice(index, 1);
  const { text, isError } = answerText(from["response"]);
  const media = optionalList(from, path, "parts") ?? [];
  return {
    type: "toolResult",
    callId: own ?? call?.id ?? `call_${name}`,
    name,
    parts: [
      { type: "text", text },
      ...media.flatMap((each) => (isJsonObject(each) ? readPart(camel(each, PART), () => "") : [])),
    ],
    ...(isError && { isError }),
  };
}

/** A lone text under `output`, `result` or `error` is that text; anything else is its JSON. */
function answerText(response: Json | undefined): { text: string; isError: boolean } {
  if (!isJsonObject(response)) return { text: JSON.stringify(response ?? {}), isError: false };
  const [only, ...more] = Object.keys(response);
  const value = only === undefined ? undefined : response[only];
  if (more.length === 0 && typeof value === "string") {
    if (only === "output" || only === "result") return { text: value, isError: false };
    if (only === "error") return { text: value, isError: true };
  }
  return { text: JSON.stringify(response), isError: member(response, "error") !== undefined };
}
