import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { carried } from "../carried.ts";

/** Cheap: whether a body's text could hold thinking of another family's. */
export function mayHold(text: string): boolean {
  return text.includes('"redacted_thinking"') || text.includes('"signature"');
}

/**
 * `messages` without the thinking that another family's model left there, which no model of Anthropic's takes: state that
 * says whose it is, and thinking without a proof (PROTOCOLS 23). Null where there is none.
 */
export function withoutForeign({ messages }: JsonObject): Json[] | null {
  if (!Array.isArray(messages)) return null;
  let found = false;
  const kept = messages.flatMap((message): Json[] => {
    if (!isJsonObject(message) || !Array.isArray(message["content"])) return [message];
    const content = message["content"].filter((block) => !isForeign(block));
    if (content.length === message["content"].length) return [message];
    found = true;
    return content.length === 0 ? [] : [{ ...message, content }];
  });
  return found ? kept : null;
}

function isForeign(block: Json): boolean {
  if (!isJsonObject(block)) return false;
  const { type, data, signature } = block;
  if (type === "redacted_thinking") return typeof data === "string" && carried(data) !== null;
  return type === "thinking" && signature === "";
}
