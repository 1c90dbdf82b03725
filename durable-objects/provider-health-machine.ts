import type {
  Accepted,
  BreakerRules,
  Cell,
  CellView,
  HealthCheck,
  HealthSync,
} from "../worker/core/health.ts";
import {
  announcedOf,
  errorRate,
  foundWell,
  medianLatency,
  newCell,
  recent,
  settleCell,
  stateOf,
  take,
  useOf,
} from "../worker/routing/breaker.ts";

/** How long a probe is kept for the isolate that it was granted to, unless it says that it runs. */
const GRANT_MS = 5_000;
/** A request that has nothing else left may have a probe before its time, this long after the last one. */
const EARLY_PROBE_MS = 500;
/** An isolate that was not heard for this long has nothing in flight any more. */
const SILENT_MS = 15_000;
/** A cell that nobody told anything about for this long is forgotten, unless it is out. */
const FORGET_MS = 3_600_000;
const MOST_CELLS = 5_000;

/** What outlives the object's memory: cells that are out or unproven, and the checks. */
export interface HealthStorage {
  load(): [name: string, cell: Cell][];
  /** Null takes it away. */
  keep(name: string, cell: Cell | null): void;
  addChecks(checks: HealthCheck[]): void;
  checks(request: { deployment?: string; limit: number }): HealthCheck[];
}

interface Shared {
  cell: Cell;
  probe: { holder: string; until: number } | null;
  /** Unix milliseconds; 0 = never. */
  probedAt: number;
  heardAt: number;
}

/**
 * The health of one organization's deployments, out of what all isolates report. It alone grants probes: one at a time.
 * Every call is one turn; nothing here waits.
 */
export class ProviderHealthMachine {
  readonly #storage: HealthStorage;
  readonly #now: () => number;
  readonly #cells = new Map<string, Shared>();
  readonly #flights = new Map<string, { at: number; counts: Record<string, number> }>();

  constructor(storage: HealthStorage, now: () => number) {
    this.#storage = storage;
    this.#now = now;
    for (const [name, cell] of storage.load()) this.#cells.set(name, sharedOf(cell, now()));
  }

  /** Takes in what an isolate saw and tells it how everything stands; grants it what it waits for. */
  sync({ isolate, reports, inFlight, probing, wanting }: HealthSync): CellView[] {
    const now = this.#now();
    for (const { cell: name, rules, ...outcome } of reports) {
      const shared = this.#of(name);
      shared.heardAt = now;
      if (shared.probe?.holder === isolate) {
        shared.probe = null;
        shared.probedAt = now;
      }
      if (take(shared.cell, outcome, rules, now)) this.#keep(name, shared.cell);
    }
    for (const name of probing) {
      const { probe } = this.#cells.get(name) ?? {};
      if (probe?.holder === isolate) probe.until = now + GRANT_MS;
    }
    this.#flights.set(isolate, { at: now, counts: inFlight });
    for (const name of wanting) this.#grant(name, isolate, now);
    return this.#views(isolate, now);
  }

