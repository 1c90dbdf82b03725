import { describe, expect, it } from "vitest";
import type { HealthPort } from "../../worker/core/health.ts";
import type { RoutingLayer } from "../../worker/core/routing.ts";
import { trusting } from "../support/trusting.ts";
import { UNKNOWN } from "../../worker/routing/health.ts";
import { DEFAULTS } from "../../worker/routing/settings.ts";
import { record } from "../../worker/stages/attempt.ts";
import { deadline } from "../../worker/stages/deadline.ts";
import { dispatch } from "../../worker/stages/dispatch.ts";
import { patienceOf } from "../../worker/stages/patience.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { text } from "../support/upstream/index.ts";
import { answerOf } from "./provider.ts";
import { chosen, chunked, deployment, world, type Script } from "./world.ts";

const ASK = { model: "group", messages: [{ role: "user", content: "tell" }] };
const STREAM = { ...ASK, stream: true };

function given(body: object, more: object = {}, settings: RoutingLayer = {}) {
  const call = chosen({ ...body } as typeof ASK, [{ ...deployment("a"), ...more }], { settings });
  return patienceOf(call, call.plan[0]!);
}

describe("the time that an attempt is given", () => {
  it("is 30 s to the first content, and all of it where the model thinks, asked or not", () => {
    expect(given(STREAM).first.ms).toBe(30_000);
    expect(given({ ...STREAM, reasoning_effort: "high" }).first.ms).toBe(600_000);
    expect(given(STREAM, { model: "o3-mini" }).first.ms).toBe(600_000);
    expect(given(STREAM, { provider: "azure", model: "gpt-5-mini" }).first.ms).toBe(600_000);
    expect(given({ ...STREAM, reasoning_effort: "none" }, { model: "gpt-5.1" }).first.ms).toBe(
      30_000,
    );
    expect(given(STREAM, { model: "o3-mini", timeout: 7_000 }).first.ms).toBe(7_000);
  });

  it("may be less for one request than what all callers are given", () => {
    const { whole, between } = given(ASK, {}, { timeouts: { whole: 50, between: 20 } });
    expect(whole).toEqual({ ms: 50, usual: DEFAULTS.timeouts.total });
    expect(between).toEqual({ ms: 20, usual: DEFAULTS.timeouts.between });
  });
});

describe("a wait", () => {
  const never = new Promise<never>(() => undefined);
  const fault = async (until: number, ms: number, usual: number, since: number) => {
    const clock = deadline(until, () => 100_000);
    const wait = clock.within({ ms, usual }, "an answer", never, since);
    const failed = await wait.then(
      () => null,
      (cause: { fault: object }) => cause.fault,
    );
    expect(clock.signal.aborted).toBe(true);
    return failed;
  };

  it("counts from where the attempt began, whatever was heard since", async () => {
    expect(await fault(200_000, 40_000, 40_000, 60_000)).toEqual({
      class: "timeout",
      status: 0,
      message: "The provider did not send an answer within 40 s.",
    });
  });

  it("that was shorter than everybody's, and short, tells nothing of the deployment", async () => {
    expect(await fault(200_000, 50, 600_000, 99_950)).toMatchObject({ early: 50 });
    expect(await fault(100_000, 600_000, 600_000, 99_950)).toMatchObject({
      early: 50,
      message: "The provider did not send an answer within 50 ms, when this request's time was up.",
    });
    expect(await fault(200_000, 30_000, 600_000, 70_000)).not.toHaveProperty("early");
    expect(await fault(200_000, 50, 50, 99_950)).not.toHaveProperty("early");
  });
});

describe("a provider that is silent", () => {
  const hung: Script = (request) => chunked([], "hang", request.signal);
  const told = async (stream: boolean, over: Parameters<typeof chosen>[2], usual?: number) => {
    const seen: unknown[] = [];
    const health: HealthPort = { ...trusting, ended: (_, __, { fault }) => seen.push(fault) };
    const { deps } = world(hung);
    const call = chosen({ ...ASK, ...(stream && { stream }) }, [deployment("a")], over);
    if (usual !== undefined) {
      const timeouts = { ...DEFAULTS.timeouts, first: usual, whole: usual };
      call.plan = call.plan.map((step) => ({ ...step, usual: timeouts }));
    }
    const progress = noProgress();
    const answer = await dispatch({ ...deps, health }, call, progress).catch(() => null);
    if (answer?.answer.kind === "stream") await answer.answer.first.catch(() => undefined);
    expect(progress.attempts.map((row) => row.error)).toEqual(["timeout"]);
    return seen;
  };

  it("is out of rotation for nobody's own impatience, but for what its group is given", async () => {
    const settings: RoutingLayer = { numRetries: 0 };
    const impatient: RoutingLayer = { numRetries: 0, timeouts: { first: 20, whole: 20 } };
    for (const stream of [true, false]) {
      expect(await told(stream, { settings, deadlineMs: 20 })).toEqual(["cancelled"]);
      expect(await told(stream, { settings: impatient })).toEqual(["cancelled"]);
      expect(await told(stream, { settings: impatient }, 20)).toEqual(["timeout"]);
    }
  });
});

it("a wait that is long for what a deployment usually takes tells of it, however little the caller's patience", () => {
  const told = (early: number, latency: number | null) => {
    const seen: unknown[] = [];
    const health: HealthPort = {
      ...trusting,
      standing: () => ({ ...UNKNOWN, latency }),
      ended: (_, __, { fault }) => seen.push(fault),
    };
    const call = chosen(ASK, [deployment("a")]);
    const times = { startedAt: 0, endedAt: early };
    const result = { status: 0, sent: true, error: "timeout", early } as const;
    record({ health }, call, noProgress(), deployment("a"), times, result);
    return seen[0];
  };
  expect(told(10_000, 900)).toBe("timeout");
  expect(told(10_000, 4_000)).toBe("cancelled");
  expect(told(1_900, 10)).toBe("cancelled");
  expect(told(20_000, null)).toBe("cancelled");
});

it("signs of life do not hold up the next attempt for longer than content may", async () => {
  const { deps, sent } = world((request, n) => {
    if (n > 0) return answerOf("openai-chat", request, text("there"));
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        controller.enqueue(new TextEncoder().encode(": keepalive\n\n"));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const call = chosen(STREAM, [deployment("a"), deployment("b")], {
    settings: { timeouts: { first: 80 } },
  });
  const progress = noProgress();
  const { answer } = await dispatch(deps, call, progress);
  if (answer.kind !== "stream") throw new Error("no stream");
  await answer.first;
  expect(sent).toHaveLength(2);
  expect(progress.attempts.map((row) => row.error)).toEqual(["timeout"]);
});
