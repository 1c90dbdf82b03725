import type { ChatRequest, Part, Tool, ToolChoice } from "../core/chat.ts";
import type { NameRule } from "../protocols/protocol.ts";
import { hash } from "../routing/random.ts";

/** A request whose tools have names that its target takes, and what each was called before. */
export interface Renamed {
  chat: ChatRequest;
  before: ReadonlyMap<string, string>;
}

/**
 * Gives tools other names where a target would refuse theirs: callers of other dialects may use longer ones, and other
 * signs. The same name always becomes the same, wherever it stands. Null where all are fine.
 */
export function renamed(chat: ChatRequest, { most, strange }: NameRule): Renamed | null {
  const fits = (name: string) => name.length <= most && name.search(strange) < 0;
  if (namesIn(chat).every(fits)) return null;
  const before = new Map<string, string>();
  const rename = (name: string): string => {
    if (fits(name)) return name;
    const tail = `_${hash(name).toString(36)}`;
    const other = name.replace(strange, "_").slice(0, most - tail.length) + tail;
    before.set(other, name);
    return other;
  };
  const inParts = (parts: readonly Part[]): Part[] =>
    parts.map((part) => {
      if (part.type === "toolCall") return { ...part, name: rename(part.name) };
      if (part.type !== "toolResult" || part.name === undefined) return part;
      return { ...part, name: rename(part.name) };
    });
  const tools = chat.tools.map((tool): Tool =>
    tool.type === "function" ? { ...tool, name: rename(tool.name) } : tool,
  );
  const messages = chat.messages.map((message) => ({ ...message, parts: inParts(message.parts) }));
  const choice = chat.toolChoice;
  const toolChoice: ToolChoice | undefined =
    choice?.type === "function" ? { ...choice, name: rename(choice.name) } : choice;
  return { chat: { ...chat, tools, messages, ...(toolChoice && { toolChoice }) }, before };
}

function namesIn({ tools, messages }: ChatRequest): string[] {
  return [
    ...tools.flatMap((tool) => (tool.type === "function" ? [tool.name] : [])),
    ...messages.flatMap(({ parts }) =>
      parts.flatMap((part) => (part.type === "toolCall" ? [part.name] : [])),
    ),
  ];
}
