import type { FaultClass } from "../core/fault.ts";
import type { AnnouncedLimits, BreakerRules, Cell } from "../core/health.ts";
import { MINUTE_MS } from "../core/time.ts";

/** What an attempt, or a check, tells of a cell. */
export interface Outcome {
  fault: FaultClass | "cancelled" | null;
  latency: number | null;
  tokens: number;
  /** Milliseconds that the provider asked to wait. */
  retryAfter?: number;
  limits?: AnnouncedLimits;
}

const BUCKET_MS = 10_000;
const BUCKETS = 6;
const LATENCIES = 32;
/** The first time out of rotation; it doubles up to the cooldown of the rules. */
const FIRST_REST_MS = 5_000;
/** So long an isolate may go on with a credential that was renewed, with a margin (PLATFORM 15). */
const STALE_MS = 10_000;
/** The rest of a credential that is refused although it was just found well. */
const RENEWED_REST_MS = 2_000;
/** A provider that limits and does not say for how long. */
const UNKNOWN_PAUSE_MS = 1_000;
/** No announced pause is believed beyond this. */
const LONGEST_PAUSE_MS = 600_000;
/** Of so many attempts in a minute more than half must have failed, where no three failed in a row. */
const ENOUGH = 10;

export function newCell(): Cell {
  return {
    fails: 0,
    openings: 0,
    openUntil: null,
    paused: false,
    reason: null,
    proven: true,
    buckets: [],
    latencies: [],
    minute: 0,
    requests: 0,
    tokens: 0,
  };
}

/**
 * Takes in how an attempt ended (PROTOCOLS 6). Faults of callers, filters and windows show that somebody
 * answers and count for nothing else; one that was cancelled, or of no use
 * as a continuation, says nothing. True when the cell's place in rotation changed.
 */
export function take(cell: Cell, outcome: Outcome, rules: BreakerRules, now: number): boolean {
  const before = cell.openUntil;
  const { fault, latency, tokens } = outcome;
  if (fault === "unsupported") return false;
  count(cell, tokens, now);
  const { limits } = outcome;
  if (limits !== undefined) {
    cell.announced = {
      used: limits.used,
      until: now + Math.min(limits.renewsIn, LONGEST_PAUSE_MS),
    };
  }
  switch (fault) {
    case "cancelled":
    case "incoherent":
      break;
    case null:
      bucketOf(cell, now).ok += 1;
      if (latency !== null) cell.latencies = [...cell.latencies.slice(1 - LATENCIES), latency];
      close(cell);
      // Its last answer for now: whoever comes next would only be refused.
      if (limits !== undefined && limits.used >= 1 && rules.enabled) {
        pause(cell, limits.renewsIn, now, "limit");
      }
      break;
    case "caller":
    case "missing":
    case "content_filter":
    case "context_window":
      close(cell);
      break;
    case "rate_limit":
      if (rules.enabled) pause(cell, outcome.retryAfter ?? UNKNOWN_PAUSE_MS, now, "rate_limit");
      break;
    default:
      bucketOf(cell, now).failed += 1;
      cell.fails += 1;
      if (rules.enabled && isOut(cell, fault, rules, now)) open(cell, fault, rules, now);
  }
  return cell.openUntil !== before;
}

function isOut(cell: Cell, fault: FaultClass, rules: BreakerRules, now: number): boolean {
  if (fault === "deployment" || cell.openUntil !== null) return true;
  if (cell.fails >= rules.allowedFails) return true;
  const { ok, failed } = recent(cell, now);
  return ok + failed >= ENOUGH && failed > ok && cell.fails > 0;
}

function open(cell: Cell, fault: FaultClass, rules: BreakerRules, now: number): void {
  // Attempts that were under way when it opened tell nothing new.
  if (cell.openUntil !== null && cell.openUntil > now && !cell.paused) return;
  cell.openings += 1;
  const grown = FIRST_REST_MS * 2 ** Math.min(cell.openings - 1, 20);
  // A refused credential is seldom mended in seconds, unless it just was: isolates may hold the former one.
  const renewed = cell.wellAt !== undefined && now - cell.wellAt < STALE_MS;
  const refused = renewed ? Math.min(rules.cooldown, RENEWED_REST_MS) : rules.cooldown;
  const rest = fault === "deployment" ? refused : Math.min(rules.cooldown, grown);
  cell.openUntil = now + rest;
  cell.openedAt = now;
  cell.paused = false;
  cell.reason = fault;
}

