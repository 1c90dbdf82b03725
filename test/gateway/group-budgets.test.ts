import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { nanoUsd } from "../../worker/core/money.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, text, type Upstream } from "../support/upstream/index.ts";

const ANSWER = "Six words are an answer here.";
/** Nano-dollars of a prompt token; an answer's costs ten times as much. */
const PRICE = { first: 2_000, second: 1_000 };
type Group = keyof typeof PRICE;

let gw: TestGateway;
let up: Upstream;
let organization_id: string;
const budgets: Partial<Record<Group, string>> = {};
const send = <T = Record<string, unknown>>(method: string, path: string, body: object) =>
  gw.admin<T>(method, path, { organization_id, ...body });

beforeAll(async () => {
  up = await startUpstream();
  gw = await startGateway({ vars: { PROFILE: "self-hosted" } });
  organization_id = gw.tenant.organizationId;
  for (const [model, nano] of Object.entries(PRICE)) {
    up.model(model, text(ANSWER));
    const price = { input_cost_per_token: nano / 1e9, output_cost_per_token: nano / 1e8 };
    await gw.newModel(model, { upstream: up, organizationId: organization_id }, price);
    const made = await send("POST", "/budget/new", { route: model, max_budget: 1 });
    budgets[model as Group] = String(made["budget_id"]);
  }
  await gw.configure(organization_id, {
    disable_cooldowns: true,
    num_retries: 0,
    fallbacks: [{ first: ["second"] }],
  });
}, 60_000);
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
});
beforeEach(() => limit({ first: { max_budget: 1 }, second: { max_budget: 1 } }));

const inForce = new Map<string, string>();
const NONE = { tiers: null, rpm_limit: null };

/** Waits until the gateway knows a model. */
async function known(model: string): Promise<void> {
  const headers = { authorization: `Bearer ${gw.firstKey}` };
  const models = async () => (await fetch(`${gw.url}/v1/models`, { headers })).text();
  await expect.poll(models, { timeout: 6_000 }).toContain(`"${model}"`);
}

async function limit(to: Partial<Record<Group, object>>): Promise<void> {
  for (const [group, limits] of Object.entries(to)) {
    if (JSON.stringify(limits) === inForce.get(group)) continue;
    inForce.set(group, JSON.stringify(limits));
    await send("POST", "/budget/update", {
      budget_id: budgets[group as Group],
      ...NONE,
      ...limits,
    });
  }
}

/** What the budget of a group says was spent, in nano-dollars. */
async function spent(group: Group): Promise<number> {
  const [budget] = await send<{ attached_to: { spent_usd: string }[] }[]>("POST", "/budget/info", {
    budgets: [budgets[group]],
  });
  return nanoUsd(Number(budget?.attached_to[0]?.spent_usd));
}

/** What the provider counted of a model's calls since then, in nano-dollars. */
function billed(group: Group, from: number): number {
  const calls = up.calls.all.slice(from).filter((call) => call.model === group);
  return calls.reduce(
    (sum, { billed: { input, output } }) => sum + (input + 10 * output) * PRICE[group],
    0,
  );
}

interface Told {
  error?: { code: string; budget?: { scope: string; id: string } };
}

async function ask(model: string, key = gw.firstKey) {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, max_tokens: 20, messages: [{ role: "user", content: "hi" }] }),
  });
  return { status: answer.status, body: (await answer.json()) as Told };
}

/** Asks, and expects that exactly what was billed is charged to the groups that served. */
async function served(model: string, by: Group, key?: string): Promise<void> {
  const before = { first: await spent("first"), second: await spent("second") };
  const from = up.calls.all.length;
  const { status, body } = await ask(model, key);
  expect([status, body.error]).toEqual([200, undefined]);
  expect(up.calls.all.at(-1)?.model).toBe(by);
  for (const group of ["second", "first"] as const) {
    const bill = billed(group, from);
    expect(bill > 0).toBe(group === by);
    await expect.poll(() => spent(group), { timeout: 5_000 }).toBe(before[group] + bill);
  }
}

