import type { ChatRequest, Message } from "../../core/chat.ts";

/** What the classifier sees of a request: one user turn, and the shape of what stands around it. */
export interface Prompt {
  text: string;
  /** Messages of the conversation up to here. */
  turns: number;
  /** Characters of all messages, this one included. */
  contextLength: number;
  tools: number;
  media: boolean;
  /** The answer has to follow a JSON schema. */
  structured: boolean;
  /** The caller asked for much thinking. */
  deep: boolean;
}

/** A prompt that is nothing but its text. */
export function plainPrompt(text: string): Prompt {
  return {
    text,
    turns: 1,
    contextLength: text.length,
    tools: 0,
    media: false,
    structured: false,
    deep: false,
  };
}

/** The user turn to judge a request by: the last one, or the first one that a conversation's home model follows. */
export function promptOf(chat: ChatRequest, turn: "first" | "last" = "last"): Prompt {
  const { messages } = chat;
  const at =
    turn === "first" ? messages.findIndex(hasUserText) : messages.findLastIndex(hasUserText);
  const seen = turn === "first" ? messages.slice(0, at + 1) : messages;
  const effort = chat.reasoning?.effort;
  return {
    text: textOf(messages[at]),
    turns: turn === "first" ? 1 : messages.length,
    contextLength: seen.reduce((sum, message) => sum + lengthOf(message), 0),
    tools: chat.tools.length,
    media: seen.some((message) =>
      message.parts.some(({ type }) => type === "image" || type === "file" || type === "audio"),
    ),
    structured: chat.responseFormat?.type === "schema",
    deep: effort === "high" || effort === "xhigh" || effort === "max",
  };
}

function hasUserText(message: Message): boolean {
  return (
    message.role === "user" &&
    message.parts.some((part) => part.type === "text" && part.text.trim() !== "")
  );
}

function textOf(message: Message | undefined): string {
  const texts = (message?.parts ?? []).flatMap((part) => (part.type === "text" ? [part.text] : []));
  return texts.length === 1 ? (texts[0] ?? "") : texts.join("\n");
}

function lengthOf(message: Message): number {
  let sum = 0;
  for (const part of message.parts) {
    if (part.type === "text" || part.type === "thinking") sum += part.text.length;
    else if (part.type === "toolCall") sum += part.arguments.length;
    else if (part.type === "toolResult") {
      for (const inner of part.parts) if (inner.type === "text") sum += inner.text.length;
    }
  }
  return sum;
}
