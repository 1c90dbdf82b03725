import type { ChatRequest, Part } from "../../core/chat.ts";
import { FNV_START, step } from "./words.ts";

/** Characters of a long part that are looked at, at each of its ends; its length counts besides. */
const LOOKED_AT = 2_048;

/**
 * The same number for the same request of the same conversation, tool results included: who asks it again did not like
 * the answer. Null where nothing tells that from another's question: a first turn alone, of nobody in particular, is what
 * monitors, batches and many users of one key send again and again. `asker` = the end user or session, if one is named.
 */
export function turnOf({ messages }: Pick<ChatRequest, "messages">, asker: string | null) {
  if (asker === null && !messages.some(({ role }) => role === "assistant")) return null;
  const print = new Print();
  print.text(asker ?? "");
  for (const { role, parts } of messages) {
    print.text(role);
    addParts(print, parts);
  }
  return print.number();
}

function addParts(print: Print, parts: readonly Part[]): void {
  for (const part of parts) {
    print.text(part.type);
    if (part.type === "text" || part.type === "thinking") print.text(part.text);
    else if (part.type === "toolCall") print.text(part.arguments);
    else if (part.type === "toolResult") addParts(print, part.parts);
    else if (part.type === "audio") print.text(part.data);
    else if (part.type === "image" || part.type === "file") {
      const { source } = part;
      print.text(
        source.type === "data" ? source.data : source.type === "url" ? source.url : source.id,
      );
    } else print.text(JSON.stringify(part));
  }
}

/** Two FNV-1a sums over the same texts: 53 bits. */
class Print {
  #high = FNV_START;
  #low = ~FNV_START;

  text(text: string): void {
    this.#add(text.length);
    const whole = text.length <= 2 * LOOKED_AT;
    const first = whole ? text.length : LOOKED_AT;
    for (let at = 0; at < first; at++) this.#add(text.charCodeAt(at));
    if (whole) return;
    for (let at = text.length - LOOKED_AT; at < text.length; at++) this.#add(text.charCodeAt(at));
  }

  number(): number {
    return (this.#high >>> 0) * 2 ** 21 + (this.#low >>> 11);
  }

  #add(code: number): void {
    this.#high = step(this.#high, code);
    this.#low = step(this.#low, code);
  }
}
