import type { ChatRequest, Message, Part, Tool } from "../core/chat.ts";

/**
 * An estimate of a prompt's tokens out of its text, rather too low: what is refused for its length must be too long by
 * any tokenizer. Four ASCII characters or two others to a token; images, files and audio count nothing.
 */
export function estimateTokens({
  messages,
  tools,
}: Pick<ChatRequest, "messages" | "tools">): number {
  let quarters = 0;
  for (const message of messages) quarters += quartersOf(message);
  for (const tool of tools) quarters += quartersOfTool(tool);
  return Math.floor(quarters / 4);
}

/** The same of a conversation as it stood at each message: the tools, and all messages up to this one. */
export function tokensUpTo({ messages, tools }: Pick<ChatRequest, "messages" | "tools">): number[] {
  let quarters = 0;
  for (const tool of tools) quarters += quartersOfTool(tool);
  return messages.map((message) => {
    quarters += quartersOf(message);
    return Math.floor(quarters / 4);
  });
}

/** Long conversations are counted once a request, whoever asks. */
const counted = new WeakMap<Message | Tool, number>();

function quartersOf(message: Message): number {
  const known = counted.get(message);
  if (known !== undefined) return known;
  const quarters = inParts(message.parts);
  counted.set(message, quarters);
  return quarters;
}

function quartersOfTool(tool: Tool): number {
  if (tool.type !== "function") return 0;
  const known = counted.get(tool);
  if (known !== undefined) return known;
  const parameters = JSON.stringify(tool.parameters ?? {});
  const quarters = inText(tool.name) + inText(tool.description ?? "") + inText(parameters);
  counted.set(tool, quarters);
  return quarters;
}

function inParts(parts: readonly Part[]): number {
  let quarters = 0;
  for (const part of parts) {
    if (part.type === "text" || part.type === "thinking") quarters += inText(part.text);
    else if (part.type === "toolCall") quarters += inText(part.arguments);
    else if (part.type === "toolResult") quarters += inParts(part.parts);
  }
  return quarters;
}

function inText(text: string): number {
  let quarters = 0;
  for (let at = 0; at < text.length; at++) quarters += text.charCodeAt(at) < 128 ? 1 : 2;
  return quarters;
}
