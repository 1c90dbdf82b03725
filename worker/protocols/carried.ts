import type { ChatRequest, Part, ThinkingPart } from "../core/chat.ts";

/**
 * Signed state of one family of models on its way through a client of another (PROTOCOLS 23): clients return opaque
 * fields as they got them, so it travels there behind its family's name and is taken out again when it comes back.
 */
export type Family = "anthropic" | "anthropic-redacted" | "google" | "openai" | "plain";

/** `plain` is thinking that nobody signed: it says that no maker keeps it. */
const FORM = /^(anthropic|anthropic-redacted|google|openai|plain):/;

/** OpenAI's reasoning item as one text: the account that made it, its id and what only its maker reads. */
export function openaiState({ account, id = "", redacted = "" }: Partial<ThinkingPart>): string {
  return `${account === undefined ? "" : `${account}@`}${id}:${redacted}`;
}

/** The thinking that `openaiState` told of. */
export function readOpenaiState(text: string): ThinkingPart {
  const colon = text.indexOf(":");
  const [, account, id = ""] =
    /^(?:([0-9a-f]{14})@)?(.*)$/s.exec(text.slice(0, Math.max(0, colon))) ?? [];
  return {
    type: "thinking",
    text: "",
    redacted: text.slice(colon + 1),
    family: "openai",
    ...(id !== "" && { id }),
    ...(account !== undefined && { account }),
  };
}

/** Notes which account made a part, where only that account can read it. */
export function sealFor(part: Part, account: string): void {
  if (part.type === "thinking" && part.family === "openai") part.account = account;
}

/** The request without anything that a provider signed, and the names of what it lost. */
export function withoutState(chat: ChatRequest): { chat: ChatRequest; dropped: string[] } {
  const dropped = new Set<string>();
  const bare = (part: Part): Part[] => {
    if (part.type === "thinking" && (part.signature ?? part.redacted) !== undefined) {
      dropped.add("thinking");
      return [];
    }
    if ((part.type !== "toolCall" && part.type !== "text") || part.signature === undefined) {
      return [part];
    }
    dropped.add("thought_signature");
    const { signature: _, ...rest } = part;
    return rest.type === "text" && rest.text === "" ? [] : [rest];
  };
  const messages = chat.messages
    .map((message) => ({ ...message, parts: message.parts.flatMap(bare) }))
    .filter(({ parts }, index) => parts.length > 0 || chat.messages[index]?.parts.length === 0);
  return { chat: { ...chat, messages }, dropped: [...dropped] };
}

/** An opaque text that says whose it is. */
export function carry(family: Family, text: string): string {
  return `${family}:${text}`;
}

/** What `carry` made; null for a text that belongs to the dialect itself. */
export function carried(text: string): { family: Family; text: string } | null {
  const found = FORM.exec(text);
  if (found === null) return null;
  return { family: found[1] as Family, text: text.slice(found[0].length) };
}

/**
 * Puts signed state back where it was: Google's on the call behind it, else on a part of its own; Anthropic's on its
 * thinking. `parts` hold it as redacted thinking, the way it came from the client.
 */
export function withState(parts: readonly Part[]): Part[] {
  const out: Part[] = [];
  let pending: string | undefined;
  const settle = () => {
    if (pending !== undefined) out.push({ type: "text", text: "", signature: pending });
    pending = undefined;
  };
  for (const part of parts) {
    const state =
      part.type === "thinking" && part.redacted !== undefined ? carried(part.redacted) : null;
    if (state === null) {
      if (part.type === "toolCall" && pending !== undefined) {
        out.push({ ...part, signature: pending });
        pending = undefined;
        continue;
      }
      settle();
      out.push(part);
      continue;
    }
    settle();
    const text = part.type === "thinking" ? part.text : "";
    if (state.family === "google") pending = state.text;
    else if (state.family === "openai") out.push(readOpenaiState(state.text));
    else if (state.family === "plain") out.push({ type: "thinking", text });
    else if (state.family === "anthropic") {
      out.push({ type: "thinking", text, signature: state.text });
    } else out.push({ type: "thinking", text: "", redacted: state.text });
  }
  settle();
  return out;
}
