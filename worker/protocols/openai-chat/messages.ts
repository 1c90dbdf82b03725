import type { Message, Part } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { freeformArguments } from "../freeform.ts";
import { mediaOf, typeByName } from "../media.ts";
import { callSignature, imageParts, thinkingBlock } from "./parts.ts";
import {
  at,
  dataUrl,
  invalid,
  missing,
  objectOf,
  optionalList,
  optionalObject,
  optionalString,
  requiredObject,
  requiredString,
  requiredText,
} from "../fields.ts";

const ROLES = '"system", "developer", "user", "assistant" or "tool"';

/** Reads `messages`; deprecated function calls and their results get ids of their own. */
export function parseMessages(list: Json[]): Message[] {
  const callIds = new Map<string, string>();
  return list.map((value, index) => {
    const path = at("messages", index);
    const from = objectOf(value, path);
    const role = requiredString(from, path, "role");
    const parts = partsFor(role, from, path, callIds, index);
    const message: Message = {
      role: role === "function" ? "tool" : (role as Message["role"]),
      parts,
    };
    const name = optionalString(from, path, "name");
    if (name !== undefined && role !== "function" && role !== "tool") message.name = name;
    const cache = from["cache_control"];
    const last = parts[parts.length - 1];
    if (isJsonObject(cache) && last && !("cache" in last) && canCache(last)) {
      parts[parts.length - 1] = { ...last, cache };
    }
    return message;
  });
}

function canCache(
  part: Part,
): part is Extract<Part, { type: "text" | "image" | "file" | "toolCall" | "toolResult" }> {
  return ["text", "image", "file", "toolCall", "toolResult"].includes(part.type);
}

function partsFor(
  role: string,
  from: JsonObject,
  path: string,
  callIds: Map<string, string>,
  index: number,
): Part[] {
  switch (role) {
    case "system":
    case "developer":
    case "user":
      return contentParts(from, path);
    case "assistant":
      return assistantParts(from, path, callIds, index);
    case "tool":
      return [
        {
          type: "toolResult",
          callId: requiredString(from, path, "tool_call_id"),
          parts: contentParts(from, path),
        },
      ];
    case "function": {
      const name = requiredText(from, path, "name");
      return [
        {
          type: "toolResult",
          callId: callIds.get(name) ?? `call_${name}`,
          parts: [{ type: "text", text: optionalString(from, path, "content") ?? "" }],
        },
      ];
    }
    default:
      throw invalid(at(path, "role"), ROLES);
  }
}

/** `content` of any role, which has to be there. */
function contentParts(from: JsonObject, path: string): Part[] {
  const content = from["content"];
  const where = at(path, "content");
  if (content === undefined || content === null) {
    throw missing(where, "a string or an array of content parts");
  }
  return partsOf(content, where);
}

function partsOf(content: Json, path: string): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) throw invalid(path, "a string or an array of content parts");
  return content.map((value, index) => partOf(value, at(path, index)));
}

function partOf(value: Json, path: string): Part {
  if (typeof value === "string") return { type: "text", text: value };
  const from = objectOf(value, path);
  const part = knownPart(from, path);
  const cache = optionalObject(from, path, "cache_control");
  return cache !== undefined && canCache(part) ? { ...part, cache } : part;
}

function knownPart(from: JsonObject, path: string): Part {
  const type = requiredText(from, path, "type");
  switch (type) {
    case "text":
      return { type: "text", text: requiredString(from, path, "text") };
    case "refusal":
      return { type: "refusal", text: requiredString(from, path, "refusal") };
    case "image_url": {
      if (typeof from["image_url"] === "string") {
        return { type: "image", source: mediaOf(from["image_url"]) };
      }
      const image = requiredObject(from, path, "image_url");
      const where = at(path, "image_url");
      const source = mediaOf(requiredText(image, where, "url"));
      const detail = optionalString(image, where, "detail");
      return detail === undefined ? { type: "image", source } : { type: "image", source, detail };
    }
    case "input_audio": {
      const audio = requiredObject(from, path, "input_audio");
      const where = at(path, "input_audio");
      return {
        type: "audio",
        data: requiredText(audio, where, "data"),
        format: requiredText(audio, where, "format"),
      };
    }
    case "file":
      return filePart(requiredObject(from, path, "file"), at(path, "file"));
    default:
      return { type: "native", dialect: "openai-chat", value: from };
  }
}

