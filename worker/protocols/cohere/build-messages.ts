import type { Message, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { decodeText } from "../base64.ts";
import { isTextual } from "../media.ts";
import { unsupported } from "../unsupported.ts";

/** Writes canonical messages in Cohere's form; what has no place there is named in `degraded`. */
export function buildMessages(messages: readonly Message[], degraded: Set<string>): JsonObject[] {
  return messages.flatMap((message, index) => {
    const path = `messages[${index}]`;
    if (message.role === "assistant") return [assistantMessage(message.parts, degraded)];
    const out: JsonObject[] = [];
    const rest: Part[] = [];
    for (const part of message.parts) {
      if (part.type !== "toolResult") {
        rest.push(part);
        continue;
      }
      if (part.isError) degraded.add("tool_result.is_error");
      const text = part.parts.map((each) => (each.type === "text" ? each.text : "")).join("\n");
      // What a tool showed follows as the user's.
      rest.push(...part.parts.filter((each) => each.type !== "text"));
      out.push({ role: "tool", tool_call_id: part.callId, content: text });
    }
    if (rest.length === 0 && out.length > 0) return out;
    const instructs = message.role === "system" || message.role === "developer";
    const content = contentOf(rest, path, degraded);
    return [...out, { role: instructs ? "system" : "user", content }];
  });
}

function contentOf(parts: readonly Part[], path: string, degraded: Set<string>): Json {
  const content = parts.flatMap((part) => contentPart(part, path, degraded));
  const texts = content.map((part) => (part["type"] === "text" ? part["text"] : null));
  if (texts.every((text) => typeof text === "string")) return texts.join("\n\n");
  return content;
}

function contentPart(part: Part, path: string, degraded: Set<string>): JsonObject[] {
  switch (part.type) {
    case "text":
    case "refusal":
      return [{ type: "text", text: part.text }];
    case "image": {
      const { source, detail } = part;
      if (source.type === "id") throw unsupported("An image kept at another provider", path);
      const url =
        source.type === "url" ? source.url : `data:${source.mediaType};base64,${source.data}`;
      return [{ type: "image_url", image_url: { url, ...(detail && { detail }) } }];
    }
    case "file":
      if (part.source.type === "data" && isTextual(part.source.mediaType)) {
        return [{ type: "text", text: decodeText(part.source.data) }];
      }
      throw unsupported("A file", path);
    case "audio":
      throw unsupported("Audio", path);
    case "thinking":
      degraded.add("thinking");
      return [];
    case "native": {
      if (part.dialect === "cohere") return [part.value];
      const type = part.value["type"];
      const named = typeof type === "string" ? type : "unknown";
      throw unsupported(`A content part of type '${named}'`, path);
    }
    default:
      throw unsupported(`A part of type '${part.type}' in a user turn`, path);
  }
}

/** Text beside calls is the plan for them. Only its own thinking, which is never signed, goes back. */
function assistantMessage(parts: readonly Part[], degraded: Set<string>): JsonObject {
  const calls: JsonObject[] = [];
  const content: JsonObject[] = [];
  let text = "";
  for (const part of parts) {
    if (part.type === "toolCall") {
      const { id, name } = part;
      const args = part.arguments === "" ? "{}" : part.arguments;
      calls.push({ id, type: "function", function: { name, arguments: args } });
    } else if (part.type === "text" || part.type === "refusal") text += part.text;
    else if (part.type === "thinking" && isPlain(part)) {
      content.push({ type: "thinking", thinking: part.text });
    } else degraded.add(part.type === "native" ? "content" : part.type);
  }
  if (calls.length > 0) {
    return {
      role: "assistant",
      ...(content.length > 0 && { content }),
      ...(text !== "" && { tool_plan: text }),
      tool_calls: calls,
    };
  }
  if (content.length === 0) return { role: "assistant", content: text };
  return { role: "assistant", content: [...content, { type: "text", text }] };
}

function isPlain(part: Extract<Part, { type: "thinking" }>): boolean {
  return part.signature === undefined && part.redacted === undefined && part.text !== "";
}
