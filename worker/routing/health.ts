import type {
  AttemptSeen,
  BreakerRules,
  CellView,
  HealthObjectPort,
  HealthPort,
  HealthReport,
  Standing,
} from "../core/health.ts";
import type { HealthMemory, OrgHealth, OwnCell } from "../core/isolate.ts";
import type { Deployment } from "../core/model.ts";
import { inTime } from "../core/time.ts";
import {
  announcedOf,
  errorRate,
  medianLatency,
  newCell,
  recent,
  settleCell,
  stateOf,
  take,
  useOf,
} from "./breaker.ts";
import { credentialOf } from "./walk.ts";

/** An isolate asks the object again after this long while there is traffic: well within the promised 2 s. */
const SYNC_MS = 1_000;
/** A flight older than this is void: the context that carried it may be gone (PLATFORM 5). */
const VOID_MS = 2_000;
const MOST_ORGS = 200;
/** A first request goes by what it knows if the object takes longer. */
const LEARN_MS = 1_000;
/** A request that would be refused without a probe is refused if the object takes longer. */
const PROBE_MS = 1_000;
const MOST_REPORTS = 500;
/** After so long without an answer of the object an isolate goes by what it knows alone. */
const ALONE_MS = 10_000;
/** The retry budget (PROTOCOLS 9). */
const BUDGET_WINDOW_MS = 10_000;
const BUDGET_LEAST = 10;
const BUDGET_SHARE = 0.2;
/** From this error rate on, further attempts at a deployment come out of the budget. */
const ILL = 0.5;

/** How a deployment stands of which nothing is known: in rotation. */
export const UNKNOWN: Readonly<Standing> = Object.freeze({
  state: "closed",
  openUntil: null,
  reason: null,
  proven: true,
  errorRate: 0,
  latency: null,
  inFlight: 0,
  requests: 0,
  tokens: 0,
  liveRequests: 0,
  liveTokens: 0,
  announced: 0,
});

/** What it takes to share health, of one request's world. */
export interface HealthWorld {
  memory: HealthMemory;
  isolate: string;
  object: (orgId: string) => HealthObjectPort;
  now: () => number;
  waitUntil: (work: Promise<unknown>) => void;
}

export interface HealthLearning {
  /**
   * Asks how things stand where this isolate has not heard it lately, for requests that wait for their organization
   * anyway. The answer's call takes it over: only once it is known that there is such an organization. Never rejects.
   */
  learn(orgId: string): Promise<() => void>;
}

/**
 * The isolate's view of its deployments: own failures count at once, what others saw comes with the exchange that is
 * made behind requests. Only a request that would otherwise be refused waits, for a probe.
 */
