import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster, type Worker } from "../support/cluster/index.ts";
import { mix, startUpstream, text, type Upstream } from "../support/upstream/index.ts";

let cluster: Cluster;
let up: Upstream;

beforeAll(async () => {
  up = await startUpstream();
  cluster = await startCluster({ workers: 2, vars: { PROFILE: "self-hosted" } });
  const { organizationId } = cluster.tenant;
  const target = { upstream: up, organizationId };
  for (const group of ["openai", "anthropic"] as const) {
    await cluster.newModel(group, { ...target, provider: group, model: `${group}-limited` });
    await cluster.newModel(group, { ...target, model: "free" }, { order: 1 });
  }
  await cluster.newModel("alone", { ...target, model: "openai-limited" });
  up.model("free", text("from the other"));
});
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
});

/** Asks and tells which model served; the status where none did. */
async function served(worker: Worker, model: string, stream: boolean): Promise<string> {
  const before = up.calls.all.length;
  const answer = await fetch(`${worker.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${cluster.tenant.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, stream, messages: [{ role: "user", content: "hello" }] }),
  });
  await answer.text();
  return answer.status === 200 ? String(up.calls.all[before]?.model) : String(answer.status);
}

const SECONDS = 3;
const announcing = {
  openai: () => ({
    "x-ratelimit-limit-requests": "10",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": `${SECONDS}s`,
  }),
  anthropic: () => ({
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-reset": new Date(
      Date.now() + SECONDS * 1000 + 999,
    ).toISOString(),
  }),
};

for (const [name, stream] of [
  ["openai", false],
  ["anthropic", true],
] as const) {
  test(`who announces that nothing is left is passed over until that renews, by all isolates: ${name}`, async () => {
    const limited = `${name}-limited`;
    const [first, other] = cluster.workers as [Worker, Worker];
    up.model(limited, text("fine"));
    expect(await served(first, name, stream)).toBe(limited);
    expect(await served(other, name, stream)).toBe(limited);

    up.model(limited, mix(text("my last"), { headers: announcing[name]() }));
    expect(await served(first, name, stream)).toBe(limited);
    expect(await served(first, name, stream)).toBe("free");
    up.model(limited, text("fine"));
    await expect
      .poll(() => served(other, name, stream), { timeout: 2_000, interval: 100 })
      .toBe("free");
    if (name === "openai") {
      // Where nothing else is left it is asked all the same: its own refusal would be the truth.
      expect(await served(first, "alone", stream)).toBe(limited);
    }
    for (const worker of cluster.workers) {
      await expect
        .poll(() => served(worker, name, stream), { timeout: 6_000, interval: 100 })
        .toBe(limited);
    }
  }, 20_000);
}
