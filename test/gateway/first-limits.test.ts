import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type Tenant, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, text, type Upstream } from "../support/upstream/index.ts";

const ANSWER = Array.from({ length: 40 }, (_, at) => `word${at}`).join(" ");

const PRICES = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-5 };

let gw: TestGateway;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  gw = await startGateway({ vars: { PROFILE: "self-hosted" } });
  up.model("m", text(ANSWER));
}, 60_000);
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
});

interface Refused {
  error: { code: string; budget: { scope: string; spent_usd: string } };
}

async function ask(key: string) {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }], user: "anna" }),
  });
  return { answer, body: (await answer.json()) as Refused };
}

/** Spends, and tells how much it was in US dollars. */
async function spend(key: string, times: number): Promise<number> {
  let sum = 0;
  for (let n = 0; n < times; n++) {
    const { answer } = await ask(key);
    expect(answer.status).toBe(200);
    sum += Number(answer.headers.get("x-routero-response-cost"));
  }
  expect(sum).toBeGreaterThan(0);
  return sum;
}

/** Asks until a limit is known to the isolate that answers. */
async function refusal(key: string, { poll }: typeof expect) {
  let last = await ask(key);
  const status = async () => (last = await ask(key)).answer.status;
  await poll(status, { timeout: 20_000, interval: 50 }).toBe(429);
  return last.body.error.budget;
}

type Limit = (tenant: Tenant, limits: Record<string, unknown>) => Promise<unknown>;

const FIRST: Record<string, Limit> = {
  org: ({ organizationId: organization_id }, limits) =>
    gw.admin("PATCH", "/organization/update", { organization_id, ...limits }),
  user: ({ userId: user_id, organizationId: organization_id }, limits) =>
    gw.admin("POST", "/user/update", { user_id, organization_id, ...limits }),
  customer: ({ organizationId: organization_id }, limits) =>
    gw.admin("POST", "/customer/new", { user_id: "anna", organization_id, ...limits }),
  group: ({ organizationId: organization_id }, limits) =>
    gw.admin("POST", "/budget/new", { route: "m", organization_id, ...limits }),
  key: ({ key, organizationId: organization_id }, limits) =>
    gw.admin("POST", "/key/update", { organization_id, key, ...limits }),
  model: ({ key, organizationId: organization_id }, { max_budget, budget_duration }) =>
    gw.admin("POST", "/key/update", {
      organization_id,
      key,
      model_max_budget: { m: { max_budget, budget_duration } },
    }),
};

for (const [kind, limit] of Object.entries(FIRST)) {
  test.concurrent(`a first limit of the ${kind} counts what was spent before it in its window`, async ({
    expect,
  }) => {
    const tenant = await gw.newTenant(kind);
    const { organizationId } = tenant;
    await gw.newModel("m", { upstream: up, organizationId }, PRICES);
    const spent = await spend(tenant.key, 6);
    await limit(tenant, { max_budget: spent / 2, budget_duration: "1mo" });
    const budget = await refusal(tenant.key, expect);
    expect(budget.scope).toBe(kind);
    // More than the limit itself: what came before it. A call's row may still be on its way.
    expect(Number(budget.spent_usd)).toBeGreaterThan(spent * 0.8);
  }, 60_000);
}

for (const limited of ["before", "after"]) {
  test.concurrent(`a key that moves to another team keeps what it spent, limited ${limited} it moves`, async ({
    expect,
  }) => {
    const tenant = await gw.newTenant(`mover ${limited}`);
    const { organizationId: organization_id } = tenant;
    await gw.newModel("m", { upstream: up, organizationId: organization_id }, PRICES);
    const team = await gw.admin<{ team_id: string }>("POST", "/team/new", { organization_id });
    const { key } = await gw.admin<{ key: string }>("POST", "/key/generate", {
      organization_id,
      team_id: tenant.teamId,
      ...(limited === "before" && { max_budget: 1, budget_duration: "1mo" }),
    });
    const spent = await spend(key, 6);
    const update = (fields: object) =>
      gw.admin("POST", "/key/update", { organization_id, key, ...fields });
    await update({ team_id: team.team_id });
    await update({ max_budget: spent / 2, budget_duration: "1mo" });
    const budget = await refusal(key, expect);
    expect(budget.scope).toBe("key");
    expect(Number(budget.spent_usd)).toBeGreaterThan(spent * 0.8);
  }, 60_000);
}
