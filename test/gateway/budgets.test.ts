import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, text, type Upstream } from "../support/upstream/index.ts";

const WORDS = 40;
const ANSWER = Array.from({ length: WORDS }, (_, at) => `word${at}`).join(" ");

let gw: TestGateway;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  gw = await startGateway({ vars: { PROFILE: "self-hosted" } });
  const prices = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-5 };
  up.model("m", text(ANSWER));
  await gw.newModel("m", { upstream: up }, prices);
  await gw.newModel("unpriced", { upstream: up, model: "m" });
  const dear = { input_cost_per_token: 1e-4, output_cost_per_token: 1e-3, order: 1 };
  await gw.newModel("dear", { upstream: up, model: "m" }, dear);
  await gw.newModel("mixed", { upstream: up, model: "m" }, dear);
  await gw.newModel("mixed", { upstream: up, model: "m" }, { ...prices, order: 2 });
}, 60_000);
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
});

interface Told {
  choices: { finish_reason: string }[];
  usage: { completion_tokens: number };
  error?: { type: string; code: string; message: string; budget: Record<string, string> };
}

async function newKey(limits: object): Promise<string> {
  const { teamId: team_id } = gw.tenant;
  const made = await gw.admin<{ key: string }>("POST", "/key/generate", { team_id, ...limits });
  return made.key;
}

async function ask(key: string, more: object = {}) {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }], ...more }),
  });
  const body = (await answer.json()) as Told;
  return { status: answer.status, headers: answer.headers, body };
}

test("a request that a budget can't pay is refused with what is left, what it needs, and when the budget begins anew", async () => {
  const key = await newKey({ max_budget: 0.0001, budget_duration: "1mo" });
  const { status, headers, body } = await ask(key, { max_tokens: WORDS });
  expect(status).toBe(429);
  expect(body.error).toMatchObject({
    type: "budget_exceeded",
    code: "insufficient_quota",
    budget: { scope: "key", limit_usd: "0.0001", spent_usd: "0", reserved_usd: "0" },
  });
  expect(body.error?.message).toMatch(/key's budget of 0\.0001 USD has 0\.0001 left/);
  expect(headers.get("x-should-retry")).toBe("false");
  const now = new Date();
  const next = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)).toISOString();
  expect(headers.get("x-routero-budget-reset-at")).toBe(next);
  expect(body.error?.budget["reset_at"]).toBe(next);
});

test("a hard cap refuses without a budget and below one; a refusal by what never begins anew names no other budget's beginning", async () => {
  for (const more of [{}, { max_budget: 5 }]) {
    const key = await newKey({ hard_cap: 0.0001, ...more });
    const { status, headers, body } = await ask(key, { max_tokens: WORDS });
    expect([status, body.error?.budget]).toMatchObject([
      429,
      { scope: "key", limit_usd: "0.0001" },
    ]);
    expect(headers.get("x-routero-budget-reset-at")).toBeNull();
    const { info } = await gw.admin<{ info: object }>("GET", `/key/info?key=${key}`);
    expect(info).toMatchObject({ blocks_at_usd: 0.0001, budget_spend: 0, budget_reset_at: null });
  }
  const { teamId: team_id, userId: user_id } = gw.tenant;
  await gw.admin("POST", "/user/update", { user_id, max_budget: 1, budget_duration: "1mo" });
  await gw.admin("POST", "/team/member_add", { team_id, member: { user_id, role: "user" } });
  await gw.admin("POST", "/team/member_update", { team_id, user_id, max_budget_in_team: 1e-9 });
  const key = await newKey({ user_id, max_budget: 1, budget_duration: "1mo" });
  const refused = await ask(key);
  expect(refused.body.error?.budget).toMatchObject({ scope: "team_member", reset_at: null });
  expect(refused.headers.get("x-routero-budget-reset-at")).toBeNull();
  const user = await gw.admin<{ user_info: object }>("GET", `/user/info?user_id=${user_id}`);
  const budget_reset_at = expect.stringMatching(/-01T00:00:00.000Z$/) as unknown;
  expect(user.user_info).toMatchObject({ spend: 0, budget_spend: 0, budget_reset_at });
  const team = await gw.admin<{ team_memberships: object[] }>(
    "GET",
    `/team/info?team_id=${team_id}`,
  );
  expect(team.team_memberships).toMatchObject([{ user_id, max_budget_in_team: 1e-9, spend: 0 }]);
});

