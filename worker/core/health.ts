import type { FaultClass } from "./fault.ts";
import type { Deployment } from "./model.ts";

/** What a provider says of its own limits in an answer's headers: the tightest of them. */
export interface AnnouncedLimits {
  /** Share that is used, 0 to 1; at 1 nothing is left. */
  used: number;
  /** Milliseconds until it renews. */
  renewsIn: number;
}

/** How a deployment does, by what this isolate knows (PROTOCOLS 6 to 9). */
export interface Standing {
  /** `probe`: out of rotation, but one request of this isolate may try it. */
  state: "closed" | "open" | "probe";
  /** Unix milliseconds from which it may be tried again; null while it is in rotation. */
  openUntil: number | null;
  /** Why it is out: a fault class, or `limit` for a provider's own announcement. */
  reason: string | null;
  /** True once an answer or a check has shown that it works. */
  proven: boolean;
  /** Share of attempts that failed lately, 0 to 1. */
  errorRate: number;
  /** Milliseconds, median of late; null = none known. */
  latency: number | null;
  inFlight: number;
  /** Begun in this clock minute, by all isolates as of the last sync. */
  requests: number;
  tokens: number;
  /** The same with this isolate's own since then. */
  liveRequests: number;
  liveTokens: number;
  /** Share of its provider's limits that is used, as its answers announced; 0 = none known. */
  announced: number;
}

/** How strict the breaker of a deployment is: its group's settings. */
export interface BreakerRules {
  allowedFails: number;
  /** Milliseconds. */
  cooldown: number;
  enabled: boolean;
}

/** How one attempt ended, as far as health goes. */
export interface AttemptSeen {
  /** Null for an answer; `cancelled` says nothing about the deployment. */
  fault: FaultClass | "cancelled" | null;
  status: number;
  /** Milliseconds to the first content, or to the whole answer. */
  latency: number | null;
  tokens: number;
  /** Milliseconds that the provider asks to wait. */
  retryAfter?: number;
  limits?: AnnouncedLimits;
}

/** What isolates know together of the deployments of one organization. Nothing here waits but `probe`. */
export interface HealthPort {
  /** How a deployment stands by what this isolate has heard and seen. */
  standing(orgId: string, deployment: Deployment): Standing;
  /**
   * An attempt begins: it counts as in flight and uses up a probe. Each must end. `group` = that of the request whose
   * first attempt it is, null for a further one.
   */
  began(orgId: string, deployment: Deployment, group: string | null): void;
  /** How an attempt ended: counts here at once, and elsewhere after the next exchange. */
  ended(orgId: string, deployment: Deployment, seen: AttemptSeen, rules: BreakerRules): void;
  /** The credential itself was refused: whatever else is called with it at that address is out too (PROTOCOLS 6). */
  refused(orgId: string, deployment: Deployment, rules: BreakerRules): void;
  /**
   * Asks for the next probe of a deployment that is out, for a request that has nothing else left. True for at most one
   * request at a time, over all isolates; false also where nobody can be asked.
   */
  probe(orgId: string, deployment: Deployment): Promise<boolean>;
  /** True where the retry budget of the group has room for one more attempt at this deployment (PROTOCOLS 9). */
  mayAdd(orgId: string, group: string, deployment: Deployment): boolean;
}

/** How an attempt ended, as isolates report it. `cell` is a deployment's id or a credential's name. */
export interface HealthReport {
  cell: string;
  fault: FaultClass | "cancelled" | null;
  latency: number | null;
  tokens: number;
  retryAfter?: number;
  limits?: AnnouncedLimits;
  rules: BreakerRules;
}

/** One isolate's side of an exchange with the organization's object. */
export interface HealthSync {
  isolate: string;
  reports: HealthReport[];
  /** Attempts that run, by cell. */
  inFlight: Record<string, number>;
  /** Cells whose probe this isolate has under way. */
  probing: string[];
  /** Cells that requests of this isolate wait for to be probed. */
  wanting: string[];
}

/** One cell as the object knows it; durations count from its answer. */
export interface CellView {
  cell: string;
  /** Milliseconds; null = in rotation, 0 = its rest is over. */
  openFor: number | null;
  paused: boolean;
  /** The next probe is this isolate's, and nobody else's. */
  granted: boolean;
  reason: string | null;
  fails: number;
  openings: number;
  proven: boolean;
  errorRate: number;
  /** Attempts behind the error rate. */
  attempts: number;
  latency: number | null;
  /** At other isolates. */
  inFlight: number;
  requests: number;
  tokens: number;
  announced: AnnouncedLimits | null;
}

/** What a check of a deployment found, without a paid call. */
export interface HealthCheck {
  deployment: string;
  /** `unknown`: there is no free call that would tell. */
  result: "healthy" | "unhealthy" | "unknown";
  /** Public text. */
  reason: string | null;
  fault: FaultClass | null;
  /** Milliseconds. */
  latency: number;
  /** When it began, Unix milliseconds. */
  at: number;
}

/** A credential that a provider took, by the name of its cell. */
export interface Accepted {
  credential: string;
  /** When the check began that showed it, Unix milliseconds. */
  at: number;
}

/**
 * What is known of one deployment, or of one credential at one address: plain data, the same in an isolate and in the
 * object that isolates share. Times are Unix milliseconds of whoever holds it.
 */
export interface Cell {
  /** Failures in a row. */
  fails: number;
  /** Times it went out of rotation since it last worked; each stays out longer than the one before. */
  openings: number;
  /** Until when it is out; null = in rotation. Past it, one probe decides. */
  openUntil: number | null;
  /** When it last went out for a failure. */
  openedAt?: number;
  /** When a check last found it well. */
  wellAt?: number;
  /** Out only because its provider asked for a pause: it is back when that is over, without a probe. */
  paused: boolean;
  reason: string | null;
  /** False from when it was added until a check or an answer has shown that it works. */
  proven: boolean;
  /** Attempts by tens of seconds, the latest last; at most six. */
  buckets: { at: number; ok: number; failed: number }[];
  /** Milliseconds of the last answers. */
  latencies: number[];
  /** The clock minute that `requests` and `tokens` count. */
  minute: number;
  requests: number;
  tokens: number;
  /** What its provider last said of its limits, and until when that holds. */
  announced?: { used: number; until: number };
}

/** The organization's shared health (one object each). */
export interface HealthObjectPort {
  /** Takes an isolate's reports and answers how every deployment stands. */
  sync(message: HealthSync): Promise<CellView[]>;
  /** True where this isolate may try these cells; granted to one at a time. */
  probe(isolate: string, cells: string[]): Promise<boolean>;
  /** Deployments that were added: last in line until they worked once. */
  expect(deployments: string[]): Promise<void>;
  /**
   * Keeps what checks found; those that were not known before count for the breakers too. A check tells nothing of a
   * failure that came after it began.
   */
  checked(checks: HealthCheck[], rules: BreakerRules, accepted: Accepted[]): Promise<void>;
  /** How every deployment stands. */
  view(): Promise<CellView[]>;
  /** The last checks, newest first. */
  history(request: { deployment?: string; limit: number }): Promise<HealthCheck[]>;
}
