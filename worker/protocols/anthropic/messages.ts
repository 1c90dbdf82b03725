import type { CacheMark, MediaSource, Message, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { encodeText } from "../base64.ts";
import { withState } from "../carried.ts";
import {
  at,
  invalid,
  missing,
  objectOf,
  optionalBoolean,
  optionalList,
  optionalObject,
  optionalString,
  requiredObject,
  requiredString,
  requiredText,
} from "../fields.ts";

/** `system` as the first message, if there is one. */
export function parseSystem(body: JsonObject): Message[] {
  const { system } = body;
  if (system === undefined || system === null || system === "") return [];
  const parts = contentOf(system, "system");
  return parts.length === 0 ? [] : [{ role: "system", parts }];
}

/** Reads `messages`. A user turn's tool results become messages of their own, in their places. */
export function parseMessages(list: Json[]): Message[] {
  return list.flatMap((value, index): Message[] => {
    const path = at("messages", index);
    const from = objectOf(value, path);
    const role = requiredString(from, path, "role");
    if (role !== "user" && role !== "assistant" && role !== "system") {
      throw invalid(at(path, "role"), '"user" or "assistant"');
    }
    const { content } = from;
    const where = at(path, "content");
    if (content === undefined || content === null) {
      throw missing(where, "a string or an array of content blocks");
    }
    const parts = withState(contentOf(content, where));
    if (role !== "user") return [{ role, parts }];
    const turns: Message[] = [];
    for (const part of parts) {
      const turn = part.type === "toolResult" ? "tool" : "user";
      const last = turns[turns.length - 1];
      if (last?.role === turn) last.parts.push(part);
      else turns.push({ role: turn, parts: [part] });
    }
    return turns.length > 0 ? turns : [{ role, parts }];
  });
}

function contentOf(content: Json, path: string): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) throw invalid(path, "a string or an array of content blocks");
  return content.map((value, index) => blockOf(objectOf(value, at(path, index)), at(path, index)));
}

function blockOf(block: JsonObject, path: string): Part {
  const type = requiredText(block, path, "type");
  const mark = optionalObject(block, path, "cache_control");
  const cache: { cache?: CacheMark } = mark === undefined ? {} : { cache: mark };
  switch (type) {
    case "text": {
      const text = requiredString(block, path, "text");
      const citations = optionalList(block, path, "citations");
      return citations && citations.length > 0
        ? { type: "text", text, citations, ...cache }
        : { type: "text", text, ...cache };
    }
    case "image": {
      const source = mediaOf(requiredObject(block, path, "source"), at(path, "source"));
      if (source === undefined || block["transformations"]) return native(block);
      return { type: "image", source, ...cache };
    }
    case "document":
      return documentOf(block, path, cache);
    case "tool_use": {
      const input = block["input"];
      if (input === undefined) throw missing(at(path, "input"), "an object");
      return {
        type: "toolCall",
        id: requiredText(block, path, "id"),
        name: requiredText(block, path, "name"),
        arguments: JSON.stringify(input),
        ...cache,
      };
    }
    case "tool_result": {
      const { content } = block;
      const isError = optionalBoolean(block, path, "is_error");
      return {
        type: "toolResult",
        callId: requiredText(block, path, "tool_use_id"),
        parts:
          content === undefined || content === null ? [] : contentOf(content, at(path, "content")),
        ...(isError && { isError }),
        ...cache,
      };
    }
    case "thinking": {
      const text = requiredString(block, path, "thinking");
      const signature = optionalString(block, path, "signature");
      return signature ? { type: "thinking", text, signature } : { type: "thinking", text };
    }
    case "redacted_thinking":
      return { type: "thinking", text: "", redacted: requiredString(block, path, "data") };
    default:
      return native(block);
  }
}

function native(value: JsonObject): Part {
  return { type: "native", dialect: "anthropic", value };
}

/** A document with citations, context or blocks of its own means more than its bytes: only its own dialect has it. */
function documentOf(block: JsonObject, path: string, cache: { cache?: CacheMark }): Part {
  const from = requiredObject(block, path, "source");
  const plain = from["type"] === "text";
  const source: MediaSource | undefined = plain
    ? {
        type: "data",
        data: encodeText(requiredString(from, at(path, "source"), "data")),
        mediaType: "text/plain",
      }
    : mediaOf(from, at(path, "source"));
  if (source === undefined || block["citations"] || block["context"]) return native(block);
  const title = optionalString(block, path, "title");
  return { type: "file", source, ...(title !== undefined && { filename: title }), ...cache };
}

function mediaOf(source: JsonObject, path: string): MediaSource | undefined {
  switch (requiredText(source, path, "type")) {
    case "base64":
      return {
        type: "data",
        data: requiredText(source, path, "data"),
        mediaType: requiredText(source, path, "media_type"),
      };
    case "url":
      return { type: "url", url: requiredText(source, path, "url") };
    case "file":
      return { type: "id", id: requiredText(source, path, "file_id") };
    default:
      return undefined;
  }
}
