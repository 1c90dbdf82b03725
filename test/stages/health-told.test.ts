import { describe, expect, it } from "vitest";
import type { HoldRequest } from "../../worker/core/account.ts";
import { GatewayError } from "../../worker/core/errors.ts";
import type { HealthPort } from "../../worker/core/health.ts";
import type { HealthMemory } from "../../worker/core/isolate.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import { costOf } from "../../worker/core/money.ts";
import type { Deps } from "../../worker/core/ports.ts";
import type { RoutingLayer } from "../../worker/core/routing.ts";
import { NO_USAGE } from "../../worker/core/usage.ts";
import { makeHealth } from "../../worker/routing/health.ts";
import { dispatch } from "../../worker/stages/dispatch.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { streamAnswer } from "../../worker/stages/stream.ts";
import { text } from "../support/upstream/index.ts";
import { oneMessage } from "./one-message.ts";
import { answerOf } from "./provider.ts";
import { ASK, SAID } from "./story.ts";
import { chosen, chunked, deployment, world, type Script } from "./world.ts";

const ORG = "g000000000000";
const LONG = `${"a long and winding introduction to things, ".repeat(3)}${SAID}`;

/** An isolate's own health, whose object is silent. */
function health(): HealthPort {
  const memory: HealthMemory = new Map();
  return makeHealth({
    memory,
    isolate: "i1",
    now: Date.now,
    waitUntil: () => undefined,
    object: () => ({ sync: async () => [], probe: async () => false }) as never,
  });
}

interface Run {
  script: Script;
  plan: Deployment[];
  port?: HealthPort;
  body?: JsonObject;
  settings?: RoutingLayer;
  deps?: Partial<Deps>;
}

/** One streamed request, with the breakers on; `inFlight` = attempts whose end health was not told. */
async function stream({ script, plan, port = health(), body, settings, deps: more }: Run) {
  const made = world(script);
  let inFlight = 0;
  const counted: HealthPort = {
    ...port,
    began: (...about) => {
      inFlight += 1;
      port.began(...about);
    },
    ended: (...about) => {
      inFlight -= 1;
      port.ended(...about);
    },
  };
  const held: HoldRequest[] = [];
  const { account } = made.deps;
  const deps: Deps = {
    ...made.deps,
    health: counted,
    account: {
      ...account,
      hold: (asked) => {
        held.push(asked);
        return account.hold(asked);
      },
    },
    ...more,
  };
  const call = chosen({ ...ASK["openai-chat"], ...body }, plan, settings ? { settings } : {});
  for (const step of call.plan) {
    Object.assign(step, { breaker: { allowedFails: 3, cooldown: 60_000, enabled: true } });
  }
  const progress = noProgress();
  let said = "";
  let error: GatewayError | null = null;
  const decoder = new TextDecoder();
  try {
    for await (const bytes of streamAnswer(deps, call, progress).steps) {
      said += decoder.decode(bytes, { stream: true });
    }
  } catch (cause) {
    if (!(cause instanceof GatewayError)) throw cause;
    error = cause;
  }
  return { said, error, progress, sent: made.sent, held, inFlight, call };
}

const a = deployment("a");
const b = deployment("b", "anthropic");

describe("health", () => {
  it("keeps who goes on otherwise in rotation, however often, and takes out who cuts", async () => {
    const port = health();
    const script: Script = (request, n) =>
      n % 2 === 0
        ? answerOf("openai-chat", request, text(LONG), { events: 24 })
        : answerOf("anthropic", request, text(LONG, { continuation: "differ" }));
    for (let n = 0; n < 3; n++) {
      const { error, progress } = await stream({
        script,
        plan: [a, b],
        port,
        settings: { numRetries: 1 },
      });
      expect(error?.message).toMatch(/broke off/);
      expect(progress.attempts.map((row) => row.error)).toEqual(["connection", "incoherent"]);
    }
    expect(port.standing(ORG, a).state).toBe("open");
    expect(port.standing(ORG, b)).toMatchObject({ state: "closed", errorRate: 0, inFlight: 0 });
  });

  it("is told the end of every attempt: of one that is asked twice, and of none where the limit is spent", async () => {
    const old = { ...b, model: "claude-3-5-haiku" };
    const asked = await stream({
      script: (request, n) =>
        n === 0
          ? answerOf("openai-chat", request, text(SAID), { events: 9 })
          : answerOf(
              "anthropic",
              request,
              text(SAID, { continuation: { native: "refuse", instruction: "exact" } }),
            ),
      plan: [a, old],
    });
    expect(asked.sent).toHaveLength(3);
    expect(asked.inFlight).toBe(0);
    const spent = await stream({
      script: (request) =>
        answerOf("openai-chat", request, text("incomprehensibilities notwithstanding"), {
          events: 2,
        }),
      plan: [a, b],
      body: { max_tokens: 3 },
    });
    expect(spent.sent).toHaveLength(1);
    expect(oneMessage("openai-chat", spent.said).told.finish).toBe("length");
    expect(spent.said).toContain('"completion_tokens":3');
    expect(spent.inFlight).toBe(0);
  });
});

