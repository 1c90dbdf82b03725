import type { ChatRequest, Part } from "../core/chat.ts";

/**
 * An estimate of a prompt's tokens out of its text, rather too low: what is refused for its length must be too long by
 * any tokenizer. Four ASCII characters or two others to a token; images, files and audio count nothing.
 */
export function estimateTokens(chat: Pick<ChatRequest, "messages" | "tools">): number {
  let quarters = 0;
  const add = (text: string) => {
    for (let i = 0; i < text.length; i++) quarters += text.charCodeAt(i) < 128 ? 1 : 2;
  };
  const addParts = (parts: readonly Part[]) => {
    for (const part of parts) {
      if (part.type === "text" || part.type === "thinking") add(part.text);
      else if (part.type === "toolCall") add(part.arguments);
      else if (part.type === "toolResult") addParts(part.parts);
    }
  };
  for (const { parts } of chat.messages) addParts(parts);
  for (const tool of chat.tools) {
    if (tool.type === "function")
      add(tool.name + (tool.description ?? "") + JSON.stringify(tool.parameters ?? {}));
  }
  return Math.floor(quarters / 4);
}
