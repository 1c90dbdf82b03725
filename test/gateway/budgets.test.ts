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
  expect([refused.status, refused.body.error?.budget["needed_usd"]]).toEqual([
    429,
    expect.stringMatching(/^0\.000[45]/),
  ]);
});

test("rate headers speak of the tightest scope, and a full minute says when the next begins", async () => {
  const key = await newKey({ rpm_limit: 2, tpm_limit: 100_000 });
  const first = await ask(key, { max_tokens: WORDS });
  expect(first.headers.get("x-ratelimit-limit-requests")).toBe("2");
  expect(first.headers.get("x-ratelimit-limit-tokens")).toBe("100000");
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
