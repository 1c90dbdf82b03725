import type { Chosen } from "../core/call.ts";
import type { Part } from "../core/chat.ts";
import type { Isolate } from "../core/isolate.ts";
import { isJsonObject, scanJson, spliceJson, type Json } from "../core/json.ts";
import { carried } from "../protocols/carried.ts";
import { hash } from "../routing/random.ts";

/** Pieces of encrypted reasoning whose maker an isolate remembers. */
const MOST = 4096;

/** Remembers which account made a piece of encrypted reasoning that leaves unmarked; a digest, never the piece. */
export function noteMaker(
  { stateMakers }: Pick<Isolate, "stateMakers">,
  part: Part,
  account: string,
): void {
  if (part.type !== "thinking" || part.family !== "openai" || part.redacted === undefined) return;
  stateMakers.set(digestOf(part.redacted), account);
  const [oldest] = stateMakers.keys();
  if (stateMakers.size > MOST && oldest !== undefined) stateMakers.delete(oldest);
}

type Sent = Pick<Chosen, "text" | "scan" | "body">;

/**
 * A Responses request as it may go to an account unchanged but for reasoning that another one made (PROTOCOLS 23): items
 * whose maker is known and is another one are left out, and so are those of an unknown maker where there could have been
 * several. `lost` says whether any was.
 */
export function forAccount(
  { text, scan, body }: Sent,
  account: string,
  { stateMakers }: Pick<Isolate, "stateMakers">,
  possible: ReadonlySet<string>,
): Sent & { lost: boolean } {
  const { input } = body;
  const readable = (item: Json): boolean => {
    if (!isJsonObject(item) || item["type"] !== "reasoning") return true;
    const state = item["encrypted_content"];
    if (typeof state !== "string") return true;
    if (carried(state) !== null) return false;
    const maker = stateMakers.get(digestOf(state));
    return maker === undefined ? possible.size <= 1 : maker === account;
  };
  const kept = Array.isArray(input) ? input.filter(readable) : undefined;
  if (kept === undefined || !Array.isArray(input) || kept.length === input.length) {
    return { text, scan, body, lost: false };
  }
  const without = spliceJson(text, scan.members, { input: JSON.stringify(kept) }, new Set());
  return { text: without, scan: scanJson(without), body: { ...body, input: kept }, lost: true };
}

function digestOf(state: string): string {
  return `${hash(state).toString(36)}.${hash(state, 1).toString(36)}`;
}
