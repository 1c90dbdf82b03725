import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nanoUsd } from "../../worker/core/money.ts";
import { startCluster, type Cluster } from "../support/cluster/index.ts";
import { startUpstream, text, type Call, type Upstream } from "../support/upstream/index.ts";

/** Callers at the same time, and how long each asks again. */
const CALLERS = 64;
const PATIENCE_MS = 8_000;
const FITS = 40;

const WORDS = 20;
const ANSWER = Array.from({ length: WORDS }, (_, at) => `word${at}`).join(" ");
const PRICE = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-5 };
const QUESTION = [{ role: "user", content: "Say it in twenty words" }];

let cluster: Cluster;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  cluster = await startCluster({ workers: 4, vars: { PROFILE: "self-hosted" } });
  const { organizationId } = cluster.tenant;
  for (const model of ["race", "cheap"]) {
    up.model(model, { ...text(ANSWER), latency: 30 });
    const factor = model === "cheap" ? 0.1 : 1;
    await cluster.newModel(
      model,
      { upstream: up, organizationId },
      {
        input_cost_per_token: PRICE.input_cost_per_token * factor,
        output_cost_per_token: PRICE.output_cost_per_token * factor,
      },
    );
  }
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
});

interface Race {
  status: number[];
  served: number;
  /** What the provider counted, in nano-dollars. */
  billed: number;
  calls: number;
  models: string[];
  tokens: number;
  /** The most that the provider served at the same time. */
  most: number;
  minuteEnded: boolean;
  /** What the team's books say, in nano-dollars. */
  spent: () => Promise<number>;
}

/** What a provider would bill for a call, by its own count. */
function costOf(model: string, { input, output }: { input: number; output: number }): number {
  const factor = model === "cheap" ? 0.1 : 1;
  return Math.ceil((input * 1_000 + output * 10_000) * factor);
}

/** What one call comes to. */
async function oneCall(): Promise<number> {
  const before = up.calls.all.length;
  const answer = await ask(cluster.firstKey, 0, { max_tokens: WORDS });
  await answer.text();
  const call = up.calls.all[before];
  if (call === undefined) throw new Error(`no call: ${answer.status}`);
  return costOf("race", call.billed);
}

function ask(key: string, at: number, more: object): Promise<Response> {
  const { url } = cluster.workers[at % cluster.workers.length] ?? { url: "" };
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "race", messages: QUESTION, ...more }),
  });
}

async function newTeam(limits: object, keys = 8): Promise<{ teamId: string; keys: string[] }> {
  const organization_id = cluster.tenant.organizationId;
  const team = await cluster.admin<{ team_id: string }>("POST", "/team/new", {
    organization_id,
    team_alias: crypto.randomUUID(),
    ...limits,
  });
  const made = await Promise.all(
    Array.from({ length: keys }, () =>
      cluster.admin<{ key: string }>("POST", "/key/generate", {
        organization_id,
        team_id: team.team_id,
      }),
    ),
  );
  return { teamId: team.team_id, keys: made.map(({ key }) => key) };
}

/** All callers at once on the keys of a new team. */
async function race(limits: object, more: object): Promise<Race> {
  const { teamId, keys } = await newTeam(limits);
  return raceOn(keys, teamId, more);
}

/** Keys of one user in two teams. */
async function userOfTwoTeams(limits: object): Promise<{ teamIds: string[]; keys: string[] }> {
  const organization_id = cluster.tenant.organizationId;
  const { user_id } = await cluster.admin<{ user_id: string }>("POST", "/user/new", {
    organization_id,
    user_alias: crypto.randomUUID(),
    ...limits,
  });
  return twoTeams(organization_id, user_id);
}

/** Keys of two teams of one organization. */
async function orgOfTwoTeams(limits: object): Promise<{ teamIds: string[]; keys: string[] }> {
  const made = await cluster.admin<{ organization_id: string }>("POST", "/organization/new", {
    organization_alias: crypto.randomUUID(),
    ...limits,
  });
  const organizationId = made.organization_id;
  await cluster.newModel("race", { upstream: up, organizationId }, PRICE);
  return twoTeams(organizationId);
}