test("where the whole answer is too dear a shorter one is given and named, unless that is switched off", async () => {
  // 0.0004 USD pays the question and some 30 tokens.
  const limits = { max_budget: 0.0004 };
  const { status, headers, body } = await ask(await newKey(limits), { max_tokens: WORDS });
  expect([status, body.choices?.[0]?.finish_reason]).toEqual([200, "length"]);
  expect(headers.get("x-routero-degraded")).toBe("max_tokens");
  expect(body.usage.completion_tokens).toBeLessThan(WORDS);
  expect(body.usage.completion_tokens).toBeGreaterThanOrEqual(16);
  const strict = await newKey({ ...limits, tiers: { cap_output: false } });
  const refused = await ask(strict, { max_tokens: WORDS });
  // Nothing that others hold would help: it is refused for good.
  expect(refused.headers.get("x-should-retry")).toBe("false");
  expect([refused.status, refused.body.error?.budget["needed_usd"]]).toEqual([
    429,
    expect.stringMatching(/^0\.000[45]/),
  ]);
});

test("a deployment that a budget can't pay is passed over for the next in the chain, in its group and in a fallback", async () => {
  for (const tiers of [{}, { cap_output: false }]) {
    const key = await newKey({ max_budget: 0.002, tiers });
    for (const asked of [{ model: "mixed" }, { model: "dear", fallbacks: ["m"] }]) {
      const { status, headers, body } = await ask(key, { ...asked, max_tokens: WORDS });
      expect([status, body.usage?.completion_tokens]).toEqual([200, WORDS]);
      expect(headers.get("x-routero-degraded")).toBeNull();
      // The cheap one's price: a hundredth of the dear one's.
      expect(Number(headers.get("x-routero-response-cost"))).toBeLessThan(0.001);
    }
  }
  const poor = await ask(await newKey({ max_budget: 0.0001 }), { model: "mixed" });
  expect(poor.status).toBe(429);
  // What is named is what the cheapest needs.
  expect(poor.body.error?.message).toMatch(/or at least 0\.000[23]\d* with a short answer/);
  const unpaid = await newKey({ max_budget: 0.0001 });
  const unpriced = await ask(unpaid, { model: "dear", fallbacks: ["unpriced"] });
  expect(unpriced.body.error?.type).toBe("budget_exceeded");
});

test("rate headers speak of the tightest scope, and a full minute says when the next begins", async () => {
  const key = await newKey({ rpm_limit: 2, tpm_limit: 100_000 });
  const first = await ask(key, { max_tokens: WORDS });
  expect(first.headers.get("x-ratelimit-limit-requests")).toBe("2");
  expect(first.headers.get("x-ratelimit-limit-tokens")).toBe("100000");
  // What isolates have in stock is not used: each call takes one.
  const roomy = await newKey({ rpm_limit: 50, max_budget: 0.01 });
  const remaining = async () => {
    const { headers } = await ask(roomy, { max_tokens: WORDS });
    return Number(headers.get("x-ratelimit-remaining-requests"));
  };
  const [one, two, three] = [await remaining(), await remaining(), await remaining()];
  // A minute may end meanwhile.
  if (one > two && two > three) expect([one, two, three]).toEqual([49, 48, 47]);
  else expect([await remaining(), await remaining()]).toEqual([three - 1, three - 2]);
  const refused = await ask(roomy, { max_tokens: 900_000, n: 64 });
  expect(refused.headers.get("x-ratelimit-limit-requests")).toBe("50");
  let last = first;
  for (let n = 0; n < 4 && last.status === 200; n++) last = await ask(key, { max_tokens: WORDS });
  expect([last.status, last.body.error?.code]).toEqual([429, "rate_limit_exceeded"]);
  const wait = Number(last.headers.get("retry-after"));
  const left = 60 - (Date.now() % 60_000) / 1000;
  expect(Math.abs(wait - left)).toBeLessThan(3);
});

