import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FAULT_CLASSES, type FaultClass, type UpstreamFault } from "../../worker/core/fault.ts";
import type { Deployment } from "../../worker/core/model.ts";
import type { Step, StepWhen } from "../../worker/core/routing.ts";
import { DEFAULTS } from "../../worker/routing/settings.ts";
import { backoff, nextMove, type Tried, type Walk } from "../../worker/routing/walk.ts";

interface Place {
  id: string;
  group?: string;
  when?: StepWhen;
  model?: string;
  credentialId?: string;
  window?: number;
}

function step({
  id,
  group = "a",
  when = "any",
  model = "m",
  credentialId = id,
  window,
}: Place): Step {
  const deployment: Deployment = {
    id,
    group,
    provider: "openai",
    model,
    protocol: "openai-chat",
    baseUrl: "https://api.example.com/v1",
    credentialId,
    weight: 1,
    order: 0,
    tags: [],
    facts: { capabilities: {}, ...(window !== undefined && { contextWindow: window }) },
  };
  const breaker = { allowedFails: 3, cooldown: 60_000, enabled: true };
  return { deployment, group, when, why: "requested", breaker, usual: DEFAULTS.timeouts };
}

const fault = (kind: FaultClass, more: Partial<UpstreamFault> = {}): UpstreamFault => ({
  class: kind,
  status: 500,
  message: "no",
  ...more,
});

function walk(places: Place[], tried: Tried[], more: Partial<Walk> = {}): Walk {
  return {
    plan: places.map(step),
    settings: DEFAULTS,
    tried,
    remaining: 600_000,
    seed: 7,
    passed: new Set(),
    usable: () => true,
    ...more,
  };
}

