import type { AuditEventType, ShownRecord } from "../core/audit.ts";
import type { ErrorKind } from "../core/errors.ts";
import { isJsonObject } from "../core/json.ts";
import { nanoUsd, usdNumber } from "../core/money.ts";
import type { Verdict } from "../core/policy.ts";
import type { OrgShared } from "../core/records.ts";
import { link } from "../policy/evaluate.ts";
import type { LinkedDocument } from "../policy/decide.ts";
import type { Plan } from "../policy/plan.ts";
import { simulate } from "../policy/replay.ts";
import { resolve } from "../providers/resolve.ts";
import { readShared } from "../store/org-rows.ts";
import type { AdminContext } from "./context.ts";
import { currentPolicies } from "../store/policy-rows.ts";
import { notFound } from "./operation.ts";
import { candidatesOf } from "./policy-candidates.ts";
import { archived, gatewayOf, recordedOf, timeOf } from "./policy-decisions.ts";

/** Decisions that one simulation looks at, the newest. */
const MOST_DECISIONS = 5_000;
const PAGE = 500;

/** How a decision ended, as the table shows it. */
export interface Ended {
  rule: string | null;
  route: string | null;
  /** Refused by a rule, or since constraints left nothing that may serve. */
  blocked: boolean;
}

export interface Simulation {
  from: number;
  to: number;
  /** Recorded decisions that were replayed. */
  decisions: number;
  /** Requests that were refused before any policy was asked, and would be again. */
  unasked: number;
  /** True where the window holds more than are looked at. */
  cut: boolean;
  changed: number;
  /** Decisions that the new document would base on signals that were not recorded. */
  undetermined: number;
  /** Signals that were missing, most often first. */
  missing: string[];
  changes: { from: Ended; to: Ended; requests: number; example: string }[];
  blocks: { before: number; after: number };
  /** USD, of requests that are charged and whose price under the new route is known. */
  cost: { before: number; after: number; requests: number };
}

interface Charged {
  cost: number;
  input: number;
  output: number;
}

/**
 * What the decisions of a window would have been under another document, out of their recorded signals. The document takes
 * the place of the one of its scope; the others stay as they are in force.
 */
export async function simulateWindow(
  ctx: AdminContext,
  replaced: { scope: string; plan: Plan },
  from: number,
  to: number,
): Promise<Simulation> {
  const decisions = await recordsOf(
    ctx,
    ["request.routed", "request.blocked"],
    from,
    to,
    MOST_DECISIONS,
  );
  const outcomes = await recordsOf(ctx, ["request.completed"], from, to, MOST_DECISIONS * 2);
  const charged = new Map<string, Charged>();
  for (const record of outcomes.records) {
    charged.set(textIn(record, "request_id"), {
      cost: nanoUsd(Number(record["cost_usd"] ?? 0)),
      input: Number(record["tokens_input"] ?? 0),
      output: Number(record["tokens_output"] ?? 0),
    });
  }
  const shared = await readShared(ctx.deps.db, ctx.orgId);
  if (shared === null) throw notFound("organization", "organization_id");
  const price = pricing(ctx, shared);
  const whyNone = candidatesOf(ctx, shared);
  const documents = await documentsFor(ctx, replaced);
  const gateway = gatewayOf(ctx);
  const table = new Map<string, Simulation["changes"][number]>();
  const missing = new Map<string, number>();
  const sum: Simulation = {
    from,
    to,
    decisions: 0,
    unasked: 0,
    cut: decisions.cut,
    changed: 0,
    undetermined: 0,
    missing: [],
    changes: [],
    blocks: { before: 0, after: 0 },
    cost: { before: 0, after: 0, requests: 0 },
  };
  for (const record of decisions.records) {
    if (BEFORE_POLICY.has(textIn(record, "error"))) {
      sum.unasked++;
      continue;
    }
    const recorded = recordedOf(record) ?? {
      // Before there was a policy nothing was read: only rules that read nothing can be told.
      at: timeOf(record),
      signals: { values: {}, unknown: [], predicates: {} },
      parts: [],
    };
    const known = {
      ...recorded.signals,
      values: { ...askedFor(record), ...recorded.signals.values },
    };
    const teamId = textIn(record, "team_id") || shared.org.defaultTeamId;
    const result = simulate(documents(teamId), { at: recorded.at, signals: known }, gateway);
    sum.decisions++;
    const before = endedOf(record);
    const after = endOf(result.verdict);
    if (result.verdict !== null && !after.blocked) {
      after.blocked = whyNone(result.verdict, after.route ?? nameOf(record, before)) !== null;
    }
    if (result.missing.length > 0) {
      sum.undetermined++;
      for (const name of result.missing) missing.set(name, (missing.get(name) ?? 0) + 1);
      continue;
    }
    if (before.blocked) sum.blocks.before++;
    if (after.blocked) sum.blocks.after++;
    addCost(sum, record, charged.get(textIn(record, "request_id")), before, after, price);
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    sum.changed++;
    const key = JSON.stringify([before, after]);
    const row = table.get(key) ?? {
      from: before,
      to: after,
      requests: 0,
      example: textIn(record, "request_id"),
    };
    row.requests++;
    table.set(key, row);
  }
  sum.changes = [...table.values()].toSorted((a, b) => b.requests - a.requests).slice(0, 100);
  sum.missing = [...missing]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name]) => name)
    .slice(0, 20);
  sum.cost = {
    before: usdNumber(Math.round(sum.cost.before)),
    after: usdNumber(Math.round(sum.cost.after)),
    requests: sum.cost.requests,
  };
  return sum;
}

