import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joined } from "../../worker/core/bytes.ts";
import { isFramed, splitterOf, type Framing } from "../../worker/protocols/framing.ts";

const utf8 = new TextEncoder();

/** Feeds a text in pieces; the events' data, and all bytes of the blocks in a row. */
function split(framing: Framing, text: string, cuts: readonly number[]) {
  const bytes = utf8.encode(text);
  const splitter = splitterOf(framing);
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  const blocks = [0, ...at].flatMap((from, index) =>
    splitter.push(bytes.subarray(from, at[index] ?? bytes.length)),
  );
  const last = splitter.end();
  if (last !== null) blocks.push(last);
  return {
    data: blocks.flatMap((block) => (block.event === null ? [] : [block.event.data])),
    text: new TextDecoder().decode(joined(blocks.map((block) => block.raw))),
  };
}

const values = fc.array(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()), {
  maxLength: 5,
});
const cuts = fc.array(fc.nat(), { maxLength: 20 });
const space = fc.constantFrom("", "\n", "\r\n", "  ");

describe("any cutting of the bytes gives the same events and keeps every byte", () => {
  test("lines of JSON", () => {
    fc.assert(
      fc.property(values, cuts, fc.boolean(), (list, at, ended) => {
        const lines = list.map((value) => JSON.stringify(value));
        const text = lines.join("\n") + (ended ? "\n" : "");
        expect(split("ndjson", text, at)).toEqual({ data: lines, text });
      }),
    );
  });

  test("one JSON array", () => {
    fc.assert(
      fc.property(values, cuts, space, fc.boolean(), (list, at, gap, pretty) => {
        const elements = list.map((value) => JSON.stringify(value, null, pretty ? 2 : 0));
        const text = `[${gap}${elements.join(`${gap},${gap}`)}${gap}]${gap}`;
        const got = split("json-array", text, at);
        expect(got).toEqual({ data: elements, text });
      }),
    );
  });

  test("an array that was cut yields the elements that were whole", () => {
    fc.assert(
      fc.property(values, cuts, fc.nat(), (list, at, cut) => {
        const elements = list.map((value) => JSON.stringify(value));
        const whole = `[${elements.join(",")}]`;
        const text = whole.slice(0, cut % whole.length);
        const { data } = split("json-array", text, at);
        expect(elements.slice(0, data.length)).toEqual(data);
      }),
    );
  });

  test("an object in the place of an array is an event: so come errors", () => {
    expect(split("json-array", '{"error":{"code":503}}', [3]).data).toEqual([
      '{"error":{"code":503}}',
    ]);
  });

  test("a bare object among server-sent events is one too", () => {
    const text = 'data: {"a":1}\n\n{"error":{"code":503}}';
    expect(split("sse", text, [7, 20]).data).toEqual(['{"a":1}', '{"error":{"code":503}}']);
  });
});

test("a stream is known by its content type, whatever its parameters", () => {
  expect(isFramed("sse", "text/event-stream; charset=utf-8")).toBe(true);
  expect(isFramed("sse", "application/json")).toBe(false);
  expect(isFramed("ndjson", "Application/X-NDJSON")).toBe(true);
  expect(isFramed("json-array", null)).toBe(false);
});