describe("the walk along a plan", () => {
  it("tries the others of the group at once, then the same again after a growing wait, then the chain", () => {
    const places = [{ id: "a1" }, { id: "a2" }, { id: "b1", group: "b" }];
    const tried: Tried[] = [{ step: 0, fault: fault("transient") }];
    expect(nextMove(walk(places, tried))).toEqual({ do: "next", step: 1, wait: 0 });
    tried.push({ step: 1, fault: fault("transient") });
    const again = nextMove(walk(places, tried));
    expect(again).toMatchObject({ do: "retry", step: 1 });
    tried.push({ step: 1, fault: fault("transient") });
    expect(nextMove(walk(places, tried))).toMatchObject({ do: "retry" });
    tried.push({ step: 1, fault: fault("transient") });
    expect(nextMove(walk(places, tried))).toEqual({ do: "next", step: 2, wait: 0 });
  });

  it("passes over who has no words for the request, as if it were not there", () => {
    const places = [
      { id: "a1" },
      { id: "a2", model: "n" },
      { id: "a3" },
      { id: "b1", group: "b", model: "o" },
    ];
    const once = { settings: { ...DEFAULTS, numRetries: 0 } };
    const tried: Tried[] = [{ step: 0, fault: fault("unsupported") }];
    expect(nextMove(walk(places, tried, once))).toEqual({ do: "next", step: 1, wait: 0 });
    tried.push({ step: 1, fault: fault("transient") });
    expect(nextMove(walk(places, tried, once))).toEqual({ do: "next", step: 3, wait: 0 });
    // Who failed before it is tried again all the same.
    const pair = [{ id: "a1" }, { id: "a2", model: "n" }];
    const then: Tried[] = [
      { step: 0, fault: fault("transient") },
      { step: 1, fault: fault("unsupported") },
    ];
    expect(nextMove(walk(pair, then))).toMatchObject({ do: "retry", step: 0 });
  });

  it("never repeats what a caller did wrong, and never goes on past the deadline", () => {
    const places = [{ id: "a1" }, { id: "a2" }];
    expect(nextMove(walk(places, [{ step: 0, fault: fault("caller") }])).do).toBe("stop");
    const late = walk(places, [{ step: 0, fault: fault("timeout") }], { remaining: 0 });
    expect(nextMove(late).do).toBe("stop");
  });

  it("passes over everything that shares a refused credential, and nothing else", () => {
    const places = [
      { id: "a1", credentialId: "one" },
      { id: "a2", credentialId: "one" },
      { id: "a3", credentialId: "two" },
    ];
    const refused = [{ step: 0, fault: fault("deployment", { status: 401 }) }];
    expect(nextMove(walk(places, refused))).toMatchObject({ step: 2 });
    const absent = [{ step: 0, fault: fault("deployment", { status: 404 }) }];
    expect(nextMove(walk(places, absent))).toMatchObject({ step: 1 });
    const ofModel = fault("deployment", { status: 403, message: "no access to model m" });
    expect(nextMove(walk(places, [{ step: 0, fault: ofModel }]))).toMatchObject({ step: 1 });
  });

  it("looks for another model after a filter and for a larger window after a long prompt, own chains first", () => {
    const places: Place[] = [
      { id: "a1", model: "m", window: 8 },
      { id: "a2", model: "m", window: 8 },
      { id: "b1", group: "b", model: "n", window: 4 },
      { id: "c1", group: "c", model: "o", window: 16, when: "context_window" },
      { id: "d1", group: "d", model: "p", window: 8, when: "content_filter" },
    ];
    const filtered = [{ step: 0, fault: fault("content_filter", { status: 400 }) }];
    expect(nextMove(walk(places, filtered))).toMatchObject({ step: 4 });
    const long = [{ step: 0, fault: fault("context_window", { status: 400 }) }];
    expect(nextMove(walk(places, long))).toMatchObject({ step: 3 });
    const broken = [
      { step: 0, fault: fault("transient") },
      { step: 1, fault: fault("transient") },
    ];
    const once = walk(places, broken, { settings: { ...DEFAULTS, numRetries: 1 } });
    expect(nextMove(once)).toMatchObject({ step: 2 });
  });

  it("waits for a limited provider as long as it asks, but not where another is free or longer than is allowed", () => {
    const limited = (retryAfter: number) => [
      { step: 0, fault: fault("rate_limit", { retryAfter }) },
    ];
    const alone = [{ id: "a1" }];
    expect(nextMove(walk(alone, limited(3_000)))).toEqual({ do: "retry", step: 0, wait: 3_000 });
    expect(nextMove(walk(alone, limited(30_000))).do).toBe("stop");
    expect(nextMove(walk([...alone, { id: "a2" }], limited(3_000)))).toMatchObject({
      step: 1,
      wait: 0,
    });
    expect(nextMove(walk([...alone, { id: "b", group: "b" }], limited(3_000)))).toMatchObject({
      step: 1,
    });
    const short = walk(alone, limited(3_000), { remaining: 2_000 });
    expect(nextMove(short).do).toBe("stop");
  });

  it("goes back to who failed in passing where nobody new is left, if no later fault speaks against it", () => {
    const pair: Place[] = [
      { id: "a1", model: "m", credentialId: "one" },
      { id: "a2", model: "n", credentialId: "two" },
    ];
    const after = (second: UpstreamFault, places = pair, more: Partial<Walk> = {}) =>
      nextMove(
        walk(
          places,
          [
            { step: 0, fault: fault("rate_limit", { retryAfter: 700 }) },
            { step: 1, fault: second },
          ],
          more,
        ),
      );
    const refused = fault("deployment", { status: 401 });
    expect(after(refused)).toEqual({ do: "retry", step: 0, wait: 700 });
    for (const second of ["content_filter", "context_window", "incoherent"] as const) {
      expect(after(fault(second, { status: 400 }))).toMatchObject({ do: "retry", step: 0 });
    }
    const oneKey = pair.map((each) => ({ ...each, credentialId: "one" }));
    expect(after(refused, oneKey).do).toBe("stop");
    const oneModel = pair.map((each) => ({ ...each, model: "m" }));
    expect(after(fault("content_filter"), oneModel).do).toBe("stop");
    const once = { settings: { ...DEFAULTS, numRetries: 0 } };
    expect(after(refused, pair, once).do).toBe("stop");
    // A fallback comes before the wait, and the wait before giving up.
    const chain = [pair[0]!, { ...pair[1]!, group: "b" }];
    expect(nextMove(walk(chain, [{ step: 0, fault: fault("rate_limit", { retryAfter: 3_000 }) }]))).toMatchObject({ step: 1 }); // prettier-ignore
    expect(after(refused, chain)).toEqual({ do: "retry", step: 0, wait: 700 });
  });

  it("says where it was a budget that left nothing", () => {
    const tried = [{ step: 0, fault: fault("caller") }];
    const pair = [{ id: "a1" }, { id: "a2" }];
    const failed = [{ step: 0, fault: fault("deployment", { status: 404 }) }];
    expect(nextMove(walk(pair, failed, { passed: new Set([1]) }))).toEqual({
      do: "stop",
      why: "budgets refuse what is left to try",
    });
    expect(nextMove(walk(pair.slice(0, 1), failed))).toMatchObject({
      why: "nothing is left to try",
    });
    expect(nextMove(walk(pair, tried))).toMatchObject({ why: "the caller's request is at fault" });
  });

  it("waits from 80 ms on, longer each time, never much beyond 5 s, and the same for the same seed", () => {
    for (let seed = 0; seed < 200; seed++) {
      const waits = [1, 2, 3, 4, 20].map((n) => backoff(80, n, seed));
      expect(waits).toEqual([1, 2, 3, 4, 20].map((n) => backoff(80, n, seed)));
      for (const [i, base] of [80, 160, 320, 640, 5_000].entries()) {
        expect(waits[i]).toBeGreaterThanOrEqual(base);
        expect(waits[i]).toBeLessThanOrEqual(base * 1.5);
      }
    }
  });

  it("always ends, within the retries of each group, and only on places that are open", () => {
    const anyPlace = fc.record({
      group: fc.constantFrom("a", "b", "c"),
      model: fc.constantFrom("m", "n"),
      credentialId: fc.constantFrom("one", "two"),
      when: fc.constantFrom<StepWhen>("any", "content_filter", "context_window"),
      usable: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(anyPlace, { minLength: 1, maxLength: 6 }),
        fc.array(fc.constantFrom(...FAULT_CLASSES), { minLength: 40, maxLength: 40 }),
        fc.nat(3),
        (rows, faults, numRetries) => {
          const places = rows.map((row, n) => ({ ...row, id: `d${n}` }));
          const tried: Tried[] = [{ step: 0, fault: fault(faults[0] ?? "transient") }];
          for (let n = 1; n < 40; n++) {
            const move = nextMove(
              walk(places, tried, {
                settings: { ...DEFAULTS, numRetries },
                usable: ({ id }) => rows[Number(id.slice(1))]?.usable ?? false,
              }),
            );
            if (move.do === "stop") return;
            const row = rows[move.step];
            const before = tried.findLast(({ step: at }) => at === move.step)?.fault.class;
            if (before !== "rate_limit" || move.do === "next") expect(row?.usable).toBe(true);
            tried.push({ step: move.step, fault: fault(faults[n] ?? "transient") });
            for (const group of ["a", "b", "c"]) {
              const inside = tried.filter(
                (each) => rows[each.step]?.group === group && each.fault.class !== "unsupported",
              );
              expect(inside.length).toBeLessThanOrEqual(Math.max(1, numRetries + 1));
            }
          }
          expect.unreachable("the walk goes on for ever");
        },
      ),
      { numRuns: 300 },
    );
  });
});
