import type { ChatRequest, Message } from "../core/chat.ts";
import { hash } from "./random.ts";

/** Providers keep prompts from about this length on; a shorter one has nothing to come back to. */
const WORTH_KEEPING = 1_024;
/** Of each text; what tells conversations apart stands in front. */
const LOOKED_AT = 4_096;

/**
 * What ties the requests of one conversation to one deployment, so that its prompt cache is met (PROTOCOLS 26): the
 * caller's own key or session, else what every turn repeats. Null where there is nothing worth keeping together.
 */
export function affinityOf(
  orgId: string,
  chat: ChatRequest,
  session: string | undefined,
  tokens: number,
): number | null {
  const named = ownCacheKey(chat) ?? session;
  if (named !== undefined) return hash(`${orgId}\n${named}`) >>> 0;
  if (tokens < WORTH_KEEPING) return null;
  const system = chat.messages.filter(({ role }) => role === "system" || role === "developer");
  const first = chat.messages.find(({ role }) => role === "user");
  const tools = chat.tools.map((tool) => (tool.type === "function" ? tool.name : "native"));
  const parts = [orgId, tools.join(","), ...system.map(textOf), first ? textOf(first) : ""];
  return hash(parts.join("\n")) >>> 0;
}

/** The key that the caller itself gave its conversation. */
export function ownCacheKey({ extra }: ChatRequest): string | undefined {
  const own = extra["prompt_cache_key"];
  return typeof own === "string" && own !== "" ? own : undefined;
}

function textOf({ parts }: Message): string {
  return parts
    .map((part) => (part.type === "text" ? part.text.slice(0, LOOKED_AT) : part.type))
    .join("\n");
}