export function makeHealth(world: HealthWorld): HealthPort & HealthLearning {
  const { memory, now } = world;

  const seen = (orgId: string, cell: string, report: Omit<HealthReport, "cell">) => {
    const org = orgOf(memory, orgId);
    const own = cellOf(org, cell);
    const changed = take(own, report, report.rules, now());
    if (org.reports.length < MOST_REPORTS) org.reports.push({ cell, ...report });
    return changed;
  };

  return {
    async learn(orgId) {
      const known = memory.get(orgId);
      if (known !== undefined && now() - known.heardAt < SYNC_MS) return () => undefined;
      try {
        const views = await inTime(LEARN_MS, world.object(orgId).view());
        return () => {
          const org = orgOf(memory, orgId);
          org.heardAt = now();
          // A view grants nothing, and takes no grant away.
          const granted = (cell: string) => org.cells.get(cell)?.granted ?? false;
          adopt(
            org,
            views.map((view) => ({ ...view, granted: granted(view.cell) })),
            now(),
          );
        };
      } catch {
        return () => undefined;
      }
    },
    standing(orgId, deployment) {
      const org = memory.get(orgId);
      if (org === undefined) return UNKNOWN;
      if (now() - org.syncedAt >= SYNC_MS) exchange(world, orgId, org);
      return standingOf(org, deployment, now());
    },
    began(orgId, deployment, group) {
      const org = orgOf(memory, orgId);
      for (const name of namesOf(deployment)) {
        const own = name === deployment.id ? cellOf(org, name) : org.cells.get(name);
        if (own === undefined) continue;
        own.inFlight += 1;
        if (own.granted) {
          own.granted = false;
          own.probing = true;
        }
      }
      if (group !== null) budgetOf(org, group, now()).requests += 1;
      if (now() - org.syncedAt >= SYNC_MS) exchange(world, orgId, org);
    },
    ended(orgId, deployment, attempt, rules) {
      const org = orgOf(memory, orgId);
      const report = reportOf(attempt, rules);
      let urgent = false;
      for (const name of namesOf(deployment)) {
        const own = org.cells.get(name);
        if (own === undefined) continue;
        own.inFlight = Math.max(0, own.inFlight - 1);
        if (own.probing) {
          own.probing = false;
          urgent = true;
        }
        // The credential's cell learns only that it is accepted again; its refusals come by themselves.
        if (name !== deployment.id && !proves(attempt)) continue;
        urgent = seen(orgId, name, report) || urgent;
      }
      if (urgent) exchange(world, orgId, org);
    },
    refused(orgId, deployment, rules) {
      const report = { fault: "deployment", latency: null, tokens: 0, rules } as const;
      seen(orgId, credentialOf(deployment), report);
      exchange(world, orgId, orgOf(memory, orgId));
    },
    async probe(orgId, deployment) {
      const org = orgOf(memory, orgId);
      const out = namesOf(deployment).filter((name) => isOut(org.cells.get(name), now()));
      const asked = world.object(orgId).probe(world.isolate, out);
      const granted = await inTime(PROBE_MS, asked).catch(() => false);
      if (granted) for (const name of out) cellOf(org, name).granted = true;
      return granted;
    },
    mayAdd(orgId, group, deployment) {
      const org = orgOf(memory, orgId);
      if (standingOf(org, deployment, now()).errorRate <= ILL) return true;
      const budget = budgetOf(org, group, now());
      if (budget.extra >= Math.max(BUDGET_LEAST, budget.requests * BUDGET_SHARE)) return false;
      budget.extra += 1;
      return true;
    },
  };
}

/** The cells that a deployment depends on: its own, and its credential's. */
function namesOf(deployment: Deployment): [string, string] {
  return [deployment.id, credentialOf(deployment)];
}

function isOut(cell: OwnCell | undefined, now: number): boolean {
  return cell !== undefined && stateOf(cell, now) !== "closed";
}

function proves({ fault }: AttemptSeen): boolean {
  return (
    fault === null || fault === "caller" || fault === "content_filter" || fault === "context_window"
  );
}

function reportOf(seen: AttemptSeen, rules: BreakerRules): Omit<HealthReport, "cell"> {
  const { status: _, ...outcome } = seen;
  return { ...outcome, rules };
}

function standingOf(org: OrgHealth, deployment: Deployment, now: number): Standing {
  const own = org.cells.get(deployment.id);
  const credential = org.cells.get(credentialOf(deployment));
  if (own === undefined && credential === undefined) return UNKNOWN;
  const cells = [own, credential].filter((each) => each !== undefined);
  for (const each of cells) settleCell(each, now);
  const out = cells.filter((each) => isOut(each, now));
  for (const each of out) {
    each.wanted = true;
    // Without the object every isolate probes for itself, each after its own rest.
    const alone = now - org.heardAt > ALONE_MS && stateOf(each, now) === "due";
    if (alone && !each.probing) each.granted = true;
  }
  const state = out.length === 0 ? "closed" : out.every((each) => each.granted) ? "probe" : "open";
  const cell = own ?? newOwnCell();
  const use = useOf(cell, now);
  const remote = cell.remoteMinute === Math.floor(now / 60_000) ? cell.remote : NO_USE;
  const requests = remote.requests;
  const tokens = remote.tokens;
  return {
    state,
    openUntil: out.length === 0 ? null : Math.max(...out.map((each) => each.openUntil ?? now)),
    reason: out[0]?.reason ?? null,
    proven: cell.proven,
    errorRate: Math.max(errorRate(cell, now), remoteRate(cell, now)),
    latency: cell.remote.latency ?? medianLatency(cell),
    inFlight: cell.inFlight + cell.remote.inFlight,
    requests,
    tokens,
    liveRequests: requests + Math.max(0, use.requests - cell.reportedRequests) + cell.inFlight,
    liveTokens: tokens + Math.max(0, use.tokens - cell.reportedTokens),
    announced: announcedOf(cell, now)?.used ?? 0,
  };
}

const NO_USE = Object.freeze({ requests: 0, tokens: 0 });

