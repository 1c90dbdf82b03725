import { expect, test } from "vitest";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { splitterOf } from "../../worker/protocols/framing.ts";
import { assemble } from "./answers.ts";
import { target } from "./translate.ts";

const { provider } = protocolOf("ollama");
const openai = dialectOf("openai-chat");

const LINES = [
  { thinking: "be" },
  { thinking: "cause" },
  { content: "It is" },
  { content: " so" },
  { tool_calls: [{ function: { name: "f", arguments: { x: 1 } } }] },
  { tool_calls: [{ function: { name: "g", arguments: {} } }] },
].map((message) => ({ model: "m", created_at: "2026-11-26T10:00:00.5Z", message, done: false }));
const LAST = {
  model: "m",
  created_at: "2026-11-26T10:00:01Z",
  message: { role: "assistant", content: "" },
  done: true,
  done_reason: "stop",
  prompt_eval_count: 7,
  eval_count: 9,
};

function read(lines: readonly object[], size: number) {
  const bytes = new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const splitter = splitterOf("ndjson");
  const parser = provider.parseStream();
  const events = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const block of splitter.push(bytes.subarray(at, at + size))) {
      if (block.event) events.push(...parser.push(block.event));
    }
  }
  return assemble([...events, ...parser.end()]);
}

test.each([1, 7, 100_000])("lines in pieces of %d bytes add up to the answer", (size) => {
  const answer = read([...LINES, LAST], size);
  expect(answer.done).toBe(true);
  const { parts, finish } = answer.choices.get(0)!;
  expect(parts).toMatchObject([
    { type: "thinking", text: "because" },
    { type: "text", text: "It is so" },
    { type: "toolCall", name: "f", arguments: '{"x":1}' },
    { type: "toolCall", name: "g", arguments: "{}" },
  ]);
  const ids = parts.flatMap((part) => (part.type === "toolCall" ? [part.id] : []));
  expect(new Set(ids).size).toBe(2);
  expect(finish).toBe("tool_calls");
  expect(answer.usage).toMatchObject({ input: 7, output: 9 });
});

test("without its last line a stream is cut, and a line with an error is one", () => {
  expect(read(LINES, 50).done).toBe(false);
  const parser = provider.parseStream();
  expect(parser.push({ data: '{"error":"model stopped"}' })).toMatchObject([
    { type: "failure", failure: { message: "model stopped" } },
  ]);
});

test("parameters are options, schemas a format, and what can't be is named or refused", () => {
  const build = (body: object) =>
    provider.buildRequest(
      openai.client.parseRequest({
        model: "m",
        messages: [{ role: "user", content: "hi" }],
        ...body,
      }),
      target(),
    );
  const { body, degraded } = build({
    max_tokens: 5,
    top_p: 0.5,
    response_format: {
      type: "json_schema",
      json_schema: { name: "a", schema: { type: "object" } },
    },
    tools: [{ type: "function", function: { name: "f" } }],
    tool_choice: "required",
    reasoning_effort: "none",
  });
  expect(body).toMatchObject({
    stream: false,
    options: { num_predict: 5, top_p: 0.5 },
    format: { type: "object" },
    think: false,
  });
  expect(degraded).toEqual(["tool_choice"]);
  expect(
    build({ tools: [{ type: "function", function: { name: "f" } }], tool_choice: "none" }).body,
  ).not.toHaveProperty("tools");
  const url = { type: "image_url", image_url: { url: "https://example.com/a.png" } };
  expect(() => build({ messages: [{ role: "user", content: [url] }] })).toThrow("named by a URL");
  expect(() => build({ n: 2 })).toThrow("`n` above 1");
});