function filePart(file: JsonObject, path: string): Part {
  const id = optionalString(file, path, "file_id");
  const data = optionalString(file, path, "file_data");
  const filename = optionalString(file, path, "filename");
  const named = filename === undefined ? {} : { filename };
  if (data !== undefined) {
    const mediaType = typeByName(filename ?? "") ?? "application/octet-stream";
    const bytes = dataUrl(data) ?? { data, mediaType };
    return { type: "file", source: { type: "data", ...bytes }, ...named };
  }
  if (id === undefined) throw missing(path, "`file_data` (a base64 data URL) or `file_id`");
  return { type: "file", source: { type: "id", id }, ...named };
}

function assistantParts(
  from: JsonObject,
  path: string,
  callIds: Map<string, string>,
  index: number,
): Part[] {
  const parts: Part[] = thinkingOf(from, path);
  const { content } = from;
  if (content !== undefined && content !== null && content !== "") {
    parts.push(...partsOf(content, at(path, "content")));
  }
  const refusal = optionalString(from, path, "refusal");
  if (refusal !== undefined) parts.push({ type: "refusal", text: refusal });
  parts.push(...imageParts(from["images"]));
  const audio = optionalObject(from, path, "audio");
  if (audio !== undefined) {
    parts.push({
      type: "audio",
      data: "",
      format: "",
      id: requiredText(audio, at(path, "audio"), "id"),
    });
  }
  const calls = optionalList(from, path, "tool_calls") ?? [];
  for (const [position, value] of calls.entries()) {
    parts.push(toolCall(value, at(at(path, "tool_calls"), position)));
  }
  const state = callSignature(from);
  if (state !== undefined) parts.push({ type: "text", text: "", signature: state });
  const old = optionalObject(from, path, "function_call");
  if (old !== undefined) {
    const where = at(path, "function_call");
    const name = requiredText(old, where, "name");
    const id = `call_${name}_${index}`;
    callIds.set(name, id);
    parts.push({
      type: "toolCall",
      id,
      name,
      arguments: optionalString(old, where, "arguments") ?? "",
    });
  }
  if (parts.length === 0 && content === "") parts.push({ type: "text", text: "" });
  if (parts.length === 0 && (content === undefined || content === null)) {
    throw missing(at(path, "content"), "a string or content parts, unless there are `tool_calls`");
  }
  return parts;
}

/** Signed thinking as `thinking_blocks`, else the plain `reasoning_content` (PROTOCOLS 23). */
function thinkingOf(from: JsonObject, path: string): Part[] {
  const blocks = optionalList(from, path, "thinking_blocks") ?? [];
  if (blocks.length > 0) {
    return eachOnce(blocks).map((value, index): Part => {
      const where = at(at(path, "thinking_blocks"), index);
      const block = objectOf(value, where);
      if (block["type"] === "redacted_thinking") {
        requiredString(block, where, "data");
        return thinkingBlock(block);
      }
      const text = optionalString(block, where, "thinking") ?? "";
      const signature = optionalString(block, where, "signature");
      return signature ? { type: "thinking", text, signature } : { type: "thinking", text };
    });
  }
  const text =
    optionalString(from, path, "reasoning_content") ??
    (typeof from["reasoning"] === "string" ? from["reasoning"] : undefined);
  return text ? [{ type: "thinking", text }] : [];
}

/** Who adds up the chunks of a stream may have a block twice: as it came, and among all of them at the end. */
function eachOnce(blocks: readonly Json[]): Json[] {
  const seen = new Set<string>();
  return blocks.filter((block) => {
    const text = JSON.stringify(block);
    return !seen.has(text) && seen.add(text);
  });
}

function toolCall(value: Json, path: string): Part {
  const from = objectOf(value, path);
  const type = optionalString(from, path, "type") ?? "function";
  if (type === "custom") {
    const custom = requiredObject(from, path, "custom");
    return {
      type: "toolCall",
      id: requiredString(from, path, "id"),
      name: requiredText(custom, at(path, "custom"), "name"),
      arguments: freeformArguments(custom["input"]),
      freeform: true,
    };
  }
  if (type !== "function") return { type: "native", dialect: "openai-chat", value: from };
  const named = requiredObject(from, path, "function");
  const where = at(path, "function");
  const part: Part = {
    type: "toolCall",
    id: requiredString(from, path, "id"),
    name: requiredText(named, where, "name"),
    arguments: optionalString(named, where, "arguments") ?? "",
  };
  const signature = callSignature(from);
  if (signature !== undefined) part.signature = signature;
  return part;
}