it("further attempts at what fails come to a fifth of a group's requests, not of its attempts", () => {
  const port = health();
  const rules = { allowedFails: 3, cooldown: 60_000, enabled: true };
  const fails = (group: string | null) => {
    port.began(ORG, a, group);
    port.ended(ORG, a, { fault: "transient", status: 500, latency: null, tokens: 0 }, rules);
  };
  let further = 0;
  for (let n = 0; n < 200; n++) {
    fails("g");
    for (; port.mayAdd(ORG, "g", a); further++) fails(null);
  }
  expect(further).toBe(40);
});

describe("a deployment whose protocol can't express the request", () => {
  const whole: Script = (request) => answerOf("openai-chat", request, text("yes"));

  it("is passed over, whatever the retries allow, and nobody's health suffers", async () => {
    for (const streams of [true, false]) {
      const port = health();
      const settings = { numRetries: 0 };
      const body = { n: 2, stream: streams };
      const plan = [b, a];
      if (streams) {
        const { error, sent, progress, inFlight } = await stream({
          script: whole,
          plan,
          port,
          body,
          settings,
        });
        expect(error).toBeNull();
        expect(sent).toHaveLength(1);
        expect(progress.attempts.map((row) => row.error)).toEqual(["unsupported", undefined]);
        expect(inFlight).toBe(0);
      } else {
        const choice = { index: 0, message: { role: "assistant", content: "yes" } };
        const { deps } = world(() =>
          Response.json({ choices: [{ ...choice, finish_reason: "stop" }] }),
        );
        const { stream: _, stream_options: __, ...ask } = ASK["openai-chat"];
        const call = chosen({ ...ask, n: 2 }, plan, { settings });
        const { answer } = await dispatch({ ...deps, health: port }, call, noProgress());
        expect(answer.kind).toBe("whole");
      }
      expect(port.standing(ORG, b)).toMatchObject({ state: "closed", inFlight: 0, errorRate: 0 });
    }
  });

  it("is told to the caller where there is no other, and never in place of a failure that was", async () => {
    const alone = await stream({ script: whole, plan: [b], body: { n: 2 } });
    expect(alone.error).toMatchObject({ kind: "capability_not_supported", detail: { param: "n" } });
    expect(alone.sent).toHaveLength(0);
    const down: Script = () => new Response("{}", { status: 503 });
    const both = await stream({
      script: down,
      plan: [a, b],
      body: { n: 2 },
      settings: { numRetries: 1 },
    });
    expect(both.error).toMatchObject({ kind: "no_healthy_deployment" });
  });
});

it("a refusal of the gateway's own ends whoever runs beside, and the caller is told", async () => {
  const refused = new GatewayError("control_plane_unavailable", "No.");
  const { error, sent, inFlight } = await stream({
    script: (request) => chunked([], "hang", request.signal),
    plan: [a, { ...deployment("c"), baseUrl: "https://api.openai.com/v1" }],
    settings: { hedgeAfter: 10 },
    deps: {
      platformKey: () => {
        throw refused;
      },
    },
  });
  expect(error).toBe(refused);
  expect(sent[0]?.signal.aborted).toBe(true);
  expect(inFlight).toBe(0);
});

it("a fault of our own code is not told as the connection's, and another deployment may serve", async () => {
  const keyless = { ...deployment("c"), baseUrl: "https://api.openai.com/v1" };
  const broken = {
    platformKey: () => {
      throw new TypeError("x is undefined");
    },
  };
  const script: Script = (request) => answerOf("openai-chat", request, text("yes"));
  const alone = await stream({
    script,
    plan: [keyless],
    deps: broken,
    settings: { numRetries: 0 },
  });
  expect(alone.error?.message).toMatch(/could not put the request.*\(TypeError\)/);
  expect(alone.sent).toHaveLength(0);
  const pair = await stream({ script, plan: [keyless, a], deps: broken });
  expect(pair.error).toBeNull();
  const lost = await stream({
    script: () => {
      throw new TypeError("fetch failed");
    },
    plan: [a],
    settings: { numRetries: 0 },
  });
  expect(lost.error?.message).toMatch(/The connection to the provider failed/);
});

it("what was delivered is held for as a part of the next prompt", async () => {
  const dear = { ...b, facts: { capabilities: {}, prices: { input: 9_000, output: 10 } } };
  const { held, progress, call, sent } = await stream({
    script: (request, n) =>
      n === 0
        ? answerOf("openai-chat", request, text(LONG), { events: 24 })
        : answerOf("anthropic", request, text(LONG, { continuation: "exact" })),
    plan: [a, dear],
    body: { max_tokens: 400 },
  });
  const first = progress.attempts[0]!;
  const { messages } = JSON.parse(sent[1]?.body ?? "") as { messages: { content: string }[] };
  const prompt =
    call.bytes +
    messages
      .slice(1)
      .map(({ content }) => content)
      .join("").length;
  const inputCost = costOf({ ...NO_USAGE, input: prompt }, dear.facts.prices);
  expect(inputCost).toBeGreaterThan(0);
  expect(held).toHaveLength(1);
  expect(held[0]!.max.cost).toBeGreaterThanOrEqual(first.cost + inputCost);
});
