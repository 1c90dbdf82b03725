import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster, type Worker } from "../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../support/upstream/index.ts";
import { wrapBundle, type WrappedBundle } from "../support/wrapped/bundle.ts";

let wrapped: WrappedBundle;
let cluster: Cluster;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  wrapped = await wrapBundle("calls");
  cluster = await startCluster({
    workers: 2,
    bundle: wrapped.folder,
    vars: { PROFILE: "self-hosted" },
  });
  await cluster.newModel("counted", {
    upstream: up,
    organizationId: cluster.tenant.organizationId,
  });
});
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
  await wrapped?.remove();
});

interface Seen {
  calls: { name: string; level: number; ended: boolean }[];
  /** What had begun, and the depth of what had ended, when the provider's request went out. */
  sent: { begun: number; depth: number } | null;
}

async function ask(worker: Worker, key = cluster.firstKey, more = {}): Promise<Seen> {
  const answer = await fetch(`${worker.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "counted",
      messages: [{ role: "user", content: "hello" }],
      ...more,
    }),
  });
  expect(answer.status).toBe(200);
  await answer.text();
  return JSON.parse(answer.headers.get("x-test-calls") ?? "null") as Seen;
}

/** What the path begins without awaiting it: the record of the decision, and the exchange about health. */
const RECORD = /^env\.(DB\.batch|TRAIL_QUEUE|AUDIT_LOG|PROVIDER_HEALTH)/;

/** What had begun when the provider's request went out, without the record. */
const before = ({ calls, sent }: Seen) =>
  calls.slice(0, sent?.begun).filter(({ name }) => !RECORD.test(name));

test("a cold isolate asks three objects at once and then the ledger, and a warm one asks nobody", async () => {
  const worker = cluster.workers[1] as Worker;
  const cold = await ask(worker);
  expect(before(cold).map(({ name, level }) => `${level} ${name}`)).toEqual([
    "1 env.ORG_CONTROL.open",
    "1 env.KEY_CHECK.verify",
    "2 env.LEDGER.hold",
  ]);
  // How deployments do is asked beside them.
  const health = cold.calls.filter(({ name }) => name.startsWith("env.PROVIDER_HEALTH"));
  expect(health[0]).toMatchObject({ name: "env.PROVIDER_HEALTH.view", level: 1 });
  expect(cold.sent?.depth).toBeLessThanOrEqual(2);

  const warm = await ask(worker);
  expect(warm.sent?.depth).toBe(0);
  // The ledger may be asked behind the request to fill up its slices; nobody waits for that.
  const others = before(warm).filter(({ name }) => name !== "env.LEDGER.hold");
  expect(others).toEqual([]);
});

test("with budgets on organization, team, user, key and customer a warm isolate still waits for nobody", async () => {
  const { organizationId: organization_id } = cluster.tenant;
  const make = <T>(path: string, input: object) =>
    cluster.admin<T>("POST", path, { organization_id, ...input });
  // Far above what a slice may come to: near a limit each request is held by itself, and that is a call.
  const budget = { max_budget: 1_000, budget_duration: "1mo", rpm_limit: 100_000 };
  await cluster.newModel(
    "priced",
    { upstream: up, model: "counted", organizationId: organization_id },
    { input_cost_per_token: 1e-6, output_cost_per_token: 1e-6 },
  );
  await make("/customer/new", { user_id: "c1", ...budget });
  const { team_id } = await make<{ team_id: string }>("/team/new", {
    team_alias: "five",
    ...budget,
  });
  const { user_id } = await make<{ user_id: string }>("/user/new", {
    user_email: "five@example.com",
    auto_create_key: false,
    ...budget,
  });
  await make("/team/member_add", { team_id, member: { role: "user", user_id } });
  const { key } = await make<{ key: string }>("/key/generate", { team_id, user_id, ...budget });
  await cluster.admin("PATCH", "/organization/update", { organization_id, ...budget });
  const worker = cluster.workers[0] as Worker;
  const more = { model: "priced", user: "c1", max_tokens: 16 };
  // What it has to borrow of: the team, what spans teams, and the customer.
  const cold = await ask(worker, key, more);
  expect(cold.calls.filter(({ name }) => name === "env.LEDGER.hold").length).toBeGreaterThanOrEqual(
    3,
  );
  const depths: (number | undefined)[] = [];
  for (let n = 0; n < 10; n++) depths.push((await ask(worker, key, more)).sent?.depth);
  expect(depths).toEqual(Array.from({ length: 10 }, () => 0));
});