/** What the others saw counts while this isolate has seen too little itself. */
function remoteRate(cell: OwnCell, now: number): number {
  const { ok, failed } = recent(cell, now);
  return ok + failed < 10 ? cell.remote.errorRate : 0;
}

function newOwnCell(): OwnCell {
  return {
    ...newCell(),
    inFlight: 0,
    granted: false,
    wanted: false,
    probing: false,
    reportedRequests: 0,
    reportedTokens: 0,
    remoteMinute: 0,
    remote: { errorRate: 0, latency: null, inFlight: 0, requests: 0, tokens: 0 },
  };
}

function orgOf(memory: HealthMemory, orgId: string): OrgHealth {
  const known = memory.get(orgId);
  if (known !== undefined) return known;
  if (memory.size >= MOST_ORGS) {
    const [oldest] = memory.keys();
    if (oldest !== undefined) memory.delete(oldest);
  }
  const fresh: OrgHealth = {
    cells: new Map(),
    reports: [],
    budgets: new Map(),
    syncedAt: 0,
    flightAt: null,
    heardAt: 0,
    again: false,
  };
  memory.set(orgId, fresh);
  return fresh;
}

function cellOf(org: OrgHealth, name: string): OwnCell {
  let cell = org.cells.get(name);
  if (cell === undefined) {
    cell = newOwnCell();
    org.cells.set(name, cell);
  }
  return cell;
}

function budgetOf(org: OrgHealth, group: string, now: number) {
  let budget = org.budgets.get(group);
  if (budget === undefined || now - budget.since >= BUDGET_WINDOW_MS) {
    budget = { since: now, requests: 0, extra: 0 };
    org.budgets.set(group, budget);
  }
  return budget;
}

/** One exchange behind a request, kept alive by it; at most one at a time, and one more where news came meanwhile. */
function exchange(world: HealthWorld, orgId: string, org: OrgHealth): void {
  const { now } = world;
  if (org.flightAt !== null && now() - org.flightAt < VOID_MS) {
    org.again = true;
    return;
  }
  org.flightAt = now();
  org.again = false;
  org.syncedAt = now();
  world.waitUntil(
    fly(world, orgId, org).then(() => {
      org.flightAt = null;
      if (org.again) exchange(world, orgId, org);
    }),
  );
}

async function fly(world: HealthWorld, orgId: string, org: OrgHealth): Promise<void> {
  const { now, isolate } = world;
  const reports = org.reports;
  org.reports = [];
  const inFlight: Record<string, number> = {};
  const probing: string[] = [];
  const wanting: string[] = [];
  for (const [name, cell] of org.cells) {
    if (cell.inFlight > 0) inFlight[name] = cell.inFlight;
    if (cell.probing) probing.push(name);
    if (cell.wanted) wanting.push(name);
    cell.wanted = false;
    const use = useOf(cell, now());
    cell.reportedRequests = use.requests;
    cell.reportedTokens = use.tokens;
  }
  try {
    const views = await world.object(orgId).sync({ isolate, reports, inFlight, probing, wanting });
    org.heardAt = now();
    adopt(org, views, now());
  } catch {
    // Health goes on with what is known here; what was not heard is told again.
    org.reports = [...reports, ...org.reports].slice(-MOST_REPORTS);
  }
}

/** Takes over what the object knows; what happened here meanwhile is played on top of it. */
function adopt(org: OrgHealth, views: readonly CellView[], now: number): void {
  for (const view of views) {
    const cell = cellOf(org, view.cell);
    cell.fails = view.fails;
    cell.openings = view.openings;
    cell.openUntil = view.openFor === null ? null : now + view.openFor;
    cell.paused = view.paused;
    cell.reason = view.reason;
    cell.proven = view.proven;
    if (view.announced !== null) {
      const { used, renewsIn } = view.announced;
      cell.announced = { used, until: now + renewsIn };
    }
    cell.granted = view.granted && !cell.probing;
    cell.remoteMinute = Math.floor(now / 60_000);
    cell.remote = {
      errorRate: view.errorRate,
      latency: view.latency,
      inFlight: view.inFlight,
      requests: view.requests,
      tokens: view.tokens,
    };
  }
  for (const report of org.reports) {
    const cell = cellOf(org, report.cell);
    const { minute, requests, tokens, buckets, latencies } = cell;
    take(cell, report, report.rules, now);
    // Its place in rotation is judged anew; it was counted when it happened.
    Object.assign(cell, { minute, requests, tokens, buckets, latencies });
  }
}
