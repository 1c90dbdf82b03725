import { describe, expect, test } from "vitest";
import type { ChatEvent } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { assemble, CONTEXT, encoded, readEvents, sseEvents } from "./answers.ts";

const { provider, client } = dialectOf("anthropic");
const openai = dialectOf("openai-chat");

const START: JsonObject = {
  type: "message_start",
  message: {
    id: "msg_1",
    model: "m",
    usage: { input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 1 },
  },
};
const STOP: JsonObject = { type: "message_stop" };
const block = (index: number, content_block: JsonObject): JsonObject => ({
  type: "content_block_start",
  index,
  content_block,
});
const delta = (index: number, more: JsonObject): JsonObject => ({
  type: "content_block_delta",
  index,
  delta: more,
});
const end = (stop_reason: string, usage: JsonObject = {}): JsonObject => ({
  type: "message_delta",
  delta: { stop_reason, stop_sequence: stop_reason === "stop_sequence" ? "X" : null },
  usage: { output_tokens: 5, ...usage },
});

function events(...list: JsonObject[]): ChatEvent[] {
  return readEvents(
    provider.parseStream(),
    list.map((event) => ({ event: event["type"] as string, data: JSON.stringify(event) })),
  );
}

describe("an Anthropic stream", () => {
  test("ends with message_stop and with nothing else", () => {
    const text = [
      START,
      block(0, { type: "text", text: "" }),
      delta(0, { type: "text_delta", text: "a" }),
    ];
    expect(assemble(events(...text)).done).toBe(false);
    expect(assemble(events(...text, end("end_turn"))).done).toBe(false);
    expect(assemble(events(...text, end("end_turn"), STOP, START, STOP)).done).toBe(true);
  });

  test("tells its usage again at the end, and the end replaces the beginning", () => {
    const { usage } = assemble(
      events(START, end("end_turn", { input_tokens: 61, cache_read_input_tokens: null }), STOP),
    );
    expect(usage).toMatchObject({ input: 61, cacheRead: 4, output: 5 });
    const kept = assemble(events(START, end("end_turn"), STOP));
    expect(kept.usage).toMatchObject({ input: 10, output: 5 });
  });

  test("counts cache writes by their time to live and thinking apart from the answer", () => {
    const usage = {
      cache_creation_input_tokens: 7,
      cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 3 },
      output_tokens: 9,
      output_tokens_details: { thinking_tokens: 6 },
    };
    expect(assemble(events(START, end("end_turn", usage), STOP)).usage).toMatchObject({
      input: 10,
      cacheWrite: 4,
      cacheWriteLong: 3,
      output: 3,
      reasoning: 6,
    });
  });

  test.each([
    ["overloaded_error", 529],
    ["rate_limit_error", 429],
    ["api_error", 500],
    ["something_new", 500],
  ])("with an error of type %s fails as status %i", (type, status) => {
    const list = events(START, { type: "error", error: { type, message: "No." } });
    expect(list.at(-1)).toEqual({ type: "failure", failure: { status, type, message: "No." } });
  });

  test("with pings, unknown events and unknown deltas goes on", () => {
    const answer = assemble(
      events(
        START,
        { type: "ping" },
        { type: "brand_new" },
        block(0, { type: "compaction", content: null }),
        delta(0, { type: "compaction_delta", content: "c" }),
        { type: "content_block_stop", index: 0 },
        end("end_turn"),
        STOP,
      ),
    );
    expect(answer.choices.get(0)?.parts).toEqual([
      {
        type: "native",
        dialect: "anthropic",
        value: {
          type: "compaction",
          content: null,
          deltas: [{ type: "compaction_delta", content: "c" }],
        },
      },
    ]);
  });

  test("with a delta for a block that never began is unusable", () => {
    expect(() => events(START, delta(0, { type: "text_delta", text: "a" }))).toThrow(
      expect.objectContaining({ kind: "upstream_bad_response" }),
    );
  });

  test("of a stand-in JSON tool reads as text", () => {
    const answer = assemble(
      events(
        START,
        block(0, { type: "tool_use", id: "t", name: "json_answer", input: {} }),
        delta(0, { type: "input_json_delta", partial_json: '{"n":2}' }),
        { type: "content_block_stop", index: 0 },
        end("tool_use"),
        STOP,
      ),
    );
    expect(answer.choices.get(0)).toEqual({
      parts: [{ type: "text", text: '{"n":2}' }],
      finish: "stop",
    });
  });
});

