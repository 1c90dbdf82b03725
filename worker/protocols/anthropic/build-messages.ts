import type { CacheMark, Message, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { decodeText } from "../base64.ts";
import { refuseKept } from "../kept.ts";
import { isTextual } from "../media.ts";
import { unsupported } from "../unsupported.ts";
import { inputOf, sourceOf } from "./blocks.ts";

/** `system` and `messages` of a Messages request. */
export interface Turns {
  system?: Json;
  messages: JsonObject[];
}

/**
 * Writes canonical messages in Anthropic's form: system text hoisted (a later one stays in its place for callers of
 * this dialect), tool results in user turns, neighbours of one role merged into one turn.
 */
export function buildMessages(
  messages: readonly Message[],
  home: boolean,
  degraded: Set<string>,
): Turns {
  const system: JsonObject[] = [];
  const turns: { role: string; content: JsonObject[] }[] = [];
  for (const [index, message] of messages.entries()) {
    const path = `messages[${index}]`;
    if (!home) refuseKept(message, path);
    const blocks = message.parts.flatMap((part) => {
      // No turn of the model may show what another maker's model drew.
      const drawn = message.role === "assistant" && part.type === "image";
      if (drawn) degraded.add("image");
      const block = drawn ? null : blockOf(part, path, degraded);
      return block ? [block] : [];
    });
    const instruction = message.role === "system" || message.role === "developer";
    if (instruction && !(home && turns.length > 0)) {
      if (turns.length > 0) degraded.add("system");
      system.push(...blocks);
      continue;
    }
    if (blocks.length === 0) continue;
    const role = instruction ? "system" : message.role === "assistant" ? "assistant" : "user";
    const last = turns[turns.length - 1];
    if (last?.role === role) last.content.push(...blocks);
    else turns.push({ role, content: blocks });
  }
  // Instructions alone are refused: they are what is asked then.
  if (turns.length === 0 && system.length > 0) {
    degraded.add("system");
    turns.push({ role: "user", content: system.splice(0) });
  }
  return {
    ...(system.length > 0 && { system: compact(system) }),
    messages: turns.map(({ role, content }) => ({ role, content: compact(content) })),
  };
}

/** One plain text as a string; anything else as its blocks. */
function compact(blocks: JsonObject[]): Json {
  const [only] = blocks;
  if (blocks.length === 1 && only?.["type"] === "text" && Object.keys(only).length === 2) {
    return only["text"] ?? "";
  }
  return blocks;
}

function cached(part: { cache?: CacheMark }): JsonObject {
  return part.cache ? { cache_control: part.cache } : {};
}

function blockOf(part: Part, path: string, degraded: Set<string>): JsonObject | null {
  switch (part.type) {
    case "text": {
      // Empty text is refused.
      if (part.text === "") return null;
      const citations = ownCitations(part.citations ?? []);
      if (citations.length < (part.citations?.length ?? 0)) degraded.add("citations");
      return {
        type: "text",
        text: part.text,
        ...(citations.length > 0 && { citations }),
        ...cached(part),
      };
    }
    case "refusal":
      return part.text === "" ? null : { type: "text", text: part.text };
    case "image":
      return { type: "image", source: sourceOf(part.source), ...cached(part) };
    case "file":
      return documentOf(part);
    case "audio":
      throw unsupported("Audio", path);
    case "toolCall":
      return {
        type: "tool_use",
        id: toolId(part.id),
        name: part.name,
        input: inputOf(part.arguments),
        ...cached(part),
      };
    case "toolResult":
      return resultOf(part, path, degraded);
    case "thinking":
      return thinkingOf(part, degraded);
    case "native": {
      if (part.dialect === "anthropic") return part.value;
      const type = part.value["type"];
      if (type === "custom") throw unsupported("A custom tool call", path);
      throw unsupported(
        `A content part of type '${typeof type === "string" ? type : "unknown"}'`,
        path,
      );
    }
  }
}

function documentOf(part: Extract<Part, { type: "file" }>): JsonObject {
  const { source, filename } = part;
  const plain = source.type === "data" && isTextual(source.mediaType);
  return {
    type: "document",
    source: plain
      ? { type: "text", media_type: "text/plain", data: decodeText(source.data) }
      : sourceOf(source),
    ...(filename !== undefined && { title: filename }),
    ...cached(part),
  };
}

function resultOf(
  part: Extract<Part, { type: "toolResult" }>,
  path: string,
  degraded: Set<string>,
): JsonObject {
  const blocks = part.parts.flatMap((each) => {
    const block = blockOf(each, path, degraded);
    return block ? [block] : [];
  });
  return {
    type: "tool_result",
    tool_use_id: toolId(part.callId),
    ...(blocks.length > 0 && { content: compact(blocks) }),
    ...(part.isError && { is_error: true }),
    ...cached(part),
  };
}

/** Thinking goes back only with its proof: unsigned it is another family's, or was cut. */
function thinkingOf(
  part: Extract<Part, { type: "thinking" }>,
  degraded: Set<string>,
): JsonObject | null {
  if (part.family !== undefined) {
    degraded.add("thinking");
    return null;
  }
  if (part.redacted !== undefined) return { type: "redacted_thinking", data: part.redacted };
  if (part.signature !== undefined) {
    return { type: "thinking", thinking: part.text, signature: part.signature };
  }
  degraded.add("thinking");
  return null;
}

/** Ids of other providers in the alphabet that Anthropic takes; the same id always becomes the same. */
function toolId(id: string): string {
  const clean = id.replace(/[^A-Za-z0-9_-]/g, "_");
  return clean === "" ? "toolu_0" : clean;
}

/** Citations that Anthropic made itself; translated ones hold nothing it could check. */
function ownCitations(citations: readonly Json[]): Json[] {
  return citations.filter((citation) => {
    const from = objectIn(citation);
    return from !== undefined && from["type"] !== "url_citation" && from["encrypted_index"] !== "";
  });
}
