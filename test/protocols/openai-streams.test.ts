import { describe, expect, test } from "vitest";
import type { Json } from "../../worker/core/json.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { assemble, readEvents } from "./answers.ts";

const { provider } = dialectOf("openai-chat");

type Chunk = { delta?: object; finish?: string; index?: number } | { raw: Json } | "[DONE]";

function read(...chunks: Chunk[]) {
  const events = chunks.map((chunk) => {
    if (chunk === "[DONE]") return { data: chunk };
    if ("raw" in chunk) return { data: JSON.stringify(chunk.raw) };
    const choice = {
      index: chunk.index ?? 0,
      delta: chunk.delta ?? {},
      finish_reason: chunk.finish ?? null,
    };
    return { data: JSON.stringify({ id: "1", model: "m", created: 1, choices: [choice] }) };
  });
  return assemble(readEvents(provider.parseStream(), events));
}

const call = (index: number | undefined, more: object, called: object = {}) => ({
  delta: { tool_calls: [{ ...(index !== undefined && { index }), ...more, function: called }] },
});
const parts = (...chunks: Chunk[]) =>
  read(...chunks, { finish: "tool_calls" }, "[DONE]").choices.get(0)?.parts;
const tool = (id: string, name: string, text: string) => ({
  type: "toolCall",
  id,
  name,
  arguments: text,
});

describe("tool calls", () => {
  test("interleaved by index", () => {
    expect(
      parts(
        call(0, { id: "a" }, { name: "f", arguments: '{"x"' }),
        call(1, { id: "b" }, { name: "g", arguments: "" }),
        call(0, {}, { arguments: ":1}" }),
        call(1, {}, { arguments: "{}" }),
      ),
    ).toEqual([tool("a", "f", '{"x":1}'), tool("b", "g", "{}")]);
  });

  test("whose id and name come late or again", () => {
    expect(
      parts(
        call(0, {}, { arguments: '{"a"' }),
        call(0, { id: "a" }, { arguments: ":" }),
        call(0, { id: "a" }, { name: "f", arguments: "1" }),
        call(0, { id: "", type: "function" }, { name: "", arguments: "}" }),
        call(0, { id: "a" }, { name: "f" }),
      ),
    ).toEqual([tool("a", "f", '{"a":1}')]);
  });

  test("without index, by id or one after the other", () => {
    expect(
      parts(
        call(undefined, { id: "a" }, { name: "f", arguments: "{" }),
        call(undefined, {}, { arguments: "}" }),
        call(undefined, { id: "b" }, { name: "g", arguments: "{}" }),
      ),
    ).toEqual([tool("a", "f", "{}"), tool("b", "g", "{}")]);
  });

  test("all numbered 0 by a provider that can't count", () => {
    expect(
      parts(
        call(0, { id: "a" }, { name: "f", arguments: "{}" }),
        call(0, { id: "b" }, { name: "g", arguments: "{}" }),
      ),
    ).toEqual([tool("a", "f", "{}"), tool("b", "g", "{}")]);
  });

  test("without an id get one, with arguments as an object are read, with a signature keep it", () => {
    const signed = { extra_content: { google: { thought_signature: "s" } } };
    expect(
      parts(
        call(0, {}, { name: "f", arguments: { x: 1 } }),
        call(1, { id: "b", ...signed }, { name: "g" }),
      ),
    ).toEqual([{ ...tool("b", "g", ""), signature: "s" }, tool("call_0_0", "f", '{"x":1}')]);
  });

  test("without a name are no calls", () => {
    expect(() => parts(call(0, { id: "a" }, { arguments: "{}" }))).toThrow(
      expect.objectContaining({ kind: "upstream_bad_response" }),
    );
  });

  test("of the deprecated kind are calls", () => {
    expect(
      parts(
        { delta: { function_call: { name: "f", arguments: "" } } },
        { delta: { function_call: { arguments: "{}" } } },
      ),
    ).toEqual([tool("call_0_0", "f", "{}")]);
  });
});