/** Refusals of the gate itself, which no policy changes. */
const BEFORE_POLICY: ReadonlySet<string> = new Set<ErrorKind>([
  "forbidden",
  "key_model_not_allowed",
  "team_model_not_allowed",
  "org_model_not_allowed",
  "feature_not_found",
]);

function textIn(record: ShownRecord, member: string): string {
  const value = record[member];
  return typeof value === "string" ? value : "";
}

type Price = (model: string, charged: Charged) => number | null;

function addCost(
  sum: Simulation,
  record: ShownRecord,
  charged: Charged | undefined,
  before: Ended,
  after: Ended,
  price: Price,
): void {
  if (charged === undefined) return;
  const asked = textIn(record, "model");
  const same = (before.route ?? asked) === (after.route ?? asked);
  const cost = after.blocked ? 0 : same ? charged.cost : price(after.route ?? asked, charged);
  if (cost === null) return;
  sum.cost.before += charged.cost;
  sum.cost.after += cost;
  sum.cost.requests++;
}

/** What the same tokens cost with a model: the mean over its deployments; null where no price is known. */
function pricing(ctx: AdminContext, shared: OrgShared): Price {
  return (model, { input, output }) => {
    const found = resolve(model, {
      shared,
      hasPlatformKey: (provider) => ctx.deps.platformKey(provider) !== null,
    });
    const prices = found.found ? found.candidates.flatMap(({ facts }) => facts.prices ?? []) : [];
    if (prices.length === 0) return null;
    const each = prices.map((one) => (one.input * input + one.output * output) / 1000);
    return each.reduce((total, one) => total + one, 0) / prices.length;
  };
}

/** The documents that would bind a team's requests. */
async function documentsFor(
  ctx: AdminContext,
  { scope, plan }: { scope: string; plan: Plan },
): Promise<(teamId: string | undefined) => LinkedDocument[]> {
  const rows = await currentPolicies(ctx.deps.db, ctx.orgId);
  const others = rows.filter((row) => row.scope !== scope);
  const found = await Promise.all(others.map((row) => archived(ctx, row)));
  const all = [...found, { scope, version: 0, hash: "", linked: link(plan) }];
  const of = (wanted: string) => all.filter((each) => each.scope === wanted);
  return (teamId) => [...of("org"), ...(teamId === undefined ? [] : of(teamId))];
}

/** Public signals that stand in every record. */
function askedFor(record: ShownRecord): Record<string, string> {
  const { model, endpoint } = record;
  return {
    ...(typeof model === "string" && { "content.model": model }),
    ...(typeof endpoint === "string" && { "content.endpoint": endpoint }),
  };
}

function endedOf(record: ShownRecord): Ended {
  const { event_type: type, rule_id: rule, route, error, candidates } = record;
  const removed = Array.isArray(candidates) && candidates.some((each) => byPolicy(each));
  return {
    rule: typeof rule === "string" ? rule : null,
    route: typeof route === "string" && error !== "policy_blocked" ? route : null,
    blocked:
      type === "request.blocked" &&
      (error === "policy_blocked" || (error === "policy_no_candidate" && removed)),
  };
}

function byPolicy(candidate: unknown): boolean {
  return isJsonObject(candidate) && candidate["dropped_by"] === "policy";
}

/** What a request asked for, under the name that an alias of its key or team stood for where that is on record. */
function nameOf(record: ShownRecord, { route }: Ended): string {
  return (route === null && textIn(record, "group")) || textIn(record, "model");
}

function endOf(verdict: Verdict | null): Ended {
  const blocked = verdict?.block != null;
  return { rule: verdict?.rule ?? null, route: blocked ? null : (verdict?.route ?? null), blocked };
}

async function recordsOf(
  ctx: AdminContext,
  types: AuditEventType[],
  from: number,
  to: number,
  most: number,
): Promise<{ records: ShownRecord[]; cut: boolean }> {
  const records: ShownRecord[] = [];
  let cut = false;
  for (const type of types) {
    let cursor: string | null = null;
    let left = most;
    do {
      const page = await ctx.deps
        .auditLog(ctx.orgId)
        .list({ type, from, to, limit: Math.min(PAGE, left), ...(cursor !== null && { cursor }) });
      records.push(...page.records);
      left -= page.records.length;
      cursor = page.records.length === 0 ? null : page.cursor;
    } while (cursor !== null && left > 0);
    cut ||= cursor !== null;
  }
  return { records, cut };
}
