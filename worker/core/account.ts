import type { NanoUsd } from "./money.ts";
import type { TokenUsage } from "./usage.ts";

/** What a budget or limit can hang on; one row here is one kind of scope. */
export type ScopeKind =
  | "org"
  | "team"
  | "team_member"
  | "user"
  | "key"
  | "customer"
  | "group"
  | "model";

export interface Scope {
  kind: ScopeKind;
  id: string;
}

/** The worst case that a request may come to, asked for before the provider is called. */
export interface HoldRequest {
  orgId: string;
  teamId: string;
  requestId: string;
  scopes: Scope[];
  max: { cost: NanoUsd; requests: number; tokens: number };
}

/** The window and revision that an amount was lent under (PLATFORM 24). */
export interface LeaseRef {
  scope: Scope;
  leaseId: string;
  windowId: string;
  revision: number;
}

export type HoldAnswer =
  | { granted: true; holdId: string; leases: LeaseRef[] }
  | {
      granted: false;
      reason: "budget" | "rate";
      scope: Scope;
      limit: NanoUsd;
      spent: NanoUsd;
      reserved: NanoUsd;
      /** Unix milliseconds. */
      resetAt: number;
    };

/** One paid or failed call of a provider. */
export interface AttemptRow {
  n: number;
  deployment: string;
  provider: string;
  model: string;
  usage: TokenUsage;
  cost: NanoUsd;
  priceKnown: boolean;
  /** HTTP status of the provider, 0 where none came. */
  status: number;
  /** Fault class, absent on success. */
  error?: string;
  /** Unix milliseconds. */
  startedAt: number;
  durationMs: number;
  timeToFirstTokenMs?: number;
}

export type Outcome = "success" | "failure" | "cancelled" | "refused";

/** The whole row of money of one request: the only message that debits (PLATFORM 27). */
export interface SettleRow {
  requestId: string;
  holdId?: string;
  leases: LeaseRef[];
  orgId: string;
  teamId: string;
  userId?: string;
  keyId?: string;
  keyHandle?: string;
  customerId?: string;
  /** The model as asked for, and the group that served. */
  model: string;
  group?: string;
  endpoint: string;
  stream: boolean;
  tags: string[];
  outcome: Outcome;
  /** HTTP status that the caller saw. */
  status: number;
  attempts: AttemptRow[];
  /** Usage as shown to the caller. */
  usage: TokenUsage;
  cost: NanoUsd;
  /** Unix milliseconds. */
  startedAt: number;
  durationMs: number;
  timeToFirstTokenMs?: number;
}
