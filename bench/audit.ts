// How soon a decision is durable, and how many requests are on record, while the log is sealed beside it: a gateway on
// this machine, the simulated provider, callers in parallel. `node bench/audit.ts [seconds] [callers]`
import { cpus } from "node:os";
import { startGateway } from "../test/support/cluster/index.ts";

const [seconds = 10, callers = 16] = process.argv.slice(2).map(Number);

const gw = await startGateway({ vars: { PROFILE: "self-hosted" } });
const master = { authorization: `Bearer ${gw.masterKey}` };

async function ask(): Promise<number> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gw.firstKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "sim/echo", messages: [{ role: "user", content: "hello" }] }),
  });
  await answer.text();
  return answer.status;
}

/** Cumulative counts by the histogram's bounds, in seconds. */
async function lags(): Promise<Map<number, number>> {
  const text = await (await fetch(`${gw.url}/metrics`, { headers: master })).text();
  const rows = text.matchAll(/^gateway_audit_lag_seconds_bucket\{.*?le="([^"]+)"\} (\d+)$/gm);
  return new Map(
    [...rows].map(([, le, count]) => [le === "+Inf" ? Infinity : Number(le), Number(count)]),
  );
}

async function stand(): Promise<{ size: number; pending: number }> {
  const answer = await fetch(`${gw.url}/audit-log/checkpoint`, { headers: master });
  return (await answer.json()) as { size: number; pending: number };
}

try {
  for (let n = 0; n < 50; n++) await ask();
  const [before, first] = [await lags(), await stand()];
  const began = performance.now();
  const statuses = new Map<number, number>();
  const call = async () => {
    while (performance.now() - began < seconds * 1_000) {
      const status = await ask();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const took = (performance.now() - began) / 1_000;
  const [after, last] = [await lags(), await stand()];
  const counts = [...after].map(([le, count]) => [le, count - (before.get(le) ?? 0)] as const);
  const total = counts.at(-1)?.[1] ?? 0;
  const within = (part: number) =>
    (counts.find(([, count]) => count >= total * part)?.[0] ?? Infinity) * 1_000;
  const row = {
    seconds: took,
    callers,
    statuses: Object.fromEntries(statuses),
    decisions: total,
    requestsPerSecond: total / took,
    recordsPerSecond: (last.size + last.pending - first.size - first.pending) / took,
    sealed: last.size - first.size,
    // Upper bounds of the histogram's buckets.
    durableWithinMs: { p50: within(0.5), p95: within(0.95), p99: within(0.99) },
    machine: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    node: process.version,
  };
  process.stdout.write(`${JSON.stringify(row, null, 2)}\n`);
} finally {
  await gw.stop();
}
