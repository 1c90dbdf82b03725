import { describe, expect, it } from "vitest";
import type { FinishReason, Part, Tool } from "../../../worker/core/chat.ts";
import type { Json, JsonObject } from "../../../worker/core/json.ts";
import { fitsSchema } from "../../../worker/routing/smart/fits.ts";
import { lessonOf, signsOf } from "../../../worker/routing/smart/signs.ts";

const WEATHER: Tool = {
  type: "function",
  name: "weather",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, days: { type: "integer" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const call = (args: string, name = "weather"): Part => ({
  type: "toolCall",
  id: "c",
  name,
  arguments: args,
});
const text = (said: string): Part => ({ type: "text", text: said });
const look = (
  parts: Part[],
  finish: FinishReason,
  more: Partial<Parameters<typeof signsOf>[0]> = {},
) => signsOf({ tools: [WEATHER], sampling: {}, ...more }, { parts, finish });

describe("what an answer's form says", () => {
  it("tells calls that a tool can take from calls that it can't", () => {
    const calls = (...args: string[]) =>
      look(
        args.map((each) => call(each)),
        "tool_calls",
      ).calls;
    expect(calls('{"city":"Bonn"}')).toBe(true);
    for (const broken of ['{"city":"Bo', "{}", "", '{"city":3}', '{"city":"Bonn","far":1}', "[]"]) {
      expect(calls('{"city":"Bonn"}', broken)).toBe(false);
    }
    expect(look([call("{}", "tides")], "tool_calls").calls).toBe(false);
    expect(look([text("Sunny.")], "stop").calls).toBeNull();
  });

  it("tells an answer that has the asked form from one that has not", () => {
    const schema = { type: "object", required: ["a"], properties: { a: { type: "number" } } };
    const asked = { responseFormat: { type: "schema" as const, name: "s", schema } };
    const form = (said: string) => look([text(said)], "stop", asked).form;
    expect([form('{"a":1}'), form('{"a":"1"}'), form('```json\n{"a":1}\n```'), form("{}")]).toEqual(
      [true, false, false, false],
    );
    expect(look([text("Hello")], "stop").form).toBeNull();
    expect(look([{ type: "refusal", text: "No." }], "stop", asked).form).toBeNull();
  });

  it("blames a cut only on who was not asked for few tokens, and the form not at all", () => {
    const cut = (maxOutputTokens?: number) =>
      look([call('{"ci')], "length", {
        sampling: maxOutputTokens === undefined ? {} : { maxOutputTokens },
      });
    expect(cut()).toEqual({ truncated: true, calls: null, form: null });
    expect(cut(4096).truncated).toBe(true);
    expect(cut(64).truncated).toBe(false);
    expect(lessonOf(cut(64))).toBeNull();
    expect(lessonOf(cut())).toEqual({ reward: 0, weight: 0.5 });
    expect(lessonOf(look([call('{"city":"Bonn"}')], "tool_calls"))?.reward).toBe(1);
  });
});

describe("the check of a schema", () => {
  const schema: JsonObject = {
    type: "object",
    properties: {
      a: { anyOf: [{ type: "null" }, { $ref: "#/$defs/word" }] },
      b: { type: "array", items: { type: ["integer", "null"] } },
      c: { enum: ["x", 1] },
    },
    required: ["a"],
    additionalProperties: false,
    $defs: { word: { type: "string" } },
  };

  it.each<[Json, boolean]>([
    [{ a: "word", b: [1, null], c: 1 }, true],
    [{ a: null }, true],
    [{ b: [] }, false],
    [{ a: 3 }, false],
    [{ a: "word", b: [1.5] }, false],
    [{ a: "word", c: "y" }, false],
    [{ a: "word", d: 1 }, false],
    [["a"], false],
  ])("says of %j %s", (value, fits) => {
    expect(fitsSchema(value, schema)).toBe(fits);
  });

  it("gives up on a schema that turns in circles or branches without end", () => {
    expect(fitsSchema({}, { $ref: "#" })).toBeNull();
    const many = { anyOf: [{ $ref: "#" }, { $ref: "#" }], type: "array", items: { $ref: "#" } };
    expect(fitsSchema([[], []], many)).toBeNull();
  });
});
