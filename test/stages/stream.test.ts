import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatewayError } from "../../worker/core/errors.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { streamAnswer } from "../../worker/stages/stream.ts";
import { chosen, chunked, deployment, world } from "./world.ts";

const ask = { model: "group", stream: true, messages: [{ role: "user", content: "hi" }] };
const askUsage = { ...ask, stream_options: { include_usage: true } };

const sse = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: object, finish: string | null = null, more: object = {}) =>
  sse({
    id: "c1",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more,
  });
const usage = sse({
  id: "c1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [],
  usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
});
const DONE = "data: [DONE]\n\n";
const answer = [
  chunk({ role: "assistant", content: "" }),
  chunk({ content: "Hel" }),
  chunk({ content: "lo" }),
  chunk({}, "stop"),
];

/** Everything that the caller received, and how it ended. */
async function received(steps: AsyncGenerator<Uint8Array, void>) {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const bytes of steps) text += decoder.decode(bytes, { stream: true });
    return { text, error: null };
  } catch (cause) {
    if (!(cause instanceof GatewayError)) throw cause;
    return { text, error: cause };
  }
}

describe("a streamed answer", () => {
  it("reaches the caller byte for byte, however the provider's bytes were split", async () => {
    const bytes = new TextEncoder().encode(
      [...answer, usage, DONE].join("").replace("Hel", "Hé👍"),
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(bytes.length)), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, i) => bytes.slice(at[i], end));
        const { deps } = world(() => chunked(pieces));
        const progress = noProgress();
        const meta = { ...askUsage };
        const got = await received(
          streamAnswer(deps, chosen(meta, [deployment("a")], { dialect: "openai-chat" }), progress)
            .steps,
        );
        const ours = new TextDecoder()
          .decode(bytes)
          .replace(
            /("total_tokens":7\})\}/,
            (_, head: string) =>
              `${head},"routero":{"cost":"0.000000009","provider":"openai","model":"model-of-a","fallbacks":0}}`,
          );
        expect(got).toEqual({ text: ours, error: null });
        expect(progress.usage).toMatchObject({ input: 5, output: 2, estimated: false });
        expect(progress.attempts).toMatchObject([{ status: 200, cost: 9 }]);
      }),
      { numRuns: 50 },
    );
  });

  it("asks for usage by itself and takes it out again when the caller did not", async () => {
    const { deps, sent } = world(() =>
      chunked([
        ...answer.map((each) => each.replace(/\}\n\n$/, ',"usage":null}\n\n')),
        usage,
        DONE,
      ]),
    );
    const progress = noProgress();
    const got = await received(streamAnswer(deps, chosen(ask, [deployment("a")]), progress).steps);
    expect(JSON.parse(sent[0]?.body ?? "")).toMatchObject({
      model: "model-of-a",
      stream_options: { include_usage: true },
    });
    expect(got.text).toBe([...answer, DONE].join(""));
    expect(progress.attempts[0]?.usage).toMatchObject({ input: 5, output: 2 });
  });

  const failures = {
    "refused with 500": () => new Response("oops", { status: 500 }),
    "refused with 429": () => new Response("{}", { status: 429 }),
    "not a stream": () => Response.json({ choices: [] }),
    "cut before content": () => chunked([chunk({ role: "assistant", content: "" })]),
    "broken before content": () => chunked([chunk({ role: "assistant", content: "" })], "break"),
    "an error event before content": () =>
      chunked([sse({ error: { message: "boom", type: "server_error" } })]),
    junk: () => chunked(["data: {not json\n\n"]),
    "a connection that fails": () => Promise.reject(new TypeError("fetch failed")),
  };
  it.each(Object.entries(failures))("begins anew elsewhere, unseen, after %s", async (_, fail) => {
    const { deps, sent } = world((_request, n) =>
      n === 0 ? fail() : chunked([...answer, usage, DONE]),
    );
    const progress = noProgress();
    const got = await received(
      streamAnswer(deps, chosen(ask, [deployment("a"), deployment("b")]), progress).steps,
    );
    expect(got).toEqual({ text: [...answer, DONE].join(""), error: null });
    expect(sent).toHaveLength(2);
    expect(progress.attempts.map((row) => row.error)).toEqual([expect.any(String), undefined]);
    expect(progress.deployment?.id).toBe("b");
  });

  it("never ends silently: cut behind any chunk and with nobody left, the caller gets what came and then an error", async () => {
    const full = [...answer, usage, DONE];
    for (let kept = 2; kept < answer.length; kept++) {
      for (const after of ["end", "break"] as const) {
        const { deps, sent } = world(() => chunked(full.slice(0, kept), after));
        const progress = noProgress();
        const got = await received(
          streamAnswer(
            deps,
            chosen(ask, [deployment("a")], { settings: { numRetries: 0 } }),
            progress,
          ).steps,
        );
        expect(got.text).toBe(full.slice(0, kept).join(""));
        expect(got.error).toMatchObject({ kind: "no_healthy_deployment" });
        expect(sent).toHaveLength(1);
        expect(progress.attempts).toMatchObject([{ usage: { estimated: true } }]);
        expect(progress.attempts[0]?.cost).toBeGreaterThan(0);
      }
    }
  });

  it("delivers what stood before an error in the same bytes", async () => {
    const failure = sse({ error: { message: "boom", type: "server_error" } });
    const { deps } = world(() =>
      chunked([answer.slice(0, 2).join(""), chunk({ content: "lo" }) + failure]),
    );
    const got = await received(
      streamAnswer(deps, chosen(ask, [deployment("a")]), noProgress()).steps,
    );
    expect(got.text).toBe(answer.slice(0, 3).join(""));
    expect(got.error).not.toBeNull();
  });

  it("counts a finish without [DONE] as complete and a missing finish as a cut", async () => {
    const whole = world(() => chunked(answer));
    const got = await received(
      streamAnswer(whole.deps, chosen(ask, [deployment("a")]), noProgress()).steps,
    );
    expect(got).toEqual({ text: [...answer, DONE].join(""), error: null });
    // Usage that was asked for is told as well, once.
    const counted = world(() => chunked([...answer, usage]));
    const uncounted = world(() => chunked(answer));
    for (const { deps } of [counted, uncounted]) {
      const run = streamAnswer(deps, chosen(askUsage, [deployment("a")]), noProgress());
      const { text } = await received(run.steps);
      expect(text.endsWith(DONE)).toBe(true);
      expect(text.match(/"usage":\{/g)).toHaveLength(1);
      expect(text.match(/"routero":\{"cost":"0\.\d+"/g)).toHaveLength(1);
    }
  });

  it("ends the provider's request when the caller leaves, and charges what was produced", async () => {
    let signal: AbortSignal | undefined;
    const { deps } = world((request) => {
      signal = request.signal;
      return chunked(answer.slice(0, 2), "hang", request.signal);
    });
    const progress = noProgress();
    const { steps, cancel } = streamAnswer(
      deps,
      chosen(ask, [deployment("a"), deployment("b")]),
      progress,
    );
    await steps.next();
    const pending = steps.next();
    cancel();
    await expect(pending).resolves.toMatchObject({ done: true });
    expect(signal?.aborted).toBe(true);
    expect(progress.attempts).toMatchObject([
      { error: "cancelled", usage: { estimated: true, output: 1 } },
    ]);
  });

  it("ends the provider's request when the caller leaves between two steps", async () => {
    let signal: AbortSignal | undefined;
    const { deps } = world((request) => {
      signal = request.signal;
      return chunked(answer.slice(0, 3), "hang", request.signal);
    });
    const progress = noProgress();
    const { steps } = streamAnswer(deps, chosen(ask, [deployment("a")]), progress);
    await steps.next();
    await steps.return();
    expect(signal?.aborted).toBe(true);
    expect(progress.attempts).toMatchObject([{ error: "cancelled" }]);
  });

  it("gives up on a silent provider at the deployment's timeout and goes on with the next", async () => {
    const { deps } = world((request, n) =>
      n === 0 ? chunked([], "hang", request.signal) : chunked([...answer, DONE]),
    );
    const progress = noProgress();
    const silent = { ...deployment("a"), timeout: 20 };
    const got = await received(
      streamAnswer(deps, chosen(ask, [silent, deployment("b")]), progress).steps,
    );
    expect(got.error).toBeNull();
    expect(progress.attempts.map((row) => row.error)).toEqual(["timeout", undefined]);
  });

  it("speaks the caller's dialect when the provider speaks another", async () => {
    const { deps, sent } = world(() => chunked([...answer, usage, DONE]));
    const body = {
      model: "group",
      stream: true,
      max_tokens: 9,
      messages: [{ role: "user", content: "hi" }],
    };
    const got = await received(
      streamAnswer(deps, chosen(body, [deployment("a")], { dialect: "anthropic" }), noProgress())
        .steps,
    );
    const names = [...got.text.matchAll(/^event: (\w+)$/gm)].map((match) => match[1]);
    expect(names.filter((name) => name !== "ping")).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    expect(JSON.parse(sent[0]?.body ?? "")).toMatchObject({ model: "model-of-a" });
  });

  it("does not try another deployment when the caller's request itself was refused", async () => {
    const { deps, sent } = world(() =>
      Response.json(
        {
          error: {
            message: "temperature too high",
            type: "invalid_request_error",
            param: "temperature",
          },
        },
        { status: 400 },
      ),
    );
    const got = await received(
      streamAnswer(deps, chosen(ask, [deployment("a"), deployment("b")]), noProgress()).steps,
    );
    expect(got.error).toMatchObject({
      kind: "upstream_rejected",
      status: 400,
      detail: { param: "temperature" },
    });
    expect(sent).toHaveLength(1);
  });
});