async function twoTeams(organization_id: string, user_id?: string) {
  const teamIds: string[] = [];
  const keys: string[] = [];
  for (let n = 0; n < 8; n++) {
    if (n % 4 === 0) {
      const team = await cluster.admin<{ team_id: string }>("POST", "/team/new", {
        organization_id,
        team_alias: crypto.randomUUID(),
      });
      teamIds.push(team.team_id);
    }
    const made = await cluster.admin<{ key: string }>("POST", "/key/generate", {
      organization_id,
      team_id: teamIds.at(-1),
      ...(user_id !== undefined && { user_id }),
    });
    keys.push(made.key);
  }
  return { teamIds, keys };
}

/** All callers at once, buffered and streamed, over all workers and keys; each asks until it is served. */
async function raceOn(keys: string[], teamId: string, more: object): Promise<Race> {
  const from = up.calls.all.length;
  const began = Date.now();
  const status: number[] = [];
  const until = Date.now() + PATIENCE_MS;
  const caller = async (at: number) => {
    while (Date.now() < until) {
      const stream = at % 2 === 0;
      const answer = await ask(keys[at % keys.length] ?? "", at, { ...more, stream });
      const said = await answer.text();
      status.push(answer.status);
      if (answer.status === 200) return;
      if (answer.status !== 429) throw new Error(said);
      await wait(50 + Math.random() * 100);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, at) => caller(at)));
  const calls = up.calls.all.slice(from);
  await Promise.all(calls.map((call) => call.ended));
  const billed = calls.reduce((sum, call) => sum + costOf(call.model, call.billed), 0);
  const spent = async () => {
    const shown = await cluster.admin<{ team_info: { spend: number } }>(
      "GET",
      `/team/info?team_id=${teamId}&organization_id=${cluster.tenant.organizationId}`,
    );
    return nanoUsd(shown.team_info.spend);
  };
  const served = status.filter((each) => each === 200).length;
  const tokens = calls.reduce((sum, { billed: { input, output } }) => sum + input + output, 0);
  const minute = (at: number) => Math.floor(at / 60_000);
  return {
    status,
    served,
    billed,
    calls: calls.length,
    models: calls.map((call) => call.model),
    tokens,
    most: atOnce(calls),
    minuteEnded: minute(began) !== minute(Date.now()),
    spent,
  };
}

