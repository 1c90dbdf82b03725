import type { FaultClass } from "./fault.ts";
import type { Deployment } from "./model.ts";

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
  /** Milliseconds that the provider asks to wait, or until its announced limits renew. */
  retryAfter?: number;
}

/** What isolates know together of the deployments of one organization. Nothing here waits but `probe`. */
export interface HealthPort {
  standing(orgId: string, deployment: Deployment): Standing;
  /** An attempt begins: it counts as in flight and uses up a probe. Each must end. */
  began(orgId: string, deployment: Deployment): void;
  ended(orgId: string, deployment: Deployment, seen: AttemptSeen, rules: BreakerRules): void;
  /**
   * Asks for the next probe of a deployment that is out, for a request that has nothing else left. True for at most one
   * request at a time, over all isolates; false also where nobody can be asked.
   */
  probe(orgId: string, deployment: Deployment): Promise<boolean>;
  /** True where the retry budget of the group has room for one more attempt at this deployment (PROTOCOLS 9). */
  mayAdd(orgId: string, group: string, deployment: Deployment): boolean;
}
