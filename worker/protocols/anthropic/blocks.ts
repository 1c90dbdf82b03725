import type { MediaSource, Part } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { carry, openaiState } from "../carried.ts";
import { objectIn, stringOf, textOf } from "../answers.ts";
import { parsed } from "../fields.ts";
import { JSON_TOOL } from "../json-tool.ts";

/** A block of an answer as a part; every kind that the canonical form does not name is native. */
export function readBlock(block: JsonObject): Part {
  switch (block["type"]) {
    case "text": {
      const text = stringOf(block["text"]) ?? "";
      const { citations } = block;
      return Array.isArray(citations) ? { type: "text", text, citations } : { type: "text", text };
    }
    case "thinking": {
      const text = stringOf(block["thinking"]) ?? "";
      const signature = textOf(block["signature"]);
      return signature === undefined
        ? { type: "thinking", text }
        : { type: "thinking", text, signature };
    }
    case "redacted_thinking":
      return { type: "thinking", text: "", redacted: stringOf(block["data"]) ?? "" };
    case "tool_use": {
      const name = stringOf(block["name"]) ?? "";
      const input = block["input"] ?? {};
      // The tool that stands in for a JSON mode: its arguments are the answer's text.
      if (name === JSON_TOOL) return { type: "text", text: JSON.stringify(input) };
      return {
        type: "toolCall",
        id: stringOf(block["id"]) ?? "",
        name,
        arguments: JSON.stringify(input),
      };
    }
    default:
      return { type: "native", dialect: "anthropic", value: block };
  }
}

/**
 * Arguments as the object that Anthropic demands. Text that is none is wrapped the way its documentation tells to,
 * so that nothing is lost and nobody takes it for arguments.
 */
export function inputOf(text: string): JsonObject {
  if (text.trim() === "") return {};
  const value = parsed(text);
  return isJsonObject(value) ? value : { INVALID_JSON: text };
}

/** A part of an answer as blocks; none for what Anthropic clients have no form for. */
export function writeBlocks(part: Part): JsonObject[] {
  const state = stateBlock(part);
  const block = writeBlock(part);
  return [...(state ? [state] : []), ...(block ? [block] : [])];
}

/** Signed state that only another family reads, in the block that clients return untouched (PROTOCOLS 23). */
export function stateBlock(part: Part): JsonObject | null {
  const state =
    part.type === "text" || part.type === "toolCall"
      ? part.signature && carry("google", part.signature)
      : part.type === "thinking" && part.family === "openai" && part.redacted !== undefined
        ? carry("openai", openaiState(part))
        : undefined;
  return state ? { type: "redacted_thinking", data: state } : null;
}

function writeBlock(part: Part): JsonObject | null {
  switch (part.type) {
    case "text":
      if (part.signature !== undefined) return null;
      return {
        type: "text",
        text: part.text,
        ...(part.citations && {
          citations: part.citations.map((each) => citationOf(each, part.text)),
        }),
      };
    case "refusal":
      return { type: "text", text: part.text };
    case "thinking":
      if (part.family === "openai") {
        return part.text === "" ? null : { type: "thinking", thinking: part.text, signature: "" };
      }
      return part.redacted === undefined
        ? { type: "thinking", thinking: part.text, signature: part.signature ?? "" }
        : { type: "redacted_thinking", data: part.redacted };
    case "toolCall":
      return { type: "tool_use", id: part.id, name: part.name, input: inputOf(part.arguments) };
    case "image":
      return { type: "image", source: sourceOf(part.source) };
    case "audio":
      return part.transcript === undefined ? null : { type: "text", text: part.transcript };
    case "native":
      return part.dialect === "anthropic" ? part.value : null;
    default:
      return null;
  }
}

/** A citation as Anthropic clients read it; OpenAI's URL citations as found pages. */
export function citationOf(citation: Json, text: string): Json {
  const from = objectIn(citation);
  if (from?.["type"] !== "url_citation") return citation;
  const named = objectIn(from["url_citation"]) ?? from;
  const start = typeof named["start_index"] === "number" ? named["start_index"] : 0;
  const end = typeof named["end_index"] === "number" ? named["end_index"] : 0;
  return {
    type: "web_search_result_location",
    url: stringOf(named["url"]) ?? "",
    title: stringOf(named["title"]) ?? null,
    cited_text: text.slice(start, end),
    encrypted_index: "",
  };
}

export function sourceOf(source: MediaSource): JsonObject {
  switch (source.type) {
    case "url":
      return { type: "url", url: source.url };
    case "id":
      return { type: "file", file_id: source.id };
    case "data":
      return { type: "base64", media_type: source.mediaType, data: source.data };
  }
}
