import type { Json } from "../core/json.ts";

/**
 * Members of `extra`, of any dialect, that only spell out what the canonical form says as well, or ask for what every
 * target does anyway: not written to another dialect's target, and nothing is lost with them.
 */
export const SPELLINGS: ReadonlySet<string> = new Set([
  "max_tokens",
  "max_completion_tokens",
  "thinking",
  "stream_options",
  "reasoning",
  "include",
]);

/**
 * Whether a member of another dialect is told as lost: it says more than the canonical form does, and asks for something
 * else than every target does anyway.
 */
export function isLost(name: string, value: Json | undefined): boolean {
  if (SPELLINGS.has(name)) return false;
  if (name === "store") return value !== false;
  if (name === "service_tier") return value !== "auto" && value !== "default";
  return name !== "modalities" || JSON.stringify(value) !== '["text"]';
}
