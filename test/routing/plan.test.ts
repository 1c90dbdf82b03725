import { describe, expect, it } from "vitest";
import type { Standing } from "../../worker/core/health.ts";
import type { Deployment } from "../../worker/core/model.ts";
import { STRATEGIES, type Strategy } from "../../worker/core/routing.ts";
import { UNKNOWN } from "../../worker/routing/health.ts";
import { ordered } from "../../worker/routing/order.ts";
import { makePlan, type Link, type PlanFacts } from "../../worker/routing/plan.ts";
import { strategyNamed } from "../../worker/core/router-settings.ts";
import { DEFAULTS } from "../../worker/routing/settings.ts";

const deployment = (id: string, more: Partial<Deployment> = {}): Deployment => ({
  id,
  group: "g",
  provider: "openai",
  model: id,
  protocol: "openai-chat",
  baseUrl: "https://api.example.com/v1",
  weight: 1,
  order: 0,
  tags: [],
  facts: { capabilities: {} },
  ...more,
});

/** Which of three comes first, over many draws. */
function firsts(
  strategy: Strategy,
  standings: Partial<Standing>[],
  estimates: (number | null)[] = [],
) {
  const seen = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const rated = ["a", "b", "c"].map((id, n) => ({
      deployment: deployment(id, { rpm: 100 }),
      standing: { ...UNKNOWN, ...standings[n] },
      estimate: estimates[n] ?? null,
    }));
    seen.add(ordered(rated, strategy, { seed, affinity: null })[0]?.deployment.id ?? "");
  }
  return [...seen].toSorted().join("");
}

describe("a strategy", () => {
  it("is known by both spellings, and by no other", () => {
    for (const name of STRATEGIES) expect(strategyNamed(name)).toBe(name);
    expect(strategyNamed("latency-based-routing")).toBe("lowest_latency");
    expect(strategyNamed("usage-based-routing-v2")).toBe("usage_based_routing_v2");
    expect(strategyNamed("constructor")).toBeNull();
  });

  it("takes the least busy, the fastest, the cheapest, the one farthest from its limits", () => {
    expect(firsts("least_busy", [{ inFlight: 3 }, { inFlight: 1 }, { inFlight: 2 }])).toBe("b");
    expect(firsts("lowest_latency", [{ latency: 900 }, { latency: 400 }, { latency: 100 }])).toBe(
      "c",
    );
    expect(firsts("lowest_cost", [], [30, 20, null])).toBe("b");
    const used = [
      { requests: 90, liveRequests: 1 },
      { requests: 10, liveRequests: 50 },
      { requests: 50, liveRequests: 20 },
    ];
    expect(firsts("lowest_tpm_rpm", used)).toBe("b");
    expect(firsts("usage_based_routing_v2", used)).toBe("a");
  });

  it("draws among equals, tries the unmeasured, and a probe before all, the never proven last", () => {
    expect(firsts("lowest_latency", [{ latency: 100 }, { latency: 105 }, { latency: 300 }])).toBe(
      "ab",
    );
    expect(firsts("lowest_latency", [{ latency: 100 }, { latency: null }, { latency: 300 }])).toBe(
      "b",
    );
    expect(firsts("lowest_latency", [{ latency: 100 }, {}, { latency: 300, state: "probe" }])).toBe(
      "c",
    );
    expect(firsts("simple_shuffle", [{ proven: false }, {}, {}])).toBe("bc");
  });

  it("keeps a conversation with one deployment, and moves only what that one held when it goes", () => {
    const all = ["a", "b", "c", "d"].map((id) => ({
      deployment: deployment(id),
      standing: UNKNOWN,
      estimate: null,
    }));
    for (let affinity = 0; affinity < 200; affinity++) {
      const pick = (from: typeof all, seed: number) =>
        ordered(from, "simple_shuffle", { seed, affinity })[0]?.deployment.id;
      const home = pick(all, 1);
      expect(pick(all, 2)).toBe(home);
      const without = all.filter(({ deployment: { id } }) => id !== "d");
      if (home !== "d") expect(pick(without, 3)).toBe(home);
    }
  });
});

describe("a plan", () => {
  const link = (deployments: Deployment[], more: Partial<Link> = {}): Link => ({
    group: "g",
    when: "any",
    why: "requested",
    deployments,
    settings: DEFAULTS,
    breaker: { allowedFails: 3, cooldown: 60_000, enabled: true },
    usual: DEFAULTS.timeouts,
    hard: [],
    ...more,
  });
  const facts = (more: Partial<PlanFacts> = {}): PlanFacts => ({
    needs: new Set(),
    tokens: 100,
    now: 0,
    draw: { seed: 1, affinity: null },
    standing: () => UNKNOWN,
    estimate: () => null,
    ...more,
  });

  it("names for each deployment the first filter that removes it, hard ones before all others", () => {
    const out: Standing = { ...UNKNOWN, state: "open", openUntil: 5_000, reason: "transient" };
    const all = [
      deployment("barred", { facts: { capabilities: { images: false } } }),
      deployment("blind", { facts: { capabilities: { images: false } } }),
      deployment("short", { facts: { capabilities: {}, contextWindow: 50 } }),
      deployment("ill"),
      deployment("full", { rpm: 1 }),
      deployment("well"),
    ];
    const made = makePlan(
      [
        link(all, {
          hard: [{ by: "policy", says: ({ id }) => (id === "barred" ? "rule 1" : null) }],
        }),
      ],
      facts({
        needs: new Set(["images"] as const),
        standing: ({ id }) => (id === "ill" ? out : { ...UNKNOWN, liveRequests: 1 }),
      }),
    );
    const by = Object.fromEntries(made.candidates.map((each) => [each.deployment, each.by]));
    expect(by).toEqual({
      barred: "policy",
      blind: "capability",
      short: "context_window",
      ill: "health",
      full: "limit",
      well: null,
    });
    expect(made.steps.map(({ deployment: { id } }) => id)).toEqual(["well"]);
    expect(made.resting.map(({ step }) => step.deployment.id)).toEqual(["ill"]);
  });

  it("goes along the chain in its order, each deployment once, lower tiers first", () => {
    const late = deployment("late", { order: 1 });
    const made = makePlan(
      [
        link([late, deployment("early")]),
        link([late, deployment("other")], { group: "h", why: "fallback" }),
      ],
      facts(),
    );
    expect(made.steps.map(({ group, deployment: { id } }) => `${group} ${id}`)).toEqual([
      "g early",
      "g late",
      "h other",
    ]);
  });
});
