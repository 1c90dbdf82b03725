import { expect, it } from "vitest";
import type { Authorized } from "../../worker/core/call.ts";
import type { ScopeView } from "../../worker/core/account.ts";
import type { Standing } from "../../worker/core/health.ts";
import type { Deployment } from "../../worker/core/model.ts";
import type { Deps } from "../../worker/core/ports.ts";
import { UNKNOWN } from "../../worker/routing/health.ts";
import { choose } from "../../worker/stages/choose.ts";
import { chosen, deployment, world } from "./world.ts";

const budget: ScopeView = {
  limit: { cost: 1_000_000_000, requests: null, tokens: null },
  budget: 1_000_000_000,
  settled: { cost: 0, requests: 0, tokens: 0 },
  outstanding: { cost: 0, requests: 0, tokens: 0 },
  state: "ok",
  endsInMs: null,
  endsAt: null,
};

/** What removed each deployment of a group, where a budget affords nothing that has no price. */
async function reasons(
  standing: Standing,
): Promise<Record<string, [string | null, number | null]>> {
  const { deps } = world(() => new Response());
  const {
    facts: { prices: _, ...facts },
    ...rest
  } = deployment("unpriced");
  const unpriced: Deployment = { ...rest, facts };
  const {
    plan: __,
    settings: ___,
    ...call
  } = chosen({ model: "group", messages: [{ role: "user", content: "hi" }] }, [
    deployment("priced"),
    unpriced,
  ]);
  const used: Deps = {
    ...deps,
    health: { ...deps.health, standing: () => standing },
    account: {
      ...deps.account,
      async hold({ max }) {
        return { granted: true, holdId: "hold_1", leases: [], amount: max, views: [budget] };
      },
    },
  };
  const { explanation, plan } = await choose(used, call as Authorized);
  expect(plan.map((step) => step.deployment.id)).toEqual(["priced"]);
  return Object.fromEntries(
    explanation.candidates.map((each) => [each.deployment, [each.by, each.place ?? null]]),
  );
}

it("what a budget can't afford is dropped by the budget", async () => {
  expect(await reasons(UNKNOWN)).toEqual({ priced: [null, 0], unpriced: ["budget", null] });
});

it("what was dropped before keeps its reason, though it was let through and a budget drops it as well", async () => {
  const limited = {
    ...UNKNOWN,
    state: "open",
    reason: "limit",
    openUntil: Date.now() + 60_000,
  } as const;
  expect(await reasons(limited)).toEqual({ priced: ["health", null], unpriced: ["health", null] });
});