test("a fallback is charged to the group that served, and to that alone; what it holds besides is on record", async () => {
  up.script("first", [{ failure: { kind: "server_error" } }]);
  await served("first", "second");
  const query = `organization_id=${organization_id}&event_type=request.hold_raised`;
  const { data } = await gw.admin<{ data: Record<string, unknown>[] }>(
    "GET",
    `/audit-log?${query}`,
  );
  expect(data).toHaveLength(1);
  const held = data[0]?.["leases"] as { scope: { kind: string; id: string } }[];
  const groups = held.filter(({ scope }) => scope.kind === "group").map(({ scope }) => scope.id);
  expect([data[0]?.["group"], groups]).toEqual(["second", ["first", "second"]]);
});

test("a group without room is passed over where the chain goes on, and refuses where it does not", async () => {
  await limit({ first: { max_budget: 0.0000001 } });
  await served("first", "second");
  await limit({ second: { max_budget: 0.0000001 } });
  const refused = await ask("second");
  expect([refused.status, refused.body.error?.budget]).toEqual([
    429,
    expect.objectContaining({ scope: "group", id: "second" }),
  ]);
  expect((await ask("first")).body.error?.budget).toMatchObject({ scope: "group", id: "first" });
});

test("a fallback to a group without room is not tried", async () => {
  await limit({ second: { max_budget: 0.0000001 } });
  const from = up.calls.all.length;
  up.script("first", [{ failure: { kind: "server_error" } }]);
  expect((await ask("first")).status).toBeGreaterThanOrEqual(500);
  expect(up.calls.all.slice(from).map(({ model }) => model)).toEqual(["first"]);
});

test("the smart router and named routers spend the budget of the group that they lead to", async () => {
  await served("smart/cheap", "second");
  await send("POST", "/model/new", {
    model_name: "desk",
    litellm_params: {
      model: "auto_router/desk",
      auto_router_default_model: "second",
      auto_router_config: { routes: [{ name: "first", utterances: ["write a novel"] }] },
    },
  });
  await known("desk");
  await served("desk", "second");
  await limit({ first: { max_budget: 0.0000001 }, second: { max_budget: 0.0000001 } });
  for (const name of ["smart/cheap", "desk"]) {
    expect([name, (await ask(name)).body.error?.budget?.scope]).toEqual([name, "group"]);
  }
});

test("a throttled group's calls are charged to the cheaper one", async () => {
  await served("first", "first");
  const used = await spent("first");
  await limit({ first: { max_budget: used / 1e9, tiers: { throttle: true } } });
  await served("first", "second");
});

test("limits on one model of a key count the attempts at that model, whatever was asked for", async () => {
  const key = await send<{ key: string }>("POST", "/key/generate", {
    team_id: gw.tenant.teamId,
    model_max_budget: { second: { budget_limit: 0.0000001, time_period: "1d" } },
  });
  await served("first", "first", key.key);
  expect((await ask("smart/cheap", key.key)).status).toBe(200);
  expect(up.calls.all.at(-1)?.model).toBe("first");
  expect((await ask("second", key.key)).body.error?.budget).toMatchObject({ scope: "model" });
});

test("requests per minute of a group count those that it serves", async () => {
  await limit({ second: { max_budget: 1, rpm_limit: 1 } });
  // A window is a minute of the clock; what follows has to fit into one.
  const left = 60_000 - (Date.now() % 60_000);
  if (left < 15_000) await pause(left);
  await served("smart/cheap", "second");
  await served("smart/cheap", "first");
  expect((await ask("second")).status).toBe(429);
}, 60_000);

test("a policy's route is charged to the group that it leads to", async () => {
  await limit({ first: { max_budget: 0.0000001 } });
  const put = await fetch(`${gw.url}/policy/ws_${organization_id.replace("org_", "")}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "text/yaml" },
    body: "rules: [{ id: to-second, route: second }]",
  });
  expect([put.status, await put.text()]).toEqual([200, expect.any(String)]);
  await expect.poll(async () => (await ask("first")).status, { timeout: 6_000 }).toBe(200);
  await limit({ second: { max_budget: 0.0000001 } });
  const from = up.calls.all.length;
  expect((await ask("first")).body.error?.budget).toMatchObject({ scope: "group", id: "second" });
  expect(up.calls.all.length).toBe(from);
});