describe("the end", () => {
  test("is a finish reason, with or without [DONE]", () => {
    expect(read({ delta: { content: "a" }, finish: "stop" }).done).toBe(true);
    expect(read({ delta: { content: "a" }, finish: "stop" }, "[DONE]").done).toBe(true);
  });

  test("is missing when there was no finish reason, [DONE] or not", () => {
    expect(read({ delta: { content: "a" } }).done).toBe(false);
    const unfinished = /stopped without a finish reason/;
    expect(() => read({ delta: { content: "a" } }, "[DONE]")).toThrow(unfinished);
    expect(() => read("[DONE]")).toThrow(unfinished);
  });

  test("needs every choice", () => {
    const both = [{ delta: { content: "a" } }, { delta: { content: "b" }, index: 1 }] as const;
    expect(read(...both, { finish: "stop" }).done).toBe(false);
    const whole = read(...both, { finish: "stop" }, { finish: "length", index: 1 }, "[DONE]");
    expect(whole.done).toBe(true);
    expect([...whole.choices.values()]).toEqual([
      { parts: [{ type: "text", text: "a" }], finish: "stop" },
      { parts: [{ type: "text", text: "b" }], finish: "length" },
    ]);
  });

  test("repairs a finish reason that was sent empty", () => {
    const answer = read(
      call(0, { id: "a" }, { name: "f", arguments: "{}" }),
      { finish: "" },
      "[DONE]",
    );
    expect(answer).toMatchObject({ done: true });
    expect(answer.choices.get(0)?.finish).toBe("tool_calls");
  });
});

describe("usage", () => {
  const usage = (value: object, more: object = {}) => ({
    raw: {
      id: "1",
      choices: [],
      usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, ...value },
      ...more,
    } as Json,
  });

  test("the last one wins, wherever it stands", () => {
    expect(read(usage({ prompt_tokens: 1 }), usage({ prompt_tokens: 7 })).usage?.input).toBe(7);
    const told = (prompt_tokens: number) => ({ usage: { prompt_tokens, completion_tokens: 1 } });
    const beside = { raw: { id: "1", choices: [{ index: 0, delta: {}, ...told(3) }] } as Json };
    expect(read(beside).usage?.input).toBe(3);
    const groq = { raw: { id: "1", choices: [], x_groq: told(4) } as Json };
    expect(read(groq).usage?.input).toBe(4);
  });

  test("each token stands in one class, and a detail is never more than its total", () => {
    expect(
      read(
        usage({
          prompt_tokens_details: {
            cached_tokens: 4,
            cache_write_tokens: 3,
            audio_tokens: 9,
            image_tokens: 1,
          },
          completion_tokens_details: { reasoning_tokens: 2, audio_tokens: 1 },
        }),
      ).usage,
    ).toMatchObject({
      input: 0,
      cacheRead: 4,
      cacheWrite: 3,
      audioInput: 3,
      imageInput: 0,
      output: 2,
      reasoning: 2,
      audioOutput: 1,
    });
  });
});

describe("the rest", () => {
  test("an error inside the stream is a failure and no answer", () => {
    const answer = read(
      { delta: { content: "a" } },
      {
        raw: {
          error: { code: 502, message: "Upstream died" },
          choices: [{ finish_reason: "error" }],
        },
      },
    );
    expect(answer).toMatchObject({ done: false, failure: "Upstream died" });
  });

  test("junk in an event is an unusable answer", () => {
    const parser = provider.parseStream();
    expect(() => parser.push({ data: "<html>" })).toThrow(
      expect.objectContaining({ kind: "upstream_bad_response" }),
    );
  });

  test("thinking, text and thinking again keep their order", () => {
    expect(
      parts(
        { delta: { reasoning: "r1" } },
        { delta: { content: "t", reasoning_content: null } },
        { delta: { reasoning_content: "r2", content: "" } },
        { delta: { refusal: "no" } },
      ),
    ).toEqual([
      { type: "thinking", text: "r1" },
      { type: "text", text: "t" },
      { type: "thinking", text: "r2" },
      { type: "refusal", text: "no" },
    ]);
  });

  test("annotations stay with their text", () => {
    const link = { type: "url_citation", url_citation: { url: "u" } };
    expect(parts({ delta: { content: "t" } }, { delta: { annotations: [link] } })).toEqual([
      { type: "text", text: "t", citations: [link] },
    ]);
  });

  test("a whole answer that is an error or has no choices is unusable", () => {
    const bad = expect.objectContaining({ kind: "upstream_bad_response" });
    expect(() => provider.parseResponse({ error: { message: "x" } })).toThrow(bad);
    expect(() => provider.parseResponse({ choices: [] })).toThrow(bad);
    expect(() => dialectOf("anthropic").provider.parseResponse({ type: "error" })).toThrow(bad);
  });
});
