// What the gateway itself takes to decide and try again, and to end a provider's stream when its caller leaves; backoff
// and the provider's own time are not counted. `node bench/retry.ts [times]`
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { root } from "../scripts/bundle.ts";
import { startGateway } from "../test/support/cluster/index.ts";
import { fails, startUpstream, text } from "../test/support/upstream/index.ts";
import type { Deployment } from "../worker/core/model.ts";
import { UNKNOWN } from "../worker/routing/health.ts";
import { makePlan } from "../worker/routing/plan.ts";
import { DEFAULTS } from "../worker/routing/settings.ts";
import { nextMove, type Tried } from "../worker/routing/walk.ts";

const [times = 200] = process.argv.slice(2).map(Number);
/** Deployments of the group that is planned and walked without a gateway; all but the last fail. */
const PLANNED = 10;
const BREAKER = { allowedFails: 3, cooldown: 60_000, enabled: true };
const FAULT = { class: "transient", status: 500, message: "down" } as const;

interface Row {
  case: string;
  times: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  worst: number;
  goalP99: number | null;
}

function row(name: string, goalP99: number | null, measured: readonly number[]): Row {
  const sorted = measured.toSorted((a, b) => a - b);
  const at = (part: number) =>
    Math.round((sorted[Math.ceil(sorted.length * part) - 1] ?? 0) * 1_000) / 1_000;
  return { case: name, times: sorted.length, p50: at(0.5), p99: at(0.99), worst: at(1), goalP99 };
}

/** A plan of ten, and the nine moves along it: the decisions of a whole request, as the path makes them. */
function decisions(count: number): number[] {
  const deployments = Array.from({ length: PLANNED }, (_, n): Deployment => ({
    id: `d${n}`,
    group: "g",
    provider: "openai",
    model: "m",
    protocol: "openai-chat",
    baseUrl: `https://d${n}.example.com/v1`,
    weight: 1,
    order: 0,
    tags: [],
    facts: { capabilities: {} },
  }));
  const settings = { ...DEFAULTS, numRetries: PLANNED };
  const hard = [] as const;
  const link = { group: "g", when: "any", why: "requested", deployments } as const;
  const draw = (seed: number) => {
    const began = performance.now();
    const { steps: plan } = makePlan(
      [{ ...link, settings, breaker: BREAKER, usual: settings.timeouts, hard: [...hard] }],
      {
        needs: new Set(),
        tokens: 10,
        now: 1_000_000,
        draw: { seed, affinity: null },
        standing: () => UNKNOWN,
        estimate: () => null,
      },
    );
    const tried: Tried[] = [];
    for (let step = 0; step >= 0 && step < PLANNED - 1;) {
      tried.push({ step, fault: FAULT });
      const walk = { plan, settings, tried, remaining: 60_000, seed, passed: new Set<number>() };
      const move = nextMove({ ...walk, usable: () => true });
      step = move.do === "stop" ? -1 : move.step;
    }
    return performance.now() - began;
  };
  for (let n = 0; n < 1_000; n++) draw(n);
  return Array.from({ length: count }, (_, n) => draw(n));
}

const up = await startUpstream();
const gw = await startGateway({ vars: { PROFILE: "self-hosted" } });

function ask(model: string, stream: boolean, signal?: AbortSignal): Promise<Response> {
  return fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gw.firstKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model, stream, messages: [{ role: "user", content: "hello" }] }),
    ...(signal !== undefined && { signal }),
  });
}

/** From the end of a provider's refusal to the arrival of the next attempt at another deployment, two loopbacks included. */
async function retries(count: number, stream: boolean): Promise<number[]> {
  const found: number[] = [];
  for (let n = -10; n < count; n++) {
    up.calls.clear();
    const answer = await ask("walks", stream);
    await answer.arrayBuffer();
    const [first, second] = up.calls.all;
    const [from, to] = [first?.at.end, second?.at.received];
    if (answer.status !== 200 || from === undefined || to === undefined) {
      throw new Error(`not answered by the second: ${answer.status}`);
    }
    if (n >= 0) found.push(to - from);
  }
  return found;
}

/** The same provider asked without a gateway, one request after the other: what the machine itself adds. */
async function bare(count: number): Promise<number[]> {
  const found: number[] = [];
  const body = JSON.stringify({ model: "alive", messages: [{ role: "user", content: "hello" }] });
  for (let n = -10; n < count; n++) {
    up.calls.clear();
    const began = performance.now();
    const answer = await fetch(`${up.url}/v1/chat/completions`, { method: "POST", body });
    await answer.arrayBuffer();
    const [call] = up.calls.all;
    if (n >= 0) found.push((call?.at.received ?? Infinity) - began);
  }
  return found;
}

/** From the caller's hang-up to the end of the provider's stream, which sends an event every 20 ms. */
async function cancels(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let n = -3; n < count; n++) {
    up.calls.clear();
    const leave = new AbortController();
    const answer = await ask("endless", true, leave.signal);
    await answer.body?.getReader().read();
    const [call] = up.calls.all;
    await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 20));
    const left = performance.now();
    leave.abort();
    await call?.aborted;
    if (n >= 0) found.push((call?.at.end ?? Infinity) - left);
  }
  return found;
}

try {
  up.model("dead", fails("server_error"));
  up.model("alive", text("hello"));
  up.model("endless", { ...text("word ".repeat(5_000)), delay: 20 });
  const target = { upstream: up, organizationId: gw.tenant.organizationId };
  await gw.newModel("walks", { ...target, model: "dead" });
  await gw.newModel("walks", { ...target, model: "alive" }, { order: 1 });
  await gw.newModel("endless", target);
  await gw.configure(gw.tenant.organizationId, { disable_cooldowns: true });
  const loadBefore = loadavg()[0];
  const rows = [
    row("plan of ten and nine moves, pure", 50, decisions(times * 10)),
    row("a request's way to the provider, no gateway", null, await bare(times)),
    row("next attempt after a refusal, buffered", 50, await retries(times, false)),
    row("next attempt after a refusal, streamed", 50, await retries(times, true)),
    row("time to cancel", 100, await cancels(Math.ceil(times / 4))),
  ];
  const git = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root });
  const commit = git.toString().trim();
  const at = new Date().toISOString();
  const result = {
    at,
    commit,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    node: process.version,
    loadAverage: [loadBefore, loadavg()[0]],
    rows,
  };
  mkdirSync(join(root, "bench/results"), { recursive: true });
  const name = `retry-${at.slice(0, 16).replace(/[:T]/g, "-")}-${commit}.json`;
  writeFileSync(join(root, "bench/results", name), `${JSON.stringify(result, null, 1)}\n`);
  process.stdout.write(`${JSON.stringify(result, null, 1)}\n`);
} finally {
  await gw.stop();
  await up.stop();
}
