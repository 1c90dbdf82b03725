import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { without } from "../extensions.ts";

/**
 * Members of messages and tools that are not OpenAI's: what other makers' models wrote in an earlier turn, or read. By the
 * name under which their loss is told.
 */
const FOREIGN = {
  cache_control: "cache_control",
  thinking_blocks: "thinking",
  reasoning_content: "thinking",
  reasoning: "thinking",
  extra_content: "thought_signature",
  citations: "citations",
} as const;

export type ForeignMember = keyof typeof FOREIGN;

/** All of them, as the strictest targets refuse them. */
export const FOREIGN_MEMBERS = Object.keys(FOREIGN) as ForeignMember[];

/** Cheap: whether a body's text could hold one of the members at all. */
export function mayHold(text: string, refused: readonly ForeignMember[]): boolean {
  return refused.some((name) => text.includes(`"${name}"`));
}

/** `messages` and `tools` of a body without the members that its target refuses, as far as they hold any. */
export function withoutForeign(
  body: JsonObject,
  refused: readonly ForeignMember[],
): { changed: JsonObject; lost: string[] } {
  const gone: ReadonlySet<string> = new Set(refused);
  const found: ForeignMember[] = [];
  const bare = (value: Json, inside: readonly string[]): Json => {
    if (!isJsonObject(value)) return value;
    found.push(...refused.filter((name) => value[name] !== undefined));
    const out = without(value, gone);
    for (const name of inside) {
      const inner = out[name];
      if (Array.isArray(inner)) out[name] = inner.map((each) => bare(each, []));
      else if (isJsonObject(inner)) out[name] = bare(inner, []);
    }
    return out;
  };
  const changed: JsonObject = {};
  for (const [name, inside] of PLACES) {
    const list = body[name];
    const before = found.length;
    const all = Array.isArray(list) ? list.map((value) => bare(value, inside)) : [];
    if (found.length > before) changed[name] = all;
  }
  return { changed, lost: [...new Set(found.map((name) => FOREIGN[name]))] };
}

/** Where they stand: in each element of these, and in what it holds under these names. */
const PLACES = [
  ["messages", ["content", "tool_calls"]],
  ["tools", ["function"]],
] as const;
