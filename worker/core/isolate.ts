import type { Cell, HealthReport } from "./health.ts";
import type { LearnedCopy } from "./learning.ts";
import type { LinkedPolicy } from "./policy.ts";
import type { KeyRecord, OrgShared, TeamRecord, UserRecord } from "./records.ts";

/** An isolate's copy of one organization; ages from when its sync was sent (PLATFORM 15). */
export interface OrgCopy {
  revision: number;
  /** Unix milliseconds at which the sync behind this copy was sent. */
  syncedAt: number;
  shared: OrgShared | null;
  keys: Map<string, KeyCopy>;
}

/** A key with what stands above it; null = known not to exist at this revision. */
export interface KeyCopy {
  key: KeyRecord | null;
  team: TeamRecord | null;
  user: UserRecord | null;
}

/** Proof that a token passed bcrypt at a revision: an HMAC under a secret of this isolate alone. */
export interface KeyTag {
  tag: Uint8Array;
  revision: number;
  /** Unix milliseconds of the last bcrypt. */
  provenAt: number;
  /** Unix milliseconds from which the token counts no more, though its key does: it was regenerated with a grace. */
  until?: number;
}

/** A token that was exchanged for a stored secret. */
export interface AccessToken {
  token: string;
  /** Unix milliseconds from which it is not used any more. */
  until: number;
}

/** A cell as an isolate keeps it; made in routing/health.ts. */
export interface OwnCell extends Cell {
  inFlight: number;
  /** The next request may probe it. */
  granted: boolean;
  /** A request would have used it, were it not out. */
  wanted: boolean;
  /** A request of this isolate probes it. */
  probing: boolean;
  /** Of this minute's, what the object was told. */
  reportedRequests: number;
  reportedTokens: number;
  /** The clock minute of the remote counts. */
  remoteMinute: number;
  /** What all isolates together had at the last exchange; `inFlight` at the others. */
  remote: {
    errorRate: number;
    latency: number | null;
    inFlight: number;
    requests: number;
    tokens: number;
  };
}

/** An isolate's view of one organization's deployments. */
export interface OrgHealth {
  cells: Map<string, OwnCell>;
  /** What the object was not told yet. */
  reports: HealthReport[];
  /** Retry budgets by model group. */
  budgets: Map<string, { since: number; requests: number; extra: number }>;
  /** Unix milliseconds at which the last exchange was begun. */
  syncedAt: number;
  flightAt: number | null;
  /** Unix milliseconds of the last answer. */
  heardAt: number;
  /** News came while an exchange was under way. */
  again: boolean;
}

export type HealthMemory = Map<string, OrgHealth>;

/**
 * All memory of one isolate (PLATFORM 4): plain data only, passed in, never imported by an object. One is made by the
 * first handler that runs, since nothing random may be drawn at module scope (PLATFORM 3).
 */
export interface Isolate {
  id: string;
  /** Signs key tags; 32 random bytes. */
  tagSecret: Uint8Array;
  orgs: Map<string, OrgCopy>;
  keyTags: Map<string, KeyTag>;
  health: HealthMemory;
  /** Opened provider secrets, by what they are bound to and the sealed text; the vault's alone. */
  secrets: Map<string, string>;
  /** Access tokens that providers' identity services issued for stored secrets; the signing step's alone. */
  accessTokens: Map<string, AccessToken>;
  /** Accounts that made pieces of encrypted reasoning, by a digest of the piece; a hint of what passed here. */
  stateMakers: Map<string, string>;
  /** What organizations learned, by id and pinned version. */
  learned: Map<string, LearnedCopy>;
  firstOrg: string | null;
  /** Bodies in memory, in bytes (PLATFORM 6). */
  bytesInFlight: number;
  /** Promises that requests left to their `waitUntil` and that are not settled yet. */
  workInHand: number;
  /** Alerts that were told, by organization and event id. */
  told: Set<string>;
  /** Texts of policy bundles, by hash; the directory's alone. */
  bundles: Map<string, string>;
  /** The same, ready to decide, by hash; the policy library's alone. */
  policies: Map<string, LinkedPolicy>;
}