describe("a stop reason", () => {
  test.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["pause_turn", "stop"],
    ["refusal", "content_filter"],
    ["model_context_window_exceeded", "length"],
    ["compaction", "stop"],
    ["brand_new", "stop"],
  ])("%s reads %s to OpenAI clients and itself to Anthropic's", (reason, finish) => {
    const answer = events(START, end(reason), STOP);
    const chat = encoded(openai.client.encodeStream({ ...CONTEXT, includeUsage: false }), answer);
    expect(chat).toContain(`"finish_reason":"${finish}"`);
    expect(chat).not.toContain('"usage"');
    const home = sseEvents(
      encoded(client.encodeStream({ ...CONTEXT, includeUsage: true }), answer),
    );
    const last = home.find((event) => event.event === "message_delta")!;
    expect(JSON.parse(last.data)).toMatchObject({
      delta: { stop_reason: reason, stop_sequence: reason === "stop_sequence" ? "X" : null },
    });
  });

  test("is tool_use for Anthropic clients wherever a call was made", () => {
    const made: ChatEvent[] = [
      { type: "start", id: "1", model: "m", created: 1 },
      {
        type: "open",
        choice: 0,
        part: 0,
        value: { type: "toolCall", id: "a", name: "f", arguments: "{}" },
      },
      { type: "close", choice: 0, part: 0 },
      { type: "finish", choice: 0, reason: "stop" },
      { type: "done" },
    ];
    expect(encoded(client.encodeStream({ ...CONTEXT, includeUsage: true }), made)).toContain(
      '"stop_reason":"tool_use"',
    );
  });
});

describe("thinking that may be sent back", () => {
  test("reaches OpenAI clients whole, behind its text", () => {
    const answer = events(
      START,
      block(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "wh" }),
      delta(0, { type: "thinking_delta", thinking: "y" }),
      delta(0, { type: "signature_delta", signature: "sig" }),
      { type: "content_block_stop", index: 0 },
      end("end_turn"),
      STOP,
    );
    const chat = encoded(openai.client.encodeStream({ ...CONTEXT, includeUsage: false }), answer);
    expect(chat).toContain('{"reasoning_content":"wh"}');
    expect(chat).toContain(
      '{"thinking_blocks":[{"type":"thinking","thinking":"why","signature":"sig"}]}',
    );
  });

  test("is told once more in one piece at the end where there are several, and read and sent back once", () => {
    const thinking = (index: number, signature: string) => [
      block(index, { type: "thinking", thinking: "", signature: "" }),
      delta(index, { type: "signature_delta", signature }),
      { type: "content_block_stop", index },
    ];
    const redacted = [
      block(1, { type: "redacted_thinking", data: "dark" }),
      { type: "content_block_stop", index: 1 },
    ];
    const pieces = [...thinking(0, "one"), ...redacted, ...thinking(2, "two")];
    const answer = events(START, ...pieces, end("end_turn"), STOP);
    const chat = encoded(openai.client.encodeStream({ ...CONTEXT, includeUsage: false }), answer);
    const told = chat.match(/"thinking_blocks":\[.*?\]/g) ?? [];
    expect(told).toHaveLength(4);
    expect(told[3]).toMatch(/"one".*"dark".*"two"/);
    const read = assemble(readEvents(openai.provider.parseStream(), sseEvents(chat)));
    const proofs = [{ signature: "one" }, { redacted: "dark" }, { signature: "two" }];
    expect(read.choices.get(0)?.parts).toMatchObject(proofs);
    const summed = told.flatMap(
      (each) => (JSON.parse(`{${each}}`) as { thinking_blocks: JsonObject[] }).thinking_blocks,
    );
    const turn = { role: "assistant", content: "x", thinking_blocks: summed };
    const request = openai.client.parseRequest({ model: "a", messages: [turn] });
    expect(request.messages[0]?.parts).toMatchObject([...proofs, { text: "x" }]);
  });
});
