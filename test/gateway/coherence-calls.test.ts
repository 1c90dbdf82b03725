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

async function ask(worker: Worker): Promise<Seen> {
  const answer = await fetch(`${worker.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${cluster.firstKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "counted", messages: [{ role: "user", content: "hello" }] }),
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

test("a cold isolate asks two objects at once and then the ledger, and a warm one asks nobody", async () => {
  const worker = cluster.workers[1] as Worker;
  const cold = await ask(worker);
  expect(before(cold).map(({ name, level }) => `${level} ${name}`)).toEqual([
    "1 env.ORG_CONTROL.open",
    "1 env.KEY_CHECK.verify",
    "2 env.LEDGER.hold",
  ]);
  expect(cold.sent?.depth).toBeLessThanOrEqual(2);

  const warm = await ask(worker);
  expect(warm.sent?.depth).toBe(0);
  // The ledger may be asked behind the request to fill up its slices; nobody waits for that.
  const others = before(warm).filter(({ name }) => name !== "env.LEDGER.hold");
  expect(others).toEqual([]);
});
