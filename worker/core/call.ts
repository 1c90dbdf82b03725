import type { LeaseRef } from "./account.ts";
import type { ChatRequest, ProtocolName } from "./chat.ts";
import type { Json, JsonObject, JsonScan } from "./json.ts";
import type { Deployment } from "./model.ts";
import type { Principal } from "./principal.ts";
import type { KeyRecord, OrgShared, TeamRecord, UserRecord } from "./records.ts";

/** Anything that arrived with (or without) a credential and has an id. */
export interface Credentialed {
  requestId: string;
  /** Unix milliseconds. */
  receivedAt: number;
  credential: string | null;
  /** The client's address, null when it can't be known: then it passes no CIDR check. */
  address: string | null;
}

/** A chat request that was read: the first stage's result. */
export interface Received extends Credentialed {
  endpoint: "chat";
  dialect: ProtocolName;
  /** The body as it came, its members' places, its value and its canonical form. */
  text: string;
  scan: JsonScan;
  body: JsonObject;
  chat: ChatRequest;
  extensions: Extensions;
  /** The caller's headers, lower case, credentials left out. */
  headers: Record<string, string>;
  /** Unix milliseconds after which nothing is tried any more. */
  deadline: number;
  /** Fires when the caller leaves. */
  signal: AbortSignal;
}

/** What the caller told the gateway inside the request (CONTRACT 1.4), checked. */
export interface Extensions {
  customerId?: string;
  tags: string[];
  metadata: Record<string, Json>;
  timeoutMs?: number;
  numRetries?: number;
  disableFallbacks: boolean;
  fallbacks: string[];
  /** Feature ids by member name; a deployment without that feature refuses them. */
  features: Record<string, Json>;
}

export interface Identity {
  principal: Principal;
  shared: OrgShared;
  key: KeyRecord | null;
  team: TeamRecord | null;
  user: UserRecord | null;
}

export type Authenticated<T extends Credentialed = Received> = T & { identity: Identity };

export type Authorized<T extends Credentialed = Received> = Authenticated<T> & {
  /** The model to resolve, after aliases. */
  model: string;
};

/** Why a candidate is not in the plan. */
export interface Dropped {
  deployment: string;
  reason: string;
}

export type Chosen = Authorized & {
  /** Deployments to try, in order; never empty. */
  plan: Deployment[];
  dropped: Dropped[];
  /** The random draw behind the order, for replay. */
  seed: number;
  holdId?: string;
  leases: LeaseRef[];
};
