import type { ChatRequest, Part } from "../core/chat.ts";

/**
 * What callers write beside content and tools, by the name under which its loss is told: a participant's name, a
 * prompt-cache breakpoint, the citations of an earlier answer, an image's detail, a file's name, a tool's strictness, the
 * grammar of a tool that takes text, the signature of Google's that stands on a call or a text.
 */
export type Mark =
  | "name"
  | "cache_control"
  | "citations"
  | "detail"
  | "filename"
  | "strict"
  | "grammar"
  | "thought_signature";

/** Names those marks of a request that its target has no place for, results of tools included. */
export function tellLost(request: ChatRequest, lost: readonly Mark[], degraded: Set<string>): void {
  const found = new Set<Mark>();
  const look = (part: Part): void => {
    if ("cache" in part && part.cache) found.add("cache_control");
    if (part.type === "text" || part.type === "toolCall") {
      if (part.signature !== undefined) found.add("thought_signature");
    }
    if (part.type === "text" && part.citations && part.citations.length > 0) {
      found.add("citations");
    }
    if (part.type === "image" && part.detail !== undefined) found.add("detail");
    if (part.type === "file" && part.filename !== undefined) found.add("filename");
    if (part.type === "toolResult") part.parts.forEach(look);
  };
  for (const { name, parts } of request.messages) {
    if (name !== undefined) found.add("name");
    parts.forEach(look);
  }
  for (const tool of request.tools) {
    if (tool.type !== "function") continue;
    if (tool.cache) found.add("cache_control");
    if (tool.strict) found.add("strict");
    if (tool.freeform?.format?.["type"] === "grammar") found.add("grammar");
  }
  for (const mark of lost) if (found.has(mark)) degraded.add(mark);
}
