import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SseSplitter, sseText, withData } from "../../worker/protocols/sse.ts";
import type { SseBlock } from "../../worker/protocols/sse.ts";

const utf8 = new TextEncoder();

function split(chunks: Uint8Array[]): SseBlock[] {
  const splitter = new SseSplitter();
  const blocks = chunks.flatMap((chunk) => splitter.push(chunk));
  const rest = splitter.end();
  return rest ? [...blocks, rest] : blocks;
}

function whole(text: string): SseBlock[] {
  return split([utf8.encode(text)]);
}

function bytes(blocks: SseBlock[]): number[] {
  return blocks.flatMap((block) => [...block.raw]);
}

const line = fc.oneof(
  fc.constantFrom(
    "",
    "data",
    "data:",
    "data: {}",
    "data:  x",
    "event: ping",
    ": keepalive",
    "id: 1",
  ),
  fc
    .string({ unit: fc.constantFrom("a", ":", " ", "ü", "😀", '"') })
    .map((text) => `data: ${text}`),
);
const stream = fc
  .tuple(
    fc.constantFrom("", "\ufeff"),
    fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 20 }),
  )
  .map(([bom, lines]) => bom + lines.map(([text, end]) => text + end).join(""));

describe("SseSplitter", () => {
  test("a stream split at any bytes gives the same blocks, and their bytes are the input", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (text, cuts) => {
        const input = utf8.encode(text);
        const at = cuts.map((cut) => cut % (input.length + 1)).toSorted((a, b) => a - b);
        const chunks = [0, ...at].map((from, i) => input.slice(from, at[i] ?? input.length));
        const expected = split([input]);
        const got = split(chunks);
        expect(got.map(({ event, complete }) => ({ event, complete }))).toEqual(
          expected.map(({ event, complete }) => ({ event, complete })),
        );
        expect(got.map((block) => [...block.raw])).toEqual(expected.map((block) => [...block.raw]));
        expect(bytes(got)).toEqual([...input]);
        expect(split([...input].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
      }),
    );
  });

  test("reads names, several data lines, comments, a byte order mark and every line end", () => {
    expect(
      whole("\ufeffdata: a\ndata:b\n\n: hi\n\nevent: x\r\ndata:  c\r\n\r\ndata\r\rdata: d\n\n").map(
        (block) => block.event,
      ),
    ).toEqual([{ data: "a\nb" }, null, { event: "x", data: " c" }, { data: "" }, { data: "d" }]);
  });

  test("a last block without its blank line is delivered and marked", () => {
    const splitter = new SseSplitter();
    expect(splitter.push(utf8.encode("data: a\n\ndata: [DONE]\n"))).toHaveLength(1);
    expect(splitter.end()).toMatchObject({ event: { data: "[DONE]" }, complete: false });
    expect(splitter.end()).toBeNull();
  });

  test("a large block in single bytes is read in linear time", () => {
    const size = 400_000;
    const splitter = new SseSplitter();
    const piece = utf8.encode("x");
    splitter.push(utf8.encode("data: "));
    const start = process.cpuUsage();
    for (let i = 0; i < size; i++) splitter.push(piece);
    const [block] = splitter.push(utf8.encode("\n\n"));
    expect(block?.event?.data).toHaveLength(size);
    // Quadratic copying would be 80 GB. Work is measured and not time, which others may take away.
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1e6).toBeLessThan(5);
  });

  test("a block above 16 MB is refused", () => {
    const splitter = new SseSplitter();
    const megabyte = new Uint8Array(1024 * 1024).fill(120);
    for (let i = 0; i < 16; i++) splitter.push(megabyte);
    expect(() => splitter.push(megabyte)).toThrow(
      expect.objectContaining({ kind: "upstream_bad_response" }),
    );
  });
});

describe("sseText", () => {
  test("is read back as it was written", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (data) => {
        const clean = data.replace(/\r\n?/g, "\n");
        expect(whole(sseText({ event: "x", data }))).toMatchObject([
          { event: { event: "x", data: clean } },
        ]);
      }),
    );
  });
});

describe("withData", () => {
  test("changes the data of a block and nothing else", () => {
    const [block] = whole(": note\r\nevent: x\r\ndata: {}\r\nid: 7\r\n\r\n");
    const out = withData(block!.raw, block!.event!, '{"a":1}');
    expect(new TextDecoder().decode(out)).toBe(
      ': note\r\nevent: x\r\ndata: {"a":1}\r\nid: 7\r\n\r\n',
    );
  });
});
