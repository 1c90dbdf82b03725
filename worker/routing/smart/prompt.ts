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

/** Places of the user turns that say something; empty where there is none. */
export function userTurns({ messages }: Pick<ChatRequest, "messages">): number[] {
  return messages.flatMap((message, at) => (hasUserText(message) ? [at] : []));
}

/**
 * One user turn of a conversation with what stood before it, and nothing of what came after: so it reads the same
 * however often the conversation is sent again. Without `at` the last one.
 */
export function promptOf(chat: ChatRequest, at: number = lastTurn(chat)): Prompt {
  const seen = chat.messages.slice(0, at + 1);
  const message = chat.messages[at];
  const effort = chat.reasoning?.effort;
  return {
    text: message?.role === "user" ? textOf(message) : "",
    turns: seen.length,
    contextLength: seen.reduce((sum, message) => sum + lengthOf(message), 0),
    tools: chat.tools.length,
    media: seen.some((message) =>
      message.parts.some(({ type }) => type === "image" || type === "file" || type === "audio"),
    ),
    structured: chat.responseFormat?.type === "schema",
    deep: effort === "high" || effort === "xhigh" || effort === "max",
  };
}

/** The user turn that a request asks with: the last with words, else (a picture alone) the last message there is. */
export function lastTurn(chat: Pick<ChatRequest, "messages">): number {
  return userTurns(chat).at(-1) ?? chat.messages.length - 1;
}

function hasUserText(message: Message): boolean {
  return (
    message.role === "user" &&
    message.parts.some((part) => part.type === "text" && part.text.trim() !== "")
  );
}

function textOf({ parts }: Message): string {
  const texts = parts.flatMap((part) => (part.type === "text" ? [part.text] : []));
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
