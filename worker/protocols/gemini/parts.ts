import type { Part, ThinkingPart } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { objectIn, stringOf, textOf } from "../answers.ts";
import { decodeText, encodeText } from "../base64.ts";
import { carried, carry, openaiState, readOpenaiState } from "../carried.ts";
import { parsed } from "../fields.ts";
import { JSON_TOOL } from "../json-tool.ts";
import { audioType, mediaPart, typeByName } from "../media.ts";
import { member, wireId } from "./names.ts";

/** Where a call gets an id that Google gave it none. */
export type CallId = (own: string | undefined) => string;

/**
 * A part of an answer or of a model's turn. A signature stands on what it was found on where that is a call, else on
 * an empty text behind it, so that it goes back to Google in its place.
 */
export function readPart(from: JsonObject, callId: CallId): Part[] {
  const signature = textOf(member(from, "thoughtSignature"));
  const call = objectIn(member(from, "functionCall"));
  if (call?.["name"] === JSON_TOOL) {
    // The tool that stands in for a JSON answer: its arguments are the answer's text.
    return [{ type: "text", text: JSON.stringify(call["args"] ?? {}) }, ...signed(signature)];
  }
  const text = stringOf(from["text"]);
  const state = signature === undefined ? null : foreignState(signature);
  if (from["thought"] === true) {
    const shown = { type: "thinking", text: text ?? "" } as const;
    if (state?.redacted === undefined) {
      return state ? [{ ...state, ...shown }] : [shown, ...signed(signature)];
    }
    return shown.text === "" ? [state] : [shown, state];
  }
  if (state) {
    // It stands on what came behind the thinking (see the stream's encoder).
    const { thoughtSignature: _, thought_signature: __, ...rest } = from;
    return [state, ...readPart(rest, callId)];
  }
  if (call) return [{ ...callOf(call, callId), ...(signature !== undefined && { signature }) }];
  if (text !== undefined) {
    if (text === "" && signature !== undefined) return signed(signature);
    return [{ type: "text", text }, ...signed(signature)];
  }
  const inline = objectIn(member(from, "inlineData"));
  if (inline) {
    const mediaType = stringOf(member(inline, "mimeType")) ?? "application/octet-stream";
    const source = { type: "data", data: stringOf(inline["data"]) ?? "", mediaType } as const;
    const name = textOf(member(inline, "displayName"));
    return [mediaPart(source, mediaType, name), ...signed(signature)];
  }
  const file = objectIn(member(from, "fileData"));
  if (file) {
    const url = stringOf(member(file, "fileUri")) ?? "";
    const mediaType = textOf(member(file, "mimeType")) ?? typeByName(url);
    return [mediaPart({ type: "url", url }, mediaType)];
  }
  return [{ type: "native", dialect: "gemini", value: from }];
}

/** The thinking that another family signed; null for a signature of Google's own. */
function foreignState(signature: string): ThinkingPart | null {
  const state = carried(decodeText(signature));
  if (state?.family === "anthropic") return { type: "thinking", text: "", signature: state.text };
  if (state?.family === "anthropic-redacted") {
    return { type: "thinking", text: "", redacted: state.text };
  }
  return state?.family === "openai" ? readOpenaiState(state.text) : null;
}

function signed(signature: string | undefined): Part[] {
  return signature === undefined ? [] : [{ type: "text", text: "", signature }];
}

function callOf(call: JsonObject, callId: CallId): Extract<Part, { type: "toolCall" }> {
  return {
    type: "toolCall",
    id: callId(textOf(call["id"])),
    name: stringOf(call["name"]) ?? "",
    arguments: JSON.stringify(call["args"] ?? {}),
  };
}

/** A part of an answer as Google's clients read it; null for what they have no form for. */
export function writePart(part: Part): JsonObject | null {
  switch (part.type) {
    case "text":
      if (part.signature !== undefined) return { text: "", thoughtSignature: part.signature };
      return { text: part.text };
    case "refusal":
      return { text: part.text };
    case "thinking":
      return thinkingPart(part);
    case "toolCall":
      return {
        functionCall: { id: wireId(part.id), name: part.name, args: argsOf(part.arguments) },
        ...(part.signature !== undefined && { thoughtSignature: part.signature }),
      };
    case "image":
      if (part.source.type === "data") {
        return { inlineData: { mimeType: part.source.mediaType, data: part.source.data } };
      }
      return part.source.type === "url" ? { fileData: { fileUri: part.source.url } } : null;
    case "audio":
      if (part.data === "") return part.transcript ? { text: part.transcript } : null;
      return { inlineData: { mimeType: audioType(part.format), data: part.data } };
    case "native":
      return part.dialect === "gemini" ? part.value : null;
    default:
      return null;
  }
}

/** Thinking, with another family's proof where Google's clients return it untouched. */
function thinkingPart(part: ThinkingPart): JsonObject {
  const thoughtSignature = proofOf(part);
  return {
    text: part.text,
    thought: true,
    ...(thoughtSignature !== undefined && { thoughtSignature }),
  };
}

/** What proves thinking to the family that did it, as a thought signature; undefined where it needs no proof. */
export function proofOf(part: ThinkingPart): string | undefined {
  if (part.redacted !== undefined) {
    const state =
      part.family === "openai"
        ? carry("openai", openaiState(part))
        : carry("anthropic-redacted", part.redacted);
    return encodeText(state);
  }
  return part.signature === undefined ? undefined : encodeText(carry("anthropic", part.signature));
}

/** Arguments as the object that Google demands; text that is none is kept whole under a name that says so. */
export function argsOf(text: string): JsonObject {
  if (text.trim() === "") return {};
  return objectIn(parsed(text)) ?? { INVALID_JSON: text };
}
