import { expect, test } from "vitest";
import { ProviderHealthMachine } from "../../durable-objects/provider-health-machine.ts";
import type { UpstreamFault } from "../../worker/core/fault.ts";
import type { HealthMemory } from "../../worker/core/isolate.ts";
import type { Deployment } from "../../worker/core/model.ts";
import type { Step } from "../../worker/core/routing.ts";
import { makeHealth } from "../../worker/routing/health.ts";
import { makePlan } from "../../worker/routing/plan.ts";
import { random } from "../../worker/routing/random.ts";
import { DEFAULTS } from "../../worker/routing/settings.ts";
import { nextMove, type Tried } from "../../worker/routing/walk.ts";

const ORG = "g000000000000";
const BREAKER = { allowedFails: 3, cooldown: 60_000, enabled: true };
/** Milliseconds of a failed and of a good attempt. */
const FAILS_IN = 20;
const ANSWERS_IN = 200;

const deployment = (id: string): Deployment => ({
  id,
  group: "g",
  provider: "openai",
  model: "m",
  protocol: "openai-chat",
  baseUrl: `https://${id}.example.com/v1`,
  weight: 1,
  order: 0,
  tags: [],
  facts: { capabilities: {} },
});

/** When a provider is up: alternating spans of random lengths, as [until, up]. */
function weather(draw: () => number, up: number, down: number, total: number) {
  const spans: { until: number; up: boolean }[] = [];
  for (let at = 0, isUp = true; at < total; isUp = !isUp) {
    at += -Math.log(1 - draw()) * (isUp ? up : down);
    spans.push({ until: at, up: isUp });
  }
  return (at: number) => spans.find((span) => at < span.until)?.up ?? true;
}

/** Requests through the real choice, walk, breaker and object, on a clock of their own. */
async function simulate(seed: number, requests: number, everyMs: number) {
  const draw = random(seed);
  const deployments = ["a", "b", "c"].map(deployment);
  const total = requests * everyMs + 60_000;
  const skies = deployments.map(() => weather(draw, 120_000, 20_000, total));
  const isUp = (id: string, at: number) => skies["abc".indexOf(id)]?.(at) ?? false;

  let now = 0;
  const clock = () => 1_000_000_000 + now;
  const nothing = {
    load: () => [],
    keep: () => undefined,
    addChecks: () => undefined,
    checks: () => [],
  };
  const machine = new ProviderHealthMachine(nothing, clock);
  const memory: HealthMemory = new Map();
  const health = makeHealth({
    memory,
    isolate: "one",
    now: clock,
    waitUntil: (work) => void work,
    object: () => ({
      sync: async (message) => machine.sync(message),
      probe: async (isolate, cells) => machine.probe(isolate, cells),
      expect: async () => undefined,
      checked: async () => undefined,
      view: async () => machine.view(),
      history: async () => [],
    }),
  });

  let succeeded = 0;
  let possible = 0;
  let attempts = 0;
  for (let n = 0; n < requests; n++) {
    const arrived = n * everyMs;
    now = Math.max(now, arrived);
    if (deployments.some(({ id }) => isUp(id, now))) possible += 1;
    const made = makePlan(
      [
        {
          group: "g",
          when: "any",
          why: "requested",
          deployments,
          settings: DEFAULTS,
          breaker: BREAKER,
          usual: DEFAULTS.timeouts,
          hard: [],
        },
      ],
      {
        needs: new Set(),
        tokens: 10,
        now: clock(),
        draw: { seed: n, affinity: null },
        standing: (each) => health.standing(ORG, each),
        estimate: () => null,
      },
    );
    let plan: Step[] = made.steps;
    for (const { step } of made.resting.toSorted((a, b) => a.until - b.until)) {
      if (plan.length > 0) break;
      if (await health.probe(ORG, step.deployment)) plan = [step];
    }
    const tried: Tried[] = [];
    let at = plan.length > 0 ? 0 : -1;
    // Each request runs on its own: the clock that others arrive by does not wait for it.
    const began = now;
    while (at >= 0) {
      const step = plan[at] as Step;
      attempts += 1;
      health.began(ORG, step.deployment, tried.length === 0 ? "g" : null);
      const good = isUp(step.deployment.id, now);
      now += good ? ANSWERS_IN : FAILS_IN;
      const seen = {
        fault: good ? null : "transient",
        status: good ? 200 : 500,
        latency: good ? ANSWERS_IN : null,
        tokens: 5,
      } as const;
      health.ended(ORG, step.deployment, seen, BREAKER);
      await Promise.resolve();
      if (good) {
        succeeded += 1;
        break;
      }
      const fault: UpstreamFault = { class: "transient", status: 500, message: "down" };
      tried.push({ step: at, fault });
      const move = nextMove({
        plan,
        settings: DEFAULTS,
        tried,
        remaining: 600_000 - (now - began),
        seed: n,
        passed: new Set(),
        usable: (each) => health.standing(ORG, each).state !== "open",
      });
      if (move.do === "stop") break;
      if (!health.mayAdd(ORG, "g", (plan[move.step] as Step).deployment)) break;
      now += move.wait;
      at = move.step;
    }
    now = began;
    for (let turn = 0; turn < 6; turn++) await Promise.resolve();
  }
  return { succeeded, possible, attempts };
}

test.each([1, 2, 3])(
  "of 10,000 requests over three independently failing providers as many succeed as can, but for 0.1 points, seed %i",
  async (seed) => {
    const requests = Number(process.env["FAILOVER_REQUESTS"] ?? 10_000);
    const { succeeded, possible, attempts } = await simulate(seed, requests, 100);
    expect(possible / requests).toBeGreaterThan(0.95);
    expect(succeeded / requests).toBeGreaterThanOrEqual(possible / requests - 0.001);
    // The dead ones are left alone: nearly every attempt is one that answers.
    expect(attempts / requests).toBeLessThan(1.05);
  },
  30_000,
);