  /** The probe of cells that a request depends on: all of them, or none. */
  probe(isolate: string, names: readonly string[]): boolean {
    const now = this.#now();
    const wanted = names.map((name) => this.#of(name));
    const free = wanted.every(({ cell, probe, probedAt }) => {
      const state = stateOf(cell, now);
      if (state === "closed") return true;
      if (probe !== null && probe.until > now && probe.holder !== isolate) return false;
      if (state === "due") return true;
      const early = !cell.paused && cell.reason !== "deployment";
      return early && probe === null && now - probedAt >= EARLY_PROBE_MS;
    });
    if (!free) return false;
    for (const shared of wanted) {
      if (stateOf(shared.cell, now) === "closed") continue;
      shared.probe = { holder: isolate, until: now + GRANT_MS };
      shared.probedAt = now;
    }
    return true;
  }

  expect(deployments: readonly string[]): void {
    for (const name of deployments) {
      const { cell } = this.#of(name);
      cell.proven = false;
      this.#keep(name, cell);
    }
  }

  /**
   * A check that finds a deployment well makes its probe due, unless it failed after the check began; one that finds it
   * refused or silent counts as an attempt.
   */
  checked(checks: HealthCheck[], rules: BreakerRules, accepted: readonly Accepted[] = []): void {
    const now = this.#now();
    this.#storage.addChecks(checks);
    for (const { deployment, result, fault, at } of checks) {
      const { cell } = this.#of(deployment);
      if (result === "unhealthy") {
        const outcome = { fault: fault ?? "transient", latency: null, tokens: 0 } as const;
        // It was so when the check began: a later one may know better.
        if (take(cell, outcome, rules, now)) cell.openedAt = at;
      } else {
        // What can't be checked is not held back for ever.
        cell.proven = true;
        if (result === "healthy") foundWell(cell, at, now);
      }
      this.#keep(deployment, cell);
    }
    for (const { credential, at } of accepted) {
      const { cell } = this.#of(credential);
      foundWell(cell, at, now);
      this.#keep(credential, cell);
    }
  }

  history(request: { deployment?: string; limit: number }): HealthCheck[] {
    return this.#storage.checks(request);
  }

  view(): CellView[] {
    return this.#views(null, this.#now());
  }

  #of(name: string): Shared {
    let shared = this.#cells.get(name);
    if (shared === undefined) {
      shared = sharedOf(newCell(), this.#now());
      this.#cells.set(name, shared);
      if (this.#cells.size > MOST_CELLS) this.#forget();
    }
    return shared;
  }

  #keep(name: string, cell: Cell): void {
    this.#storage.keep(name, cell.openUntil === null && cell.proven ? null : cell);
  }

  #grant(name: string, isolate: string, now: number): void {
    const shared = this.#cells.get(name);
    if (shared === undefined || stateOf(shared.cell, now) !== "due") return;
    if (shared.probe !== null && shared.probe.until > now) return;
    shared.probe = { holder: isolate, until: now + GRANT_MS };
  }

  #views(isolate: string | null, now: number): CellView[] {
    const elsewhere = this.#inFlight(isolate, now);
    const views: CellView[] = [];
    for (const [name, { cell, probe, heardAt }] of this.#cells) {
      settleCell(cell, now);
      if (cell.openUntil === null && now - heardAt > FORGET_MS && cell.proven) {
        this.#cells.delete(name);
        continue;
      }
      const { ok, failed } = recent(cell, now);
      views.push({
        cell: name,
        openFor: cell.openUntil === null ? null : Math.max(0, cell.openUntil - now),
        paused: cell.paused,
        granted: isolate !== null && probe?.holder === isolate && probe.until > now,
        reason: cell.reason,
        fails: cell.fails,
        openings: cell.openings,
        proven: cell.proven,
        errorRate: errorRate(cell, now),
        attempts: ok + failed,
        latency: medianLatency(cell),
        inFlight: elsewhere.get(name) ?? 0,
        ...useOf(cell, now),
        announced: announcedOf(cell, now),
      });
    }
    return views;
  }

  /** Attempts that run at isolates other than the one that asks. */
  #inFlight(isolate: string | null, now: number): Map<string, number> {
    const sums = new Map<string, number>();
    for (const [holder, { at, counts }] of this.#flights) {
      if (now - at > SILENT_MS) this.#flights.delete(holder);
      else if (holder !== isolate) {
        for (const [name, n] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + n);
      }
    }
    return sums;
  }

  /** Takes the longest unheard cell in rotation away. */
  #forget(): void {
    let oldest: string | null = null;
    let at = Infinity;
    for (const [name, { cell, heardAt }] of this.#cells) {
      if (cell.openUntil === null && cell.proven && heardAt < at) [oldest, at] = [name, heardAt];
    }
    if (oldest !== null) this.#cells.delete(oldest);
  }
}

function sharedOf(cell: Cell, now: number): Shared {
  return { cell, probe: null, probedAt: 0, heardAt: now };
}
