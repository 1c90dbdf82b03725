import type { Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { carried, readOpenaiState } from "../carried.ts";
import { argumentsOf, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { mediaOf, urlOf } from "../media.ts";

/** Thinking and text of a content list, in order (Mistral); anything else travels as native. */
export function contentListParts(content: Json[]): Part[] {
  return content.flatMap((value): Part[] => {
    if (typeof value === "string") return [{ type: "text", text: value }];
    const from = objectIn(value);
    if (!from) return [];
    const { type } = from;
    if (type === "thinking") return [{ type: "thinking", text: thinkingText(from["thinking"]) }];
    if (type === "text") return [{ type: "text", text: stringOf(from["text"]) ?? "" }];
    if (type === "refusal") return [{ type: "refusal", text: stringOf(from["refusal"]) ?? "" }];
    return [{ type: "native", dialect: "openai-chat", value: from }];
  });
}

function thinkingText(value: Json | undefined): string {
  if (typeof value === "string") return value;
  return objectsIn(value)
    .map((part) => stringOf(part["text"]) ?? "")
    .join("");
}

/** The plain reasoning text of a message or delta, by whichever name the provider gives it. */
export function reasoningText(from: JsonObject): string | undefined {
  return textOf(from["reasoning_content"]) ?? textOf(from["reasoning"]);
}

/** The signature of a call or of a message, as Google's compatible endpoint carries it. */
export function callSignature(from: JsonObject): string | undefined {
  return textOf(objectIn(objectIn(from["extra_content"])?.["google"])?.["thought_signature"]);
}

/** The parts of a whole answer's message. */
export function messageParts(message: JsonObject, callId: (index: number) => string): Part[] {
  const parts: Part[] = [];
  const blocks = objectsIn(message["thinking_blocks"]);
  for (const block of blocks) parts.push(thinkingBlock(block));
  const reasoning = reasoningText(message);
  if (blocks.length === 0 && reasoning !== undefined) {
    parts.push({ type: "thinking", text: reasoning });
  }
  const { content } = message;
  const annotations = Array.isArray(message["annotations"]) ? message["annotations"] : [];
  if (Array.isArray(content)) parts.push(...contentListParts(content));
  else if (textOf(content) !== undefined || annotations.length > 0) {
    parts.push({ type: "text", text: stringOf(content) ?? "" });
  }
  if (annotations.length > 0) cite(parts, annotations);
  const refusal = textOf(message["refusal"]);
  if (refusal !== undefined) parts.push({ type: "refusal", text: refusal });
  parts.push(...imageParts(message["images"]));
  const audio = objectIn(message["audio"]);
  if (audio) parts.push(audioPart(audio));
  const calls = objectsIn(message["tool_calls"]);
  for (const [index, call] of calls.entries()) parts.push(callPart(call, callId(index)));
  const state = callSignature(message);
  if (state !== undefined) parts.push({ type: "text", text: "", signature: state });
  const old = objectIn(message["function_call"]);
  if (old && calls.length === 0) {
    parts.push(callPart({ function: old }, callId(0)));
  }
  return parts;
}

function cite(parts: Part[], annotations: Json[]): void {
  const index = parts.findLastIndex((part) => part.type === "text");
  const part = parts[index];
  if (part?.type === "text") parts[index] = { ...part, citations: annotations };
}

export function thinkingBlock(block: JsonObject): Part {
  if (block["type"] === "redacted_thinking") {
    const state = carried(stringOf(block["data"]) ?? "");
    if (state?.family === "openai") return readOpenaiState(state.text);
    return { type: "thinking", text: "", redacted: stringOf(block["data"]) ?? "" };
  }
  const text = stringOf(block["thinking"]) ?? "";
  const signature = textOf(block["signature"]);
  return signature === undefined
    ? { type: "thinking", text }
    : { type: "thinking", text, signature };
}

/** Images of an answer, as routers and Google's compatible endpoint carry them. */
export function imageParts(images: Json | undefined): Part[] {
  return objectsIn(images).flatMap((each): Part[] => {
    const url = textOf(objectIn(each["image_url"])?.["url"]);
    return url === undefined ? [] : [{ type: "image", source: mediaOf(url) }];
  });
}

/** An image as it stands in `images` of an answer. */
export function encodeImage({ source }: Extract<Part, { type: "image" }>): JsonObject[] {
  if (source.type === "id") return [];
  return [{ type: "image_url", image_url: { url: urlOf(source) } }];
}

function audioPart(audio: JsonObject): Part {
  const part: Part = { type: "audio", data: stringOf(audio["data"]) ?? "", format: "" };
  const id = textOf(audio["id"]);
  if (id !== undefined) part.id = id;
  const transcript = stringOf(audio["transcript"]);
  if (transcript !== undefined) part.transcript = transcript;
  return part;
}

function callPart(call: JsonObject, fallbackId: string): Part {
  const type = textOf(call["type"]) ?? "function";
  if (type !== "function") return { type: "native", dialect: "openai-chat", value: call };
  const named = objectIn(call["function"]) ?? {};
  const part: Part = {
    type: "toolCall",
    id: textOf(call["id"]) ?? fallbackId,
    name: stringOf(named["name"]) ?? "",
    arguments: argumentsOf(named["arguments"]),
  };
  const signature = callSignature(call);
  if (signature !== undefined) part.signature = signature;
  return part;
}
