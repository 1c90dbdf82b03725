import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import type { ChatEvent } from "../../worker/core/chat.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { CONTEXT, encoded } from "./answers.ts";

const open = (part: number, value: Extract<ChatEvent, { type: "open" }>["value"]): ChatEvent => ({
  type: "open",
  choice: 0,
  part,
  value,
});
const close = (part: number): ChatEvent => ({ type: "close", choice: 0, part });

const EVENTS: ChatEvent[] = [
  { type: "start", id: "1", model: "m", created: 7 },
  open(0, { type: "thinking", text: "" }),
  { type: "delta", choice: 0, part: 0, delta: { type: "thinking", text: "why" } },
  { type: "delta", choice: 0, part: 0, delta: { type: "signature", signature: "sig" } },
  close(0),
  open(1, { type: "text", text: "" }),
  { type: "delta", choice: 0, part: 1, delta: { type: "text", text: "Hi 😀" } },
  close(1),
  open(2, { type: "toolCall", id: "a", name: "f", arguments: "" }),
  { type: "delta", choice: 0, part: 2, delta: { type: "arguments", text: '{"x":' } },
  open(3, { type: "toolCall", id: "b", name: "g", arguments: "{}" }),
  { type: "delta", choice: 0, part: 2, delta: { type: "arguments", text: "1}" } },
  close(2),
  close(3),
  { type: "finish", choice: 0, reason: "tool_calls" },
  {
    type: "usage",
    usage: {
      input: 10,
      cacheRead: 3,
      cacheWrite: 2,
      cacheWriteLong: 1,
      output: 5,
      reasoning: 4,
      audioInput: 0,
      audioOutput: 0,
      imageInput: 0,
      estimated: false,
    },
  },
  { type: "done" },
];

function answering(text: string): typeof fetch {
  return () =>
    Promise.resolve(new Response(text, { headers: { "content-type": "text/event-stream" } }));
}

describe("the official clients put our streams together", () => {
  test("OpenAI", async () => {
    const text = encoded(
      dialectOf("openai-chat").client.encodeStream({ ...CONTEXT, includeUsage: true }),
      EVENTS,
    );
    const client = new OpenAI({ apiKey: "k", fetch: answering(text) });
    const stream = client.chat.completions.stream({
      model: "m",
      messages: [{ role: "user", content: "hi" }],
      stream_options: { include_usage: true },
    });
    const answer = await stream.finalChatCompletion();
    expect(answer.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: {
        content: "Hi 😀",
        tool_calls: [
          { id: "a", function: { name: "f", arguments: '{"x":1}' } },
          { id: "b", function: { name: "g", arguments: "{}" } },
        ],
      },
    });
    expect(answer.usage).toMatchObject({
      prompt_tokens: 16,
      completion_tokens: 9,
      total_tokens: 25,
      prompt_tokens_details: { cached_tokens: 3 },
      completion_tokens_details: { reasoning_tokens: 4 },
    });
  });

  test("Anthropic", async () => {
    const protocol = dialectOf("anthropic").client;
    const text = encoded(protocol.encodeStream({ ...CONTEXT, includeUsage: true }), EVENTS);
    const client = new Anthropic({
      apiKey: "k",
      fetch: answering(protocol.keepAlive(CONTEXT) + text),
    });
    const stream = client.messages.stream({
      model: "m",
      max_tokens: 10,
      messages: [{ role: "user", content: "hi" }],
    });
    const answer = await stream.finalMessage();
    expect(answer.content).toMatchObject([
      { type: "thinking", thinking: "why", signature: "sig" },
      { type: "text", text: "Hi 😀" },
      { type: "tool_use", id: "a", name: "f", input: { x: 1 } },
      { type: "tool_use", id: "b", name: "g", input: {} },
    ]);
    expect(answer.stop_reason).toBe("tool_use");
    expect(answer.usage).toMatchObject({
      input_tokens: 10,
      output_tokens: 9,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 3,
    });
  });

  test("both throw our error events", async () => {
    const error = {
      status: 503,
      message: "Gone.",
      type: "upstream_error",
      code: "no_healthy_deployment",
      param: null,
      members: {},
    };
    const chat = dialectOf("openai-chat").client.encodeStreamError(error, CONTEXT, true).join("");
    const openai = new OpenAI({ apiKey: "k", fetch: answering(chat), maxRetries: 0 });
    const stream = await openai.chat.completions.create({ model: "m", messages: [], stream: true });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow("Gone.");
    const message = dialectOf("anthropic").client.encodeStreamError(error, CONTEXT, true).join("");
    const anthropic = new Anthropic({ apiKey: "k", fetch: answering(message), maxRetries: 0 });
    const events = await anthropic.messages.create({
      model: "m",
      max_tokens: 1,
      messages: [],
      stream: true,
    });
    await expect(events[Symbol.asyncIterator]().next()).rejects.toThrow("Gone.");
  });
});
