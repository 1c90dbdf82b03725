import { expect, it } from "vitest";
import type { DialectName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import { dispatch } from "../../worker/stages/dispatch.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { endless } from "../support/endless.ts";
import { chosen, chunked, deployment, world, type Script } from "./world.ts";

const ASK = { model: "group", messages: [{ role: "user", content: "hi" }] };
const ONCE = { numRetries: 0 };
const STREAM = { ...ASK, stream: true };
const BETWEEN_MS = 100;

const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c1", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const said = (usage: JsonObject) => ({
  id: "c1",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage,
});

/** What the caller reads, or the refusal; and what stands of the attempts. */
async function run(
  script: Script,
  body: JsonObject,
  {
    settings = {},
    pause = 0,
    plan = [deployment("a")],
    dialect = "openai-chat",
  }: { settings?: object; pause?: number; plan?: Deployment[]; dialect?: DialectName } = {},
) {
  const { deps } = world(script);
  const progress = noProgress();
  const call = chosen(body, plan, { dialect, settings: { ...ONCE, ...settings } });
  const decoder = new TextDecoder();
  let text = "";
  try {
    const { answer } = await dispatch(deps, call, progress);
    if (answer.kind === "whole") {
      const { body } = answer;
      text = typeof body === "string" ? body : decoder.decode(body);
      return { text, error: null, progress };
    }
    for (let step = await answer.first; step.done !== true; step = await answer.rest.next()) {
      text += decoder.decode(step.value, { stream: true });
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    return { text, error: null, progress };
  } catch (error) {
    return { text, error: error as Error, progress };
  }
}

it.each([
  { prompt_tokens: -50, completion_tokens: 1e300 },
  { prompt_tokens: 9e15, completion_tokens: 1 },
  { prompt_tokens: 5, completion_tokens: null },
  { total_tokens: 9 },
])("a count that nobody can mean, %o, is an estimate's place", async (usage) => {
  const streamed = [chunk({ content: "Hello" }), chunk({}, "stop")];
  const counted = `data: ${JSON.stringify({ id: "c1", choices: [], usage })}\n\ndata: [DONE]\n\n`;
  for (const { progress, error } of [
    await run(() => Response.json(said(usage)), ASK),
    await run(() => chunked([...streamed, counted]), STREAM),
  ]) {
    expect(error).toBeNull();
    expect(progress.usage.estimated).toBe(true);
    const [attempt] = progress.attempts;
    expect(attempt?.usage).toEqual(progress.usage);
    // "Hello" is a token or two; the prompt a few dozen bytes.
    expect(attempt?.usage.output).toBeGreaterThan(0);
    expect(attempt?.usage.output).toBeLessThan(20);
    expect(attempt?.cost).toBeLessThan(1_000);
  }
});

it("a count whose parts are told by their sum is taken", async () => {
  const usage = { prompt_tokens: 5, total_tokens: 9 };
  const { progress } = await run(() => Response.json(said(usage)), ASK);
  expect(progress.usage).toMatchObject({ input: 5, output: 4, estimated: false });
});

it.each([ASK, STREAM])("of a refusal without end only the beginning is read, %o", async (body) => {
  const { body: refusal, seen } = endless();
  const { error } = await run(() => new Response(refusal, { status: 500 }), body);
  expect(error?.message).toContain("The provider answered 500 without a readable error.");
  expect(seen).toEqual({ bytes: 64 * 1024, cancelled: true });
});

it("an error in place of a whole answer is told in the provider's words", async () => {
  const { error } = await run(
    () => Response.json({ error: { message: "Upstream is out of capacity", code: 502 } }),
    ASK,
  );
  expect(error?.message).toBe(
    "The provider's answer is unusable: an error under a 200, 'Upstream is out of capacity'.",
  );
});

it("bytes that end no event put off no deadline", async () => {
  const first = chunk({ content: "Hello" });
  const drops = Array.from({ length: 1_000 }, () => ".");
  const dripping = () => {
    const encoder = new TextEncoder();
    const queue = [first, ...drops];
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS / 10));
          const next = queue.shift();
          if (next === undefined) controller.close();
          else controller.enqueue(encoder.encode(next));
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const { text, error } = await run(dripping, STREAM, {
    settings: { timeouts: { between: BETWEEN_MS } },
  });
  expect(text).toBe(first);
  expect(error).toMatchObject({ kind: "upstream_timeout" });
  expect(error?.message).toContain("did not send the next event within");
});

