import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster, type Worker } from "../support/cluster/index.ts";
import { fails, startUpstream, text, type Upstream } from "../support/upstream/index.ts";

/** What one isolate saw is known at all others after this long, while they have traffic (milliseconds). */
const PROMISE = 2_000;

let cluster: Cluster;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  cluster = await startCluster({ workers: 4, vars: { PROFILE: "self-hosted" } });
  const { organizationId } = cluster.tenant;
  const target = { upstream: up, organizationId };
  await cluster.newModel("pair", { ...target, model: "dies" });
  await cluster.newModel("pair", { ...target, model: "lives" }, { order: 1 });
  up.model("lives", text("still here"));
});
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
});

const ask = (worker: Worker) => askWith(worker, cluster.tenant.key);

async function askWith(worker: Worker, key: string) {
  const answer = await fetch(`${worker.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "pair", messages: [{ role: "user", content: "hello" }] }),
  });
  await answer.text();
  return answer.status;
}

const dead = () => up.calls.all.filter((call) => call.model === "dies").length;

test("the first request of an isolate knows what the others saw", async () => {
  const tenant = await cluster.newTenant("newcomers");
  const { organizationId } = tenant;
  const target = { upstream: up, organizationId };
  const { model_id: id } = (await cluster.newModel("pair", { ...target, model: "dies" })) as {
    model_id: string;
  };
  await cluster.newModel("pair", { ...target, model: "lives" }, { order: 1 });
  up.model("dies", fails("server_error"));
  const [finder, ...newcomers] = cluster.workers as [Worker, ...Worker[]];
  for (let n = 0; n < 4; n++) expect(await askWith(finder, tenant.key)).toBe(200);
  // The finder tells behind its requests.
  interface Latest {
    states: Record<string, { state: string }>;
  }
  const latest = () =>
    cluster.admin<Latest>("GET", `/health/latest?organization_id=${organizationId}`);
  await expect
    .poll(async () => (await latest()).states[id]?.state, { timeout: 4_000 })
    .toBe("open");
  const before = dead();
  for (const worker of newcomers) expect(await askWith(worker, tenant.key)).toBe(200);
  expect(dead()).toBe(before);
}, 30_000);

test("a dead deployment is out after three failures, everywhere within 2 s; one probe finds it again, and only one", async () => {
  up.model("dies", text("fine so far"));
  for (const worker of cluster.workers) expect(await ask(worker)).toBe(200);

  // One isolate finds out; every caller is served all the same.
  up.model("dies", fails("server_error"));
  const before = dead();
  const [finder, ...others] = cluster.workers as [Worker, ...Worker[]];
  for (let n = 0; n < 6; n++) expect(await ask(finder)).toBe(200);
  expect(dead() - before).toBe(3);

  // The others hear of it in the exchange behind their own traffic.
  const heard = Date.now() + PROMISE;
  while (Date.now() < heard) {
    await Promise.all(others.map(ask));
    await wait(100);
  }
  const quiet = dead();
  const statuses = await Promise.all(
    Array.from({ length: 40 }, (_, n) => ask(cluster.workers[n % 4] as Worker)),
  );
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(dead()).toBe(quiet);
  // Each isolate may have met it itself before it heard.
  expect(quiet - before).toBeLessThanOrEqual(3 * cluster.workers.length);

  // It stays dead: while everybody asks, its rest of 5 s and more is ended by probes, one at a time.
  const since = Date.now();
  const marks: number[] = [];
  while (Date.now() - since < 7_000) {
    const held = dead();
    await Promise.all(cluster.workers.map(ask));
    if (dead() > held) marks.push(dead() - held);
    await wait(50);
  }
  expect(marks.length).toBeGreaterThan(0);
  expect(Math.max(...marks)).toBe(1);

  // It is back: the next probe brings it into every isolate's rotation.
  up.model("dies", text("back again"));
  await expect
    .poll(
      async () => {
        const held = dead();
        await Promise.all(cluster.workers.map(ask));
        return dead() - held;
      },
      { timeout: 25_000, interval: 100 },
    )
    .toBe(cluster.workers.length);
}, 60_000);
