import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { usdText } from "../../worker/core/money.ts";
import { GatewayError } from "../../worker/core/errors.ts";
import type { RoutingLayer } from "../../worker/core/routing.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { streamAnswer } from "../../worker/stages/stream.ts";
import { text } from "../support/upstream/index.ts";
import { oneMessage } from "./one-message.ts";
import { answerOf } from "./provider.ts";
import { chosen, chunked, deployment, world, type Script } from "./world.ts";

const ASK = {
  model: "group",
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: "user", content: "tell" }],
};
const ROLE = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n`;

// Hedges and providers wait by a clock of the test's own: a busy machine changes nothing.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets `ms` pass, step by step; whatever needs no time happens before each step. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5) {
    for (let n = 0; n < 25; n++) await turn();
    await vi.advanceTimersByTimeAsync(5);
  }
}

/** The outcome of work that waits by that clock. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const seen = work.finally(() => {
    over = true;
  });
  while (!over) await pass(5);
  return seen;
}

/** Which deployment a request went to. */
const hostOf = (url: string) => new URL(url).hostname.split(".")[0];

async function ask(
  script: Script,
  ids: readonly string[],
  settings: RoutingLayer = { hedgeAfter: 20 },
) {
  const { deps, sent } = world(script);
  const progress = noProgress();
  const plan = ids.map((id) => deployment(id));
  const call = chosen(ASK, plan, { settings });
  const { steps, cancel } = streamAnswer(deps, call, progress);
  let stream = "";
  let error: GatewayError | null = null;
  const decoder = new TextDecoder();
  const done = (async () => {
    try {
      for await (const bytes of steps) stream += decoder.decode(bytes, { stream: true });
    } catch (cause) {
      if (!(cause instanceof GatewayError)) throw cause;
      error = cause;
    }
    return { stream, error };
  })();
  return { done, cancel, sent, progress, deps };
}

const answers = text("one two three");
const silent: Script = (request) => chunked([ROLE], "hang", request.signal);

describe("a hedged first byte", () => {
  it("comes from whoever has content first; the other ends and is charged for what it was asked", async () => {
    const { done, sent, progress } = await ask(
      async (request, n) =>
        n === 0
          ? silent(request, n)
          : chunked([await answerOf("openai-chat", request, answers).text()]),
      ["a", "b"],
    );
    const { stream } = await inTime(done);
    expect(oneMessage("openai-chat", stream).told.text).toBe("one two three");
    expect(sent.map((request) => hostOf(request.url))).toEqual(["a", "b"]);
    expect(sent[0]?.signal.aborted).toBe(true);
    expect(progress.deployment?.id).toBe("b");
    expect(progress.attempts).toMatchObject([
      { deployment: "a", error: "cancelled", usage: { estimated: true, output: 0 } },
      { deployment: "b", status: 200 },
    ]);
    expect(progress.attempts[0]?.cost).toBeGreaterThan(0);
    expect(progress.usage.input).toBe(progress.attempts[1]?.usage.input);
    // What the caller is told is the sum, though the answer was there before the other had ended.
    const cost = progress.attempts.reduce((sum, row) => sum + row.cost, 0);
    expect(cost).toBeGreaterThan(progress.attempts[1]!.cost);
    expect(stream).toContain(`"routero":{"cost":"${usdText(cost)}"`);
  });

  it("is not begun where the first one is in time, or where nobody asked for it", async () => {
    const quick = await ask((request) => answerOf("openai-chat", request, answers), ["a", "b"]);
    await inTime(quick.done);
    expect(quick.sent).toHaveLength(1);
    const slow: Script = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return answerOf("openai-chat", request, answers);
    };
    // Nor where no further attempt is allowed.
    for (const settings of [{}, { hedgeAfter: 20, numRetries: 0 }]) {
      const patient = await ask(slow, ["a", "b"], settings);
      await inTime(patient.done);
      expect(patient.sent).toHaveLength(1);
    }
  });

  it("never has more than two beside the first, and ends them all when the caller leaves", async () => {
    const { done, cancel, sent, progress } = await ask(silent, ["a", "b", "c", "d", "e"], {
      hedgeAfter: 5,
    });
    await pass(80);
    expect(sent).toHaveLength(3);
    cancel();
    expect(await inTime(done)).toEqual({ stream: "", error: null });
    expect(sent.every((request) => request.signal.aborted)).toBe(true);
    expect(progress.attempts.map((row) => row.error)).toEqual(Array(3).fill("cancelled"));
  });

  it("still comes when the first one fails meanwhile", async () => {
    const { done, progress } = await ask(
      async (request, n) => {
        await new Promise((resolve) => setTimeout(resolve, n === 0 ? 40 : 60));
        return n === 0
          ? new Response("oops", { status: 500 })
          : answerOf("openai-chat", request, answers);
      },
      ["a", "b"],
    );
    const { stream, error } = await inTime(done);
    expect(error).toBeNull();
    expect(oneMessage("openai-chat", stream).told.text).toBe("one two three");
    expect(progress.attempts.map((row) => row.error)).toEqual(["transient", undefined]);
  });

  it("goes on along the plan when all that ran have failed", async () => {
    const { done, sent, progress } = await ask(
      async (request, n) => {
        if (n < 2) {
          await new Promise((resolve) => setTimeout(resolve, n === 0 ? 60 : 10));
          return new Response("oops", { status: 500 });
        }
        return answerOf("openai-chat", request, answers);
      },
      ["a", "b", "c"],
      { hedgeAfter: 20 },
    );
    const { stream } = await inTime(done);
    expect(oneMessage("openai-chat", stream).told.text).toBe("one two three");
    expect(
      sent.map((request) => hostOf(request.url) ?? "").toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual(["a", "b", "c"]);
    expect(progress.attempts.filter((row) => row.error === undefined)).toHaveLength(1);
  });

  it("is not begun where its worst case can't be held beside the first one's", async () => {
    const script: Script = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return answerOf("openai-chat", request, answers);
    };
    const held: number[] = [];
    const { deps, sent } = world(script);
    deps.account.hold = async ({ max }) => {
      held.push(max.cost);
      const scope = { kind: "key", id: "k" } as const;
      const limit = { cost: 1, requests: null, tokens: null };
      const full = { settled: { ...max, cost: 1 }, outstanding: max, state: "block" } as const;
      const view = { limit, budget: 1, ...full, endsInMs: null, endsAt: null };
      return {
        granted: false,
        reason: "budget",
        scope,
        view,
        needed: max,
        waits: false,
        fits: false,
      };
    };
    const call = chosen({ ...ASK, max_tokens: 100 }, [deployment("a"), deployment("b")], {
      settings: { hedgeAfter: 20 },
    });
    const all = async () => {
      for await (const _ of streamAnswer(deps, call, noProgress()).steps);
    };
    await inTime(all());
    expect(sent).toHaveLength(1);
    // Both worst cases: 100 tokens of answer at 2,000 per 1,000, twice, and the prompts.
    expect(held[0]).toBeGreaterThanOrEqual(400);
  });
});

describe("an answer that a filter emptied", () => {
  const empty = text("", { finish: "filter" });

  it("is another model's to give", async () => {
    const { done, progress } = await ask(
      (request, n) => answerOf("openai-chat", request, n === 0 ? empty : answers),
      ["a", "b"],
    );
    expect(oneMessage("openai-chat", (await inTime(done)).stream).told.text).toBe("one two three");
    expect(progress.attempts.map((row) => row.error)).toEqual(["content_filter", undefined]);
  });

  it("reaches the caller as it is where no other model gives one", async () => {
    const { done, progress } = await ask(
      (request) => answerOf("openai-chat", request, empty),
      ["a", "b"],
    );
    const { stream, error } = await inTime(done);
    expect(error).toBeNull();
    expect(oneMessage("openai-chat", stream).told).toMatchObject({
      text: "",
      finish: "content_filter",
    });
    expect(progress.attempts).toHaveLength(2);
  });
});
