import type { ChatRequest, FilePart, ImagePart, Message, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { decodeText } from "../base64.ts";
import type { Target } from "../protocol.ts";
import { refuseKept } from "../kept.ts";
import { isTextual, urlOf } from "../media.ts";
import { unsupported } from "../unsupported.ts";
import { encodeCall, isCustomCall } from "./response.ts";

/** Writes canonical messages in OpenAI's form; what has no place there is named in `degraded`. */
export function buildMessages(
  { messages, dialect }: ChatRequest,
  target: Target,
  degraded: Set<string>,
): JsonObject[] {
  return messages.flatMap((message, index) => {
    const path = `messages[${index}]`;
    if (!dialect.startsWith("openai")) refuseKept(message, path);
    switch (message.role) {
      case "system":
      case "developer":
        return [
          { role: "system", content: contentOf(message.parts, path, degraded), ...named(message) },
        ];
      case "assistant":
        return [assistantMessage(message, target, dialect === "openai-chat", degraded)];
      default:
        return userMessages(message, path, degraded);
    }
  });
}

function named(message: Message): JsonObject {
  return message.name === undefined ? {} : { name: message.name };
}

/** Tool results first, each its own message; then the rest of the turn, media out of tool results included. */
function userMessages(message: Message, path: string, degraded: Set<string>): JsonObject[] {
  const out: JsonObject[] = [];
  const media: Part[] = [];
  const rest: Part[] = [];
  for (const part of message.parts) {
    if (part.type !== "toolResult") {
      rest.push(part);
      continue;
    }
    if (part.isError) degraded.add("tool_result.is_error");
    const text = part.parts.filter((each) => each.type === "text");
    // Tool messages hold text alone: what a tool showed follows as the user's.
    media.push(...part.parts.filter((each) => each.type !== "text"));
    out.push({ role: "tool", tool_call_id: part.callId, content: joined(text, "\n") });
  }
  const content = [...media, ...rest];
  if (content.length > 0 || out.length === 0) {
    out.push({ role: "user", content: contentOf(content, path, degraded), ...named(message) });
  }
  return out;
}

function joined(parts: readonly Part[], glue: string): string {
  return parts.map((part) => (part.type === "text" ? part.text : "")).join(glue);
}

/** Text alone as one string, which every compatible provider takes; else a list of parts. */
function contentOf(parts: readonly Part[], path: string, degraded: Set<string>): Json {
  const kept = parts
    .filter((part) => keeps(part, path, degraded))
    .map((part) => readableFile(part, degraded));
  if (kept.every((part) => part.type === "text")) return joined(kept, "\n\n");
  return kept.map((part) => contentPart(part, path));
}

/** A block of another dialect has no form here. Documents and search results are content: they are refused. */
function keeps(part: Part, path: string, degraded: Set<string>): boolean {
  if (part.type === "thinking") {
    degraded.add("thinking");
    return false;
  }
  if (part.type !== "native" || part.dialect === "openai-chat") return true;
  const type = typeof part.value["type"] === "string" ? part.value["type"] : "native";
  if (type === "document" || type === "search_result" || type === "image") {
    throw unsupported(`A content block of type '${type}' of this form`, path);
  }
  degraded.add(type);
  return false;
}

/** A document of text is text here. */
function readableFile(part: Part, degraded: Set<string>): Part {
  if (part.type !== "file" || part.source.type !== "data") return part;
  if (!isTextual(part.source.mediaType)) return part;
  if (part.filename !== undefined) degraded.add("filename");
  return { type: "text", text: decodeText(part.source.data) };
}

function contentPart(part: Part, path: string): JsonObject {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "text", text: part.text };
    case "image":
      return imagePart(part, path);
    case "audio":
      return { type: "input_audio", input_audio: { data: part.data, format: part.format } };
    case "file":
      return filePart(part, path);
    case "native":
      return part.value;
    default:
      throw unsupported(`A part of type '${part.type}' in a user turn`, path);
  }
}

function imagePart(part: ImagePart, path: string): JsonObject {
  if (part.source.type === "id") throw unsupported("An image kept at another provider", path);
  return {
    type: "image_url",
    image_url: {
      url: urlOf(part.source),
      ...(part.detail !== undefined && { detail: part.detail }),
    },
  };
}

function filePart(part: FilePart, path: string): JsonObject {
  const { source, filename } = part;
  if (source.type === "url") throw unsupported("A file that is only named by a URL", path);
  const at = source.type === "id" ? { file_id: source.id } : { file_data: urlOf(source) };
  return { type: "file", file: { ...(filename !== undefined && { filename }), ...at } };
}

function assistantMessage(
  message: Message,
  target: Target,
  home: boolean,
  degraded: Set<string>,
): JsonObject {
  let content: string | null = null;
  let refusal: string | null = null;
  let reasoning = "";
  const calls: JsonObject[] = [];
  const out: JsonObject = { role: "assistant" };
  for (const part of message.parts) {
    switch (part.type) {
      case "text":
        if (part.signature !== undefined) break;
        content = (content ?? "") + part.text;
        break;
      case "refusal":
        refusal = (refusal ?? "") + part.text;
        break;
      case "thinking":
        // Signed or hidden thinking is another family's; plain reasoning goes home where it is taken.
        if (
          part.signature === undefined &&
          part.redacted === undefined &&
          target.facts.quirks?.echoesReasoning
        ) {
          reasoning += part.text;
        } else {
          degraded.add("thinking");
        }
        break;
      case "toolCall": {
        const { freeform = false, ...call } = part;
        const args = part.arguments === "" ? "{}" : part.arguments;
        calls.push(encodeCall({ ...call, arguments: args, freeform: freeform && home }));
        break;
      }
      case "audio":
        if (part.id !== undefined) out["audio"] = { id: part.id };
        break;
      case "native":
        if (part.dialect === "openai-chat" && isCustomCall(part.value)) calls.push(part.value);
        else degraded.add(typeof part.value["type"] === "string" ? part.value["type"] : "native");
        break;
      default:
        degraded.add(part.type);
    }
  }
  if (content === null && refusal === null && calls.length === 0 && !out["audio"]) content = "";
  out["content"] = content;
  if (refusal !== null) out["refusal"] = refusal;
  // Where it is taken back it is missed behind calls, other families' among them.
  const missed = calls.length > 0 && target.facts.quirks?.echoesReasoning === true;
  if (reasoning !== "" || missed) out["reasoning_content"] = reasoning;
  if (calls.length > 0) out["tool_calls"] = calls;
  return { ...out, ...named(message) };
}
