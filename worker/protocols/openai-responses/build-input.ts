import type { ChatRequest, Message, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { freeformInput } from "../freeform.ts";
import { refuseKept } from "../kept.ts";
import { urlOf } from "../media.ts";
import { unsupported } from "../unsupported.ts";

/**
 * Writes canonical messages as input items for an account; what has no place there is named in `degraded`, reasoning
 * that another account made among it.
 */
export function buildInput(
  { messages, dialect }: ChatRequest,
  account: string | undefined,
  degraded: Set<string>,
): JsonObject[] {
  const freeform = new Set<string>();
  return messages.flatMap((message, index) => {
    for (const part of message.parts) {
      if (part.type === "toolCall" && part.freeform) freeform.add(part.id);
    }
    const path = `messages[${index}]`;
    if (!dialect.startsWith("openai")) refuseKept(message, path);
    if (message.role === "assistant") {
      const parts = message.parts.filter((part) => !isForeign(part, account));
      if (parts.length < message.parts.length) degraded.add("thinking");
      const items = assistantItems(parts, path, degraded);
      return dialect === "openai-responses" ? items : joinTexts(items);
    }
    return userItems(message, path, freeform, degraded);
  });
}

function isForeign(part: Part, account: string | undefined): boolean {
  return part.type === "thinking" && part.account !== undefined && part.account !== account;
}

/** Results of tools first, each an item of its own; then the rest of the turn. */
function userItems(
  message: Message,
  path: string,
  freeform: ReadonlySet<string>,
  degraded: Set<string>,
): JsonObject[] {
  const items: JsonObject[] = [];
  const rest: Part[] = [];
  for (const part of message.parts) {
    if (part.type !== "toolResult") {
      rest.push(part);
      continue;
    }
    if (part.isError) degraded.add("tool_result.is_error");
    items.push({
      type:
        part.freeform || freeform.has(part.callId)
          ? "custom_tool_call_output"
          : "function_call_output",
      call_id: part.callId,
      output: contentOf(part.parts, path, degraded),
    });
  }
  if (rest.length > 0 || items.length === 0) {
    const role = message.role === "tool" ? "user" : message.role;
    items.push({ type: "message", role, content: contentOf(rest, path, degraded) });
  }
  return items;
}

/** Text alone as one string; else a list of parts. */
function contentOf(parts: readonly Part[], path: string, degraded: Set<string>): Json {
  const content = parts.flatMap((part) => contentPart(part, path, degraded));
  const [only] = content;
  if (content.length === 0) return "";
  if (content.length === 1 && only?.["type"] === "input_text") return only["text"] ?? "";
  return content;
}

function contentPart(part: Part, path: string, degraded: Set<string>): JsonObject[] {
  switch (part.type) {
    case "text":
    case "refusal":
      return [{ type: "input_text", text: part.text }];
    case "image":
      return [imagePart(part)];
    case "file":
      return [filePart(part)];
    case "audio":
      return [{ type: "input_audio", input_audio: { data: part.data, format: part.format } }];
    case "native": {
      if (part.dialect === "openai-responses") return [part.value];
      const type = part.value["type"];
      const named = typeof type === "string" ? type : "unknown";
      throw unsupported(`A content part of type '${named}'`, path);
    }
    case "thinking":
      degraded.add("thinking");
      return [];
    default:
      throw unsupported(`A part of type '${part.type}' in a user turn`, path);
  }
}

function imagePart({ source, detail = "auto" }: Extract<Part, { type: "image" }>): JsonObject {
  const at = source.type === "id" ? { file_id: source.id } : { image_url: urlOf(source) };
  return { type: "input_image", ...at, detail };
}

function filePart({ source, filename }: Extract<Part, { type: "file" }>): JsonObject {
  switch (source.type) {
    case "url":
      return { type: "input_file", file_url: source.url };
    case "id":
      return { type: "input_file", file_id: source.id };
    case "data":
      return { type: "input_file", filename: filename ?? "file", file_data: urlOf(source) };
  }
}

/** What the model said, item by item. Reasoning goes back only with what its maker can read. */
function assistantItems(parts: readonly Part[], path: string, degraded: Set<string>): JsonObject[] {
  // What is shown of the reasoning goes nowhere; with what stands behind it nothing is lost.
  const sealed = parts.some((part) => part.type === "thinking" && part.family === "openai");
  return parts.flatMap((part): JsonObject[] => {
    switch (part.type) {
      case "text":
        if (part.signature !== undefined) return [];
        return [{ type: "message", role: "assistant", content: part.text }];
      case "refusal": {
        const content = [{ type: "refusal", refusal: part.text }];
        return [{ type: "message", role: "assistant", content }];
      }
      case "thinking":
        if (part.redacted === "" && part.id !== undefined) {
          return [{ type: "item_reference", id: part.id }];
        }
        if (part.family === "openai" && part.redacted !== undefined) {
          return [
            {
              type: "reasoning",
              ...(part.id !== undefined && { id: part.id }),
              summary: [],
              encrypted_content: part.redacted,
            },
          ];
        }
        if (!sealed || part.signature !== undefined) degraded.add("thinking");
        return [];
      case "toolCall":
        if (part.freeform) {
          const { id: call_id, name } = part;
          return [
            { type: "custom_tool_call", call_id, name, input: freeformInput(part.arguments) },
          ];
        }
        return [
          {
            type: "function_call",
            call_id: part.id,
            name: part.name,
            arguments: part.arguments === "" ? "{}" : part.arguments,
          },
        ];
      case "native":
        if (part.dialect === "openai-responses") return [part.value];
        degraded.add(typeof part.value["type"] === "string" ? part.value["type"] : "native");
        return [];
      case "audio":
        throw unsupported("Audio that the model said", path);
      default:
        degraded.add(part.type);
        return [];
    }
  });
}

/** What the model said in a row is one message, however many pieces its maker made of it (around citations, say). */
function joinTexts(items: readonly JsonObject[]): JsonObject[] {
  const out: JsonObject[] = [];
  for (const item of items) {
    const last = out[out.length - 1];
    if (typeof item["content"] === "string" && typeof last?.["content"] === "string") {
      out[out.length - 1] = { ...last, content: last["content"] + item["content"] };
    } else {
      out.push(item);
    }
  }
  return out;
}
