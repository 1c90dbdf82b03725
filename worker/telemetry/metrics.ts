import { createHash, timingSafeEqual } from "node:crypto";
import type { Isolate } from "../core/isolate.ts";
import type { AuditObservation, Metrics, RequestObservation } from "../core/metrics.ts";
import { setAside } from "../core/set-aside.ts";
import { usdText } from "../core/money.ts";

// What this isolate counted since it began, as Prometheus text. No label names a key, user, request,
// team or organization; a label's values come from our own tables or from models that resolved.

interface Family {
  help: string;
  type: "counter" | "histogram";
  /** Bounds in seconds, for a histogram. */
  buckets?: readonly number[];
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const OWN_SECONDS = [0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1];

const FAMILIES = {
  litellm_request_total: { help: "Requests that ended.", type: "counter" },
  litellm_request_duration_seconds: {
    help: "Time from a request's arrival to the end of its answer.",
    type: "histogram",
    buckets: SECONDS,
  },
  litellm_tokens_total: { help: "Tokens by class.", type: "counter" },
  litellm_cost_total: { help: "List price of what was used, in US dollars.", type: "counter" },
  gateway_time_to_first_token_seconds: {
    help: "Time from a request's arrival to its first content.",
    type: "histogram",
    buckets: SECONDS,
  },
  gateway_overhead_seconds: {
    help: "The gateway's own share of a request's time.",
    type: "histogram",
    buckets: OWN_SECONDS,
  },
  gateway_attempts_total: { help: "Requests sent to providers.", type: "counter" },
  gateway_failovers_total: { help: "Attempts beyond a request's first.", type: "counter" },
  gateway_refusals_total: { help: "Refusals by code.", type: "counter" },
  gateway_audit_lag_seconds: {
    help: "Time until a decision was durable in the audit log.",
    type: "histogram",
    buckets: OWN_SECONDS,
  },
  gateway_audit_failures_total: {
    help: "Decisions that could not be made durable.",
    type: "counter",
  },
} as const satisfies Record<string, Family>;

type Name = keyof typeof FAMILIES;
type Labels = Record<string, string>;

/** A counter's value is `sum`; a histogram counts by bucket besides. */
interface Series {
  sum: number;
  count: number;
  buckets: number[];
}

/** A family grows no further than this; what comes later is counted under `other`. */
const MAX_SERIES = 1_000;

const countsOf = new WeakMap<Isolate, Map<Name, Map<string, Series>>>();

/** The counters of one isolate. */
export function makeMetrics(isolate: Isolate): Metrics {
  return {
    request: (seen) => observeRequest(isolate, seen),
    audit: (seen) => observeAudit(isolate, seen),
  };
}

/** Counts a request that ended. */
export function observeRequest(isolate: Isolate, seen: RequestObservation): void {
  const target = { model: seen.model ?? "none", provider: seen.provider ?? "none" };
  const ended = { ...target, status: String(seen.status) };
  add(isolate, "litellm_request_total", ended, 1);
  add(isolate, "litellm_request_duration_seconds", target, seen.durationMs / 1_000);
  for (const [kind, tokens] of Object.entries(seen.usage)) {
    if (typeof tokens !== "number" || tokens === 0) continue;
    add(isolate, "litellm_tokens_total", { ...target, class: kind }, tokens);
  }
  // Summed in nano-dollars, which are whole; the text says dollars.
  if (seen.cost > 0) add(isolate, "litellm_cost_total", target, seen.cost);
  add(isolate, "gateway_overhead_seconds", {}, seen.overheadMs / 1_000);
  if (seen.timeToFirstTokenMs !== null) {
    add(isolate, "gateway_time_to_first_token_seconds", target, seen.timeToFirstTokenMs / 1_000);
  }
  if (seen.attempts > 0) add(isolate, "gateway_attempts_total", target, seen.attempts);
  if (seen.attempts > 1) add(isolate, "gateway_failovers_total", target, seen.attempts - 1);
  if (seen.code !== null) add(isolate, "gateway_refusals_total", { code: seen.code }, 1);
}

/** Counts a decision that a request waited for. */
export function observeAudit(isolate: Isolate, seen: AuditObservation): void {
  if (seen.durable) add(isolate, "gateway_audit_lag_seconds", {}, seen.lagMs / 1_000);
  else add(isolate, "gateway_audit_failures_total", {}, 1);
}

/** Everything that this isolate counted, in Prometheus' text format. */
export function renderMetrics(isolate: Isolate): string {
  const counts = countsOf.get(isolate);
  const lines = [
    "# HELP gateway_work_in_hand Work that goes on after its response: settlements, records, refreshes.",
    "# TYPE gateway_work_in_hand gauge",
    `gateway_work_in_hand ${isolate.workInHand}`,
    "# HELP gateway_audit_quarantined_total Records that no retry could bring into the audit log; they lie in quarantine/ and dead/.",
    "# TYPE gateway_audit_quarantined_total counter",
    `gateway_audit_quarantined_total ${setAside.count}`,
  ];
  for (const name of Object.keys(FAMILIES) as Name[]) {
    const family: Family = FAMILIES[name];
    lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`);
    for (const [labels, series] of counts?.get(name) ?? []) {
      lines.push(...(family.buckets ? histogram(name, family.buckets, labels, series) : []));
      if (!family.buckets) lines.push(`${name}${braced(labels)} ${valueOf(name, series.sum)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Who may read the counters: the bearer of the metrics token, if one is set, or of the master key. */
export interface MetricsAccess {
  token: string | null;
  isMaster: (token: string) => boolean;
}

/** GET /metrics; null where the caller may not read them. */
export function answerMetrics(
  isolate: Isolate,
  request: Request,
  access: MetricsAccess,
): Response | null {
  const bearer = /^bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (bearer === undefined) return null;
  const known = access.token !== null && same(bearer, access.token);
  if (!known && !access.isMaster(bearer)) return null;
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
  return new Response(renderMetrics(isolate), { headers });
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function add(isolate: Isolate, name: Name, labels: Labels, value: number): void {
  let families = countsOf.get(isolate);
  if (!families) countsOf.set(isolate, (families = new Map()));
  let family = families.get(name);
  if (!family) families.set(name, (family = new Map()));
  let text = labelText(labels);
  if (!family.has(text) && family.size >= MAX_SERIES) {
    text = labelText(Object.fromEntries(Object.keys(labels).map((label) => [label, "other"])));
  }
  const { buckets }: Family = FAMILIES[name];
  const series = family.get(text) ?? {
    sum: 0,
    count: 0,
    buckets: Array<number>(buckets?.length ?? 0).fill(0),
  };
  family.set(text, series);
  series.sum += value;
  series.count++;
  const at = buckets?.findIndex((bound) => value <= bound) ?? -1;
  if (at >= 0) series.buckets[at] = (series.buckets[at] ?? 0) + 1;
}

function histogram(
  name: Name,
  bounds: readonly number[],
  labels: string,
  { sum, count, buckets }: Series,
): string[] {
  let below = 0;
  const comma = labels === "" ? "" : ",";
  const lines = bounds.map((bound, at) => {
    below += buckets[at] ?? 0;
    return `${name}_bucket{${labels}${comma}le="${bound}"} ${below}`;
  });
  lines.push(`${name}_bucket{${labels}${comma}le="+Inf"} ${count}`);
  lines.push(`${name}_sum${braced(labels)} ${sum}`, `${name}_count${braced(labels)} ${count}`);
  return lines;
}

function valueOf(name: Name, sum: number): string {
  return name === "litellm_cost_total" ? usdText(sum) : String(sum);
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}="${escaped(value)}"`)
    .join(",");
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

function escaped(value: string): string {
  return value
    .slice(0, 128)
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}