/** How many calls were in flight together, at most. */
function atOnce(calls: Call[]): number {
  const marks = calls.flatMap(({ at: { received = 0, end = Infinity } }) => [
    { at: received, by: 1 },
    { at: end, by: -1 },
  ]);
  let now = 0;
  let most = 0;
  for (const { by } of marks.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

const usd = (nano: number) => nano / 1e9;

test.each([
  ["callers who name a length", {}, { max_tokens: WORDS }],
  ["callers who name none", {}, {}],
])(
  "%s never spend more than their team's budget, and what fits is served",
  async (_, tiers, more) => {
    const budget = FITS * (await oneCall());
    const { served, billed, calls, spent } = await race(
      { max_budget: usd(budget), ...tiers },
      more,
    );
    expect(billed).toBeLessThanOrEqual(budget);
    expect(served).toBeGreaterThanOrEqual(36);
    expect(calls).toBe(served);
    await expect.poll(spent, { timeout: 5_000 }).toBe(billed);
  },
  60_000,
);

test.each([
  ["an organization", orgOfTwoTeams],
  ["a user", userOfTwoTeams],
])(
  "the budget of %s is never overspent by two teams together, and what fits is served",
  async (_, make) => {
    const budget = FITS * (await oneCall());
    const { teamIds, keys } = await make({ max_budget: usd(budget) });
    const { served, billed, calls } = await raceOn(keys, teamIds[0] ?? "", { max_tokens: WORDS });
    expect(billed).toBeLessThanOrEqual(budget);
    expect(served).toBeGreaterThanOrEqual(36);
    expect(calls).toBe(served);
  },
  60_000,
);

test("a throttled team goes on with the cheaper model, and never beyond its cap", async () => {
  const budget = 20 * (await oneCall());
  const cap = Math.round(budget * 1.2);
  const { served, billed, models, spent } = await race(
    { max_budget: usd(budget), tiers: { throttle: true } },
    { max_tokens: WORDS },
  );
  const dear = models.filter((model) => model === "race").length;
  expect(dear).toBeLessThanOrEqual(20);
  expect(served).toBeGreaterThan(dear + 10);
  expect(billed).toBeLessThanOrEqual(cap);
  await expect.poll(spent, { timeout: 5_000 }).toBe(billed);
}, 60_000);

test("what a provider bills beyond its own cap is settled in full, and is all that is overspent", async () => {
  const factor = 1.5;
  up.model("race", { ...text(ANSWER), latency: 30, usage: { output: WORDS * factor } });
  try {
    const worst = 330_000;
    const budget = FITS * worst;
    const { billed, calls, spent } = await race({ max_budget: usd(budget) }, { max_tokens: WORDS });
    await expect.poll(spent, { timeout: 5_000 }).toBe(billed);
    // Each call is at most half its answer over what was held for it.
    expect(billed).toBeLessThanOrEqual(budget + calls * WORDS * 0.5 * 10_000);
  } finally {
    up.model("race", { ...text(ANSWER), latency: 30 });
  }
}, 60_000);

test("requests and tokens of a minute are never more than the limit, over all isolates", async () => {
  const requests = 24;
  const byRequests = await race({ rpm_limit: requests }, { max_tokens: WORDS });
  // A minute may end meanwhile.
  const minutes = 1 + Number(byRequests.minuteEnded);
  expect(byRequests.calls).toBeLessThanOrEqual(requests * minutes);
  expect(byRequests.served).toBeGreaterThanOrEqual(requests - 2);
  const tokens = 2_000;
  const byTokens = await race({ tpm_limit: tokens }, { max_tokens: WORDS });
  expect(byTokens.tokens).toBeLessThanOrEqual(tokens * (1 + Number(byTokens.minuteEnded)));
  expect(byTokens.served).toBeGreaterThanOrEqual(8);
}, 90_000);

test("a slot comes back when a stream's caller leaves and when a provider fails", async () => {
  const { keys } = await newTeam({ max_parallel_requests: 1 }, 1);
  const key = keys[0] ?? "";
  const served = async () => {
    const answer = await ask(key, 1, { max_tokens: WORDS });
    await answer.text();
    return answer.status;
  };
  up.model("slow", { ...text(ANSWER), latency: 90_000 });
  const { organizationId } = cluster.tenant;
  await cluster.newModel("slow", { upstream: up, organizationId }, PRICE);
  const leaving = new AbortController();
  const { url } = cluster.workers[0] ?? { url: "" };
  const from = up.calls.all.length;
  const gone = fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "slow", messages: QUESTION, max_tokens: WORDS, stream: true }),
    signal: leaving.signal,
  }).catch(() => null);
  await expect.poll(() => up.calls.all.length, { timeout: 10_000 }).toBeGreaterThan(from);
  expect(await served()).toBe(429);
  leaving.abort();
  await gone;
  await expect.poll(served, { timeout: 25_000, interval: 200 }).toBe(200);
  up.script("race", [{ failure: { kind: "bad_request" } }]);
  expect(await served()).toBe(400);
  await expect.poll(served, { timeout: 25_000, interval: 200 }).toBe(200);
}, 90_000);

test("no more requests run at a time than allowed, and every slot comes back", async () => {
  const parallel = 3;
  const { served, most } = await race({ max_parallel_requests: parallel }, { max_tokens: WORDS });
  expect(most).toBeLessThanOrEqual(parallel);
  expect(served).toBe(CALLERS);
}, 60_000);