it("a caller who reads slowly is no silent provider", async () => {
  const events = [chunk({ content: "Hel" }), chunk({ content: "lo" }), chunk({}, "stop")];
  const { text, error } = await run(() => chunked([...events, "data: [DONE]\n\n"]), STREAM, {
    settings: { timeouts: { between: BETWEEN_MS } },
    pause: 2 * BETWEEN_MS,
  });
  expect(error).toBeNull();
  expect(text).toBe([...events, "data: [DONE]\n\n"].join(""));
});

/** A text of two events in a protocol's own form; its finish and last words. */
const WIRES = {
  "openai-chat": {
    text: chunk({ role: "assistant", content: "One two" }),
    finish: chunk({}, "stop"),
    last: "data: [DONE]\n\n",
  },
  anthropic: {
    text: [
      { type: "message_start", message: { id: "m", role: "assistant", content: [] } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "One two" } },
    ]
      .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      .join(""),
    finish: `event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n`,
    last: `event: message_stop\ndata: {"type":"message_stop"}\n\n`,
  },
} as const;
const PROTOCOLS = ["openai-chat", "anthropic"] as const;

it.each(PROTOCOLS.flatMap((from) => PROTOCOLS.map((to) => [from, to] as const)))(
  "last words without a finish never reach the caller before the answer is whole: from %s to %s",
  async (from, to) => {
    const { text: said, finish, last } = WIRES[from];
    const ask = { ...STREAM, ...(to === "anthropic" && { max_tokens: 99 }) };
    const stops = () => chunked([said, last]);
    const alone = await run(stops, ask, { dialect: to, plan: [deployment("a", from)] });
    expect(alone.error).toMatchObject({ kind: "upstream_bad_response" });
    expect(alone.text).toContain("One two");
    expect(alone.text).not.toContain(WIRES[to].last);
    // Another goes on with it: one end, after all.
    const rest = () => chunked([said.replace("One two", " three"), finish, last]);
    const plan = [deployment("a", from), deployment("b", from)];
    const mended = await run((_, n) => (n === 0 ? stops() : rest()), ask, {
      dialect: to,
      plan,
      settings: { numRetries: 1 },
    });
    expect(mended.error).toBeNull();
    expect(mended.text).toContain(" three");
    expect(mended.text.split(WIRES[to].last)).toHaveLength(2);
    expect(mended.text.endsWith(WIRES[to].last)).toBe(true);
  },
);

it("whose provider tells no usage is shown what is charged, whole and streamed alike", async () => {
  const { text: said, finish, last } = WIRES.anthropic;
  const message = {
    id: "m",
    content: [{ type: "text", text: "One two" }],
    stop_reason: "end_turn",
  };
  const plan = [deployment("a", "anthropic")];
  const usageOf = (text: string) =>
    JSON.parse(/"usage":(\{"prompt_tokens".*?\}\})/.exec(text)?.[1] ?? "{}") as object;
  const whole = await run(() => Response.json(message), ASK, { plan });
  const asked = { ...STREAM, stream_options: { include_usage: true } };
  const streamed = await run(() => chunked([said, finish, last]), asked, { plan });
  for (const { text, progress } of [whole, streamed]) {
    const { input, output, estimated } = progress.usage;
    // Seven characters are three tokens at most, however they came.
    expect({ output, estimated }).toEqual({ output: 3, estimated: true });
    expect(usageOf(text)).toMatchObject({ prompt_tokens: input, completion_tokens: output });
  }
});
