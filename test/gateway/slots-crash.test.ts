import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../support/cluster/index.ts";
import { startUpstream, text, type Upstream } from "../support/upstream/index.ts";

/** Seconds that the requests may run, by their own say; their slots come back half a minute after that. */
const TIMEOUT_S = 4;
const MARGIN_S = 30;
const SLOTS = 2;

let cluster: Cluster;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  cluster = await startCluster({ workers: 2, vars: { PROFILE: "self-hosted" } });
  const { organizationId } = cluster.tenant;
  up.model("quick", text("hello"));
  up.model("slow", { ...text("hello"), latency: 90_000 });
  for (const model of ["quick", "slow"]) {
    await cluster.newModel(model, { upstream: up, organizationId });
  }
}, 120_000);
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
});

test("slots of requests that died with their worker come back half a minute after those had to end, and not before", async () => {
  const [dying, other] = cluster.workers;
  if (dying === undefined || other === undefined) throw new Error("There are no two workers.");
  const { organizationId: organization_id, teamId: team_id } = cluster.tenant;
  const { key } = await cluster.admin<{ key: string }>("POST", "/key/generate", {
    organization_id,
    team_id,
    max_parallel_requests: SLOTS,
  });
  const ask = async (url: string, model: string) => {
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({
        model,
        timeout: TIMEOUT_S,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
    await answer.text();
    return answer.status;
  };
  const quick = () => ask(other.url, "quick");
  await expect.poll(quick, { timeout: 10_000 }).toBe(200);

  const began = Date.now();
  const passed = () => (Date.now() - began) / 1_000;
  const cut = Array.from({ length: SLOTS }, () => ask(dying.url, "slow").catch(() => "cut"));
  const slow = () => up.calls.all.filter((call) => call.model === "slow").length;
  await expect.poll(slow, { timeout: 3_000, interval: 20 }).toBe(SLOTS);
  await dying.kill();
  expect(await Promise.all(cut)).toEqual(["cut", "cut"]);
  expect(await quick()).toBe(429);
  // Longer than any lease lives: nothing is free before the requests' own end and the margin.
  await expect
    .poll(quick, { timeout: (TIMEOUT_S + MARGIN_S + 20) * 1_000, interval: 500 })
    .toBe(200);
  expect(passed()).toBeGreaterThanOrEqual(TIMEOUT_S + MARGIN_S);
  // All of them are free again, and no more than all.
  const from = slow();
  const running = Array.from({ length: SLOTS }, () => ask(other.url, "slow"));
  await expect.poll(slow, { timeout: 10_000, interval: 20 }).toBe(from + SLOTS);
  expect(await quick()).toBe(429);
  await Promise.all(running);
  await expect.poll(quick, { timeout: 25_000, interval: 200 }).toBe(200);
}, 150_000);
