import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nanoUsd } from "../../worker/core/money.ts";
import { startCluster, type Cluster } from "../support/cluster/index.ts";
import { startUpstream, text, type Upstream } from "../support/upstream/index.ts";

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
  teamId: string;
  spent: () => Promise<{ spent: number; reserved: number; state: string }>;
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

/** All callers at once, buffered and streamed, over all workers and keys; each asks until it is served. */
async function race(limits: object, more: object): Promise<Race> {
  const { teamId, keys } = await newTeam(limits);
  const from = up.calls.all.length;
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
    return { spent: nanoUsd(shown.team_info.spend), reserved: 0, state: "" };
  };
  const served = status.filter((each) => each === 200).length;
  return { status, served, billed, calls: calls.length, teamId, spent };
}

const usd = (nano: number) => nano / 1e9;

test("callers of one team never spend more than its budget, and what fits is served", async () => {
  const budget = FITS * (await oneCall());
  const { served, billed, calls, spent } = await race(
    { max_budget: usd(budget) },
    { max_tokens: WORDS },
  );
  expect(billed).toBeLessThanOrEqual(budget);
  expect(served).toBeGreaterThanOrEqual(36);
  expect(calls).toBe(served);
  await expect.poll(async () => (await spent()).spent, { timeout: 5_000 }).toBe(billed);
}, 60_000);
