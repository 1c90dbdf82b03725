import fc from "fast-check";
import type { Message, Part } from "../../worker/core/chat.ts";
import type { Json, JsonObject } from "../../worker/core/json.ts";
import type { TokenUsage } from "../../worker/core/usage.ts";

export const text = fc.oneof(
  fc.string({ unit: "binary", minLength: 1 }),
  fc.string({
    unit: fc.constantFrom("\ud83d", "\ude00", "\n", '"', "\\", "data:", "é"),
    minLength: 1,
  }),
);
export const name = fc.stringMatching(/^[a-z_]{1,12}$/);
/** Without backslashes in names, which V8 14.6 may read wrongly (see the test of `scanJson`). */
export const object = fc
  .dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4, noNullPrototype: true })
  .filter((value) => !JSON.stringify(value).includes("\\\\"))
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
export const tokens = fc.nat(1_000_000);

export const thinking: fc.Arbitrary<Part> = fc.oneof(
  text.map((value): Part => ({ type: "thinking", text: value })),
  fc
    .tuple(text, name)
    .map(([value, signature]): Part => ({ type: "thinking", text: value, signature })),
  name.map((redacted): Part => ({ type: "thinking", text: "", redacted })),
);
export const said: fc.Arbitrary<Part> = text.map((value) => ({ type: "text", text: value }));
export const call: fc.Arbitrary<Part> = fc
  .tuple(fc.uuid(), name, object)
  .map(([id, called, input]) => ({
    type: "toolCall",
    id: `call_${id}`,
    name: called,
    arguments: JSON.stringify(input),
  }));

export const usage: fc.Arbitrary<TokenUsage> = fc.record({
  input: tokens,
  cacheRead: tokens,
  cacheWrite: tokens,
  cacheWriteLong: fc.constant(0),
  output: tokens,
  reasoning: tokens,
  audioInput: fc.constant(0),
  audioOutput: fc.constant(0),
  imageInput: fc.constant(0),
  estimated: fc.constant(false),
});

/** Neighbours of one role are one turn: what they say in a row is what counts. */
export function spoken(messages: readonly Message[]): Json[] {
  const out: { role: string; parts: Part[] }[] = [];
  for (const { role, parts } of messages) {
    const said = role === "tool" ? "user" : role;
    const last = out[out.length - 1];
    if (last?.role === said) last.parts.push(...parts);
    else out.push({ role: said, parts: [...parts] });
  }
  return out as unknown as Json[];
}
