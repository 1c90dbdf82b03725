import { inTime, pause } from "../core/time.ts";
import { GatewayError } from "../core/errors.ts";
import type { Isolate, KeyCopy, OrgCopy } from "../core/isolate.ts";
import type { Directory, OrgControlPort } from "../core/ports.ts";
import type { Opened, OrgShared } from "../core/records.ts";
import { applyDelta, copyOf, holdCopy, holdOpened } from "./org-copies.ts";
import { heldBundles, holdBundles, policiesIn } from "./policy-bundles.ts";
import { Flights } from "./single-flight.ts";

/** Older copies are refreshed before they are used. */
const STALE_MS = 5_000;
/** While there is traffic, copies are brought up to date behind it at this pace. */
const SYNC_MS = 2_000;
/** A call that did not answer in this time failed. */
const CALL_MS = 2_000;
const MAX_JITTER_MS = 50;
/** How often a copy may change under an open before the request is refused. */
const MAX_ROUNDS = 4;

interface Parts {
  isolate: Isolate;
  control: (orgId: string) => Pick<OrgControlPort, "open" | "sync">;
  /** The oldest organization, out of the record. */
  firstOrg: () => Promise<string | null>;
  /**
   * Asks for what else requests of an organization go by, where this isolate has not heard it lately; the answer's call
   * takes it over. Never rejects, and does not take long.
   */
  besides: (orgId: string) => Promise<() => void>;
  now: () => number;
  waitUntil: (work: Promise<unknown>) => void;
}

type OpenedOrg = { shared: OrgShared } & Omit<Opened, "shared">;

const NO_KEY: KeyCopy = { key: null, team: null, user: null };

/** Flights of each isolate's memory. */
const flightsOf = new WeakMap<Isolate, Flights>();

/**
 * The isolate's coherent view of organizations. A copy that is young enough is answered without any I/O; a copy's age
 * counts from when the sync behind it was sent (PLATFORM 15). What can't be had fresh is refused, never served stale.
 */
export function makeDirectory(parts: Parts): Directory {
  const view = new View(parts);
  return {
    open: (orgId, keyId) => view.open(orgId, keyId),
    async openOrg(orgId) {
      const { shared } = await view.open(orgId, null);
      if (shared === NOBODY) {
        if (parts.isolate.firstOrg === orgId) parts.isolate.firstOrg = null;
        throw new GatewayError("not_found", "There is no such organization.");
      }
      return shared;
    },
    policiesOf: (shared, teamId) => policiesIn(parts.isolate, shared, teamId),
    async firstOrg() {
      parts.isolate.firstOrg ??= await view.call(parts.firstOrg);
      return parts.isolate.firstOrg;
    },
  };
}

/** Stands for an organization that does not exist: it has no keys, so that none of its keys is known. */
const NOBODY: OrgShared = Object.freeze({
  org: { id: "", alias: "", models: [], blocked: true, metadata: {} },
  deployments: [],
  credentials: [],
  blockedCustomers: [],
  policies: [],
});

class View {
  readonly #parts: Parts;
  readonly #flights: Flights;

  constructor(parts: Parts) {
    this.#parts = parts;
    let flights = flightsOf.get(parts.isolate);
    if (!flights) flightsOf.set(parts.isolate, (flights = new Flights()));
    this.#flights = flights;
  }

  async open(orgId: string, keyId: string | null): Promise<OpenedOrg> {
    const warm = this.#inMemory(orgId, keyId);
    if (warm) {
      this.#syncBehind(orgId);
      return warm;
    }
    const name = keyId === null ? orgId : `${orgId}/${keyId}`;
    const running = this.#flights.follow(name, this.#parts.now());
    if (running) {
      await running;
      const found = this.#inMemory(orgId, keyId);
      if (found) return found;
    }
    let missing = false;
    const fetch = async () => {
      missing = await this.#fetch(orgId, keyId);
    };
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await this.call(() =>
        this.#flights.start(name, this.#parts.now(), fetch, this.#parts.waitUntil),
      );
      if (missing) return { revision: 0, shared: NOBODY, ...NO_KEY };
      const found = this.#inMemory(orgId, keyId);
      if (found) return found;
    }
    throw unavailable();
  }

  #inMemory(orgId: string, keyId: string | null): OpenedOrg | null {
    const copy = copyOf(this.#parts.isolate, orgId);
    if (!copy?.shared || this.#isStale(copy)) return null;
    const key = keyId === null ? NO_KEY : copy.keys.get(keyId);
    if (!key) return null;
    const { revision, shared } = copy;
    const teamId = key.key?.teamId ?? shared.org.defaultTeamId;
    if (policiesIn(this.#parts.isolate, shared, teamId) === null) return null;
    return { revision, shared, ...key };
  }

  #isStale(copy: OrgCopy): boolean {
    return this.#parts.now() - copy.syncedAt > STALE_MS;
  }

  /**
   * Brings memory to where it answers, in one step of parallel calls: an old copy needs to hear what changed, and what
   * it lacks has to be opened. True = there is no such organization.
   */
  async #fetch(orgId: string, keyId: string | null): Promise<boolean> {
    const { isolate, now } = this.#parts;
    const control = this.#parts.control(orgId);
    const copy = copyOf(isolate, orgId);
    const sentAt = now();
    const known = copy?.shared ? copy.revision : -1;
    const have = heldBundles(isolate, copy?.shared ?? null);
    const sync = copy && this.#isStale(copy) ? control.sync(copy.revision) : null;
    const [delta, opened, takeOver] = await inTime(
      CALL_MS,
      Promise.all([sync, control.open(keyId, known, have), this.#parts.besides(orgId)]),
    );
    if (opened.shared === undefined && known === -1) return true;
    takeOver();
    holdBundles(isolate, opened);
    // The delta goes first: what was opened may be newer than it and must not be dropped by it.
    if (copy && delta) applyDelta(copy, delta, sentAt);
    if (copy) holdOpened(copy, keyId, opened);
    else holdCopy(isolate, orgId, keyId, opened, sentAt);
    return false;
  }

  #syncBehind(orgId: string): void {
    const { isolate, now, waitUntil } = this.#parts;
    const copy = isolate.orgs.get(orgId);
    const name = `sync ${orgId}`;
    const sentAt = now();
    if (!copy || sentAt - copy.syncedAt < SYNC_MS || this.#flights.recent(name, sentAt)) return;
    const sync = async () => {
      const delta = await inTime(CALL_MS, this.#parts.control(orgId).sync(copy.revision));
      applyDelta(copy, delta, sentAt);
    };
    // A failure is seen by the next request that finds the copy too old.
    this.#flights.start(name, sentAt, sync, waitUntil).catch(() => undefined);
  }

  /** Runs a call, once more after a moment if it failed, and refuses if that failed too. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch {
      await pause(Math.random() * MAX_JITTER_MS);
    }
    try {
      return await work();
    } catch (cause) {
      throw unavailable(cause);
    }
  }
}

function unavailable(cause?: unknown): GatewayError {
  return new GatewayError("control_plane_unavailable", "The control plane can't be reached now.", {
    retryAfter: 1,
    cause,
  });
}
