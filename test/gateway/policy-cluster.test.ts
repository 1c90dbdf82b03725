import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster, type Worker } from "../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../support/upstream/index.ts";

/** A published policy is in force everywhere this long after it was acknowledged (milliseconds). */
const PROMISE = 5_000;

let cluster: Cluster;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  cluster = await startCluster({ workers: 4, vars: { PROFILE: "self-hosted" } });
  const organizationId = cluster.tenant.organizationId;
  for (const name of ["a", "b"]) await cluster.newModel(name, { upstream: up, organizationId });
});
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
});

interface Seen {
  worker: string;
  /** When the request was sent, by the clock of this test. */
  sentAt: number;
  status: number;
  version: number;
  rule: string | null;
  route: string | null;
  hash: string | null;
}

async function ask(worker: Worker): Promise<Seen> {
  const sentAt = performance.now();
  const answer = await fetch(`${worker.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${cluster.firstKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "a", messages: [{ role: "user", content: "hi" }] }),
  });
  await answer.text();
  return {
    worker: worker.name,
    sentAt,
    status: answer.status,
    version: Number(answer.headers.get("x-routero-policy-version") ?? 0),
    rule: answer.headers.get("x-routero-policy-rule"),
    route: answer.headers.get("x-routero-route"),
    hash: answer.headers.get("x-routero-policy-hash"),
  };
}

test("under traffic every worker follows each publication within 5 s, and no request sees two versions", async () => {
  const seen: Seen[] = [];
  let running = true;
  const traffic = cluster.workers.map(async (worker) => {
    while (running) {
      seen.push(await ask(worker));
      await wait(20);
    }
  });
  const acknowledged: { version: number; at: number; hash: string; route: string }[] = [];
  for (const route of ["b", "a", "b"]) {
    // Rule and route carry their version's mark: an answer that mixed two would show it.
    const yaml = `rules: [{ id: to-${route}-${acknowledged.length + 1}, route: ${route} }]`;
    const { version, hash } = await cluster.admin<{ version: number; hash: string }>(
      "PUT",
      `/policy/${cluster.tenant.organizationId}`,
      { yaml },
    );
    acknowledged.push({ version, at: performance.now(), hash, route });
    await expect
      .poll(
        () =>
          cluster.workers.every(
            ({ name }) => seen.findLast(({ worker }) => worker === name)?.version === version,
          ),
        // It is waited for here, and asserted below of each request by when it was sent.
        { timeout: 2 * PROMISE, interval: 50 },
      )
      .toBe(true);
  }
  running = false;
  await Promise.all(traffic);

  for (const { worker, sentAt, status, version, rule, route, hash } of seen) {
    expect(status).toBe(200);
    // What was acknowledged 5 s before a request was sent binds it.
    const least = acknowledged.findLast(({ at }) => sentAt - at > PROMISE)?.version ?? 0;
    expect(version, worker).toBeGreaterThanOrEqual(least);
    const published = acknowledged.find((each) => each.version === version);
    if (published === undefined) {
      expect([version, rule, route]).toEqual([0, null, "a"]);
      continue;
    }
    expect([hash, rule, route]).toEqual([
      published.hash,
      `to-${published.route}-${version}`,
      published.route,
    ]);
  }
  // No worker goes back.
  for (const { name } of cluster.workers) {
    const versions = seen.filter(({ worker }) => worker === name).map(({ version }) => version);
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    expect(new Set(versions).size).toBeGreaterThan(1);
  }
}, 60_000);

test("a worker that starts anew decides by the policy in force from its first request", async () => {
  const [worker] = cluster.workers;
  if (worker === undefined) throw new Error("There is no worker.");
  await worker.kill();
  await worker.start();
  expect(await ask(worker)).toMatchObject({ status: 200, version: 3, route: "b" });
});

test("a worker that can't reach the control plane refuses rather than decides by an old policy", async () => {
  const [worker] = cluster.workers;
  if (worker === undefined) throw new Error("There is no worker.");
  expect((await ask(worker)).status).toBe(200);
  cluster.partition(worker);
  await expect
    .poll(async () => (await ask(worker)).status, { timeout: PROMISE + 3_000, interval: 200 })
    .toBe(503);
  await cluster.heal(worker);
  await expect
    .poll(async () => (await ask(worker)).status, { timeout: 2 * PROMISE, interval: 200 })
    .toBe(200);
});