test("without a price nothing is served under a budget, and without a budget it is", async () => {
  const limited = await ask(await newKey({ max_budget: 5 }), { model: "unpriced" });
  expect([limited.status, limited.body.error?.code]).toEqual([400, "price_unknown"]);
  expect((await ask(await newKey({}), { model: "unpriced" })).status).toBe(200);
});

test("a budget of /budget/new holds for its team, for a model group whoever calls it, and shows how it stands", async () => {
  const { organizationId: organization_id } = gw.tenant;
  const made = await gw.admin<Record<string, unknown>>("POST", "/budget/new", {
    organization_id,
    route: "m",
    max_budget: 0.0001,
  });
  expect(made).toMatchObject({ route: "m", blocks_at_usd: 0.0001 });
  const key = await newKey({});
  await expect
    .poll(async () => (await ask(key, { max_tokens: WORDS })).body.error?.budget?.["scope"], {
      timeout: 6_000,
    })
    .toBe("group");
  await gw.admin("POST", "/budget/delete", { organization_id, id: made["budget_id"] });
  await expect
    .poll(async () => (await ask(key, { max_tokens: WORDS })).status, { timeout: 6_000 })
    .toBe(200);
});

test.concurrent("budgets begin anew by the organization's clock, and follow it when it is set to another zone", async ({
  expect,
}) => {
  const { organizationId: organization_id, key } = await gw.newTenant("zoned");
  const prices = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-5 };
  await gw.newModel("m", { upstream: up, organizationId: organization_id }, prices);
  const limits = { max_budget: 0.0001, budget_duration: "1d" };
  await gw.admin("POST", "/key/update", { organization_id, key, ...limits });
  const reset = async () => (await ask(key, { max_tokens: WORDS })).body.error?.budget["reset_at"];
  const hour = (text: string | undefined) => new Date(text ?? NaN).getUTCHours();
  await expect.poll(async () => hour(await reset()), { timeout: 10_000 }).toBe(0);
  await gw.admin("PATCH", "/organization/update", { organization_id, time_zone: "Asia/Tokyo" });
  expect(hour(await reset())).toBe(15);
}, 30_000);

test.concurrent("whatever has a soft budget is warned of, also without another; the first request that a budget refuses is told", async ({
  expect,
}) => {
  const { organizationId: organization_id, teamId, userId, key } = await gw.newTenant("soft");
  const prices = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-5 };
  await gw.newModel("m", { upstream: up, organizationId: organization_id }, prices);
  const soft = { organization_id, soft_budget: 0.000001 };
  await gw.admin("PATCH", "/organization/update", soft);
  await gw.admin("POST", "/team/update", { ...soft, team_id: teamId });
  await gw.admin("POST", "/user/update", { ...soft, user_id: userId });
  await gw.admin("POST", "/customer/new", { ...soft, user_id: "anna" });
  await gw.admin("POST", "/budget/new", { ...soft, route: "m" });
  await gw.admin("POST", "/key/update", { ...soft, key });
  const told = async (type: string) => {
    const query = new URLSearchParams({ organization_id, event_type: type });
    const { data } = await gw.admin<{ data: Record<string, string>[] }>(
      "GET",
      `/audit-log?${query.toString()}`,
    );
    return data.map(({ scope, threshold }) => `${scope} ${threshold}`).toSorted();
  };
  const scopes = ["customer", "group", "key", "org", "team", "user"];
  await expect
    .poll(
      async () => {
        await ask(key, { max_tokens: WORDS, user: "anna" });
        return told("budget.threshold_reached");
      },
      { timeout: 20_000 },
    )
    .toEqual(scopes.map((scope) => `${scope} soft`));
  await gw.admin("POST", "/key/update", { organization_id, key, max_budget: 0.000002 });
  await expect
    .poll(
      async () => {
        expect((await ask(key, { max_tokens: WORDS })).status).toBe(429);
        return told("budget.exceeded");
      },
      { timeout: 20_000, interval: 500 },
    )
    .toContain("key refused");
  // What settled only now has reached the new budget besides; each is told once, and of nothing else.
  const exceeded = await told("budget.exceeded");
  expect(exceeded.filter((each) => each !== "key budget")).toEqual(["key refused"]);
  expect(exceeded.length).toBeLessThanOrEqual(2);
}, 60_000);