function pause(cell: Cell, ms: number, now: number, reason: "rate_limit" | "limit"): void {
  const until = now + Math.min(ms, LONGEST_PAUSE_MS);
  // What a provider demands is truer than what it announced.
  const foreseen = cell.paused && cell.reason === "limit" && reason === "rate_limit";
  if (!foreseen && cell.openUntil !== null && cell.openUntil >= until) return;
  if (cell.openUntil !== null && !cell.paused) return;
  cell.openUntil = until;
  cell.paused = true;
  cell.reason = reason;
}

function close(cell: Cell): void {
  cell.proven = true;
  cell.fails = 0;
  // An answer of an attempt that began before the pause does not end it.
  if (cell.paused) return;
  cell.openings = 0;
  cell.openUntil = null;
  cell.reason = null;
}

/** A check that began at `began` found it well: the next request may probe it. Of a failure since it knows nothing. */
export function foundWell(cell: Cell, began: number, now: number): void {
  cell.wellAt = now;
  if (cell.openUntil === null || cell.paused) return;
  if ((cell.openedAt ?? 0) < began) cell.openUntil = Math.min(cell.openUntil, now);
}

/** `due`: its rest is over, and one probe may show whether it is back. */
export function stateOf(cell: Cell, now: number): "closed" | "open" | "due" {
  if (cell.openUntil === null) return "closed";
  if (cell.openUntil > now) return "open";
  return cell.paused ? "closed" : "due";
}

/** A pause that is over leaves no trace. */
export function settleCell(cell: Cell, now: number): void {
  if (!cell.paused || cell.openUntil === null || cell.openUntil > now) return;
  cell.openUntil = null;
  cell.paused = false;
  cell.reason = null;
}

/** What is known of a provider's limits, as long as it holds. */
export function announcedOf({ announced }: Cell, now: number): AnnouncedLimits | null {
  if (announced === undefined || announced.until <= now) return null;
  return { used: announced.used, renewsIn: announced.until - now };
}

export function recent(cell: Cell, now: number): { ok: number; failed: number } {
  const since = now - BUCKET_MS * BUCKETS;
  let ok = 0;
  let failed = 0;
  for (const each of cell.buckets) {
    if (each.at <= since) continue;
    ok += each.ok;
    failed += each.failed;
  }
  return { ok, failed };
}

/** Share of failed attempts of the last minute. */
export function errorRate(cell: Cell, now: number): number {
  const { ok, failed } = recent(cell, now);
  return ok + failed === 0 ? 0 : failed / (ok + failed);
}

/** Median of the last answers; null where there were none. */
export function medianLatency(cell: Cell): number | null {
  if (cell.latencies.length === 0) return null;
  const sorted = cell.latencies.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** Requests and tokens of this clock minute. */
export function useOf(cell: Cell, now: number): { requests: number; tokens: number } {
  const { requests, tokens } = cell;
  return cell.minute === Math.floor(now / MINUTE_MS) ? { requests, tokens } : NO_USE;
}

const NO_USE = Object.freeze({ requests: 0, tokens: 0 });

function count(cell: Cell, tokens: number, now: number): void {
  const minute = Math.floor(now / MINUTE_MS);
  if (cell.minute !== minute) Object.assign(cell, { minute, requests: 0, tokens: 0 });
  cell.requests += 1;
  cell.tokens += tokens;
}

function bucketOf(cell: Cell, now: number): Cell["buckets"][number] {
  const at = now - (now % BUCKET_MS);
  const last = cell.buckets.at(-1);
  if (last !== undefined && last.at >= at) return last;
  const fresh = { at, ok: 0, failed: 0 };
  cell.buckets = [...cell.buckets.slice(1 - BUCKETS), fresh];
  return fresh;
}
