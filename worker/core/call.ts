import type { AttemptRow, LeaseRef, ScopeView } from "./account.ts";
import type { ChatRequest, DialectName } from "./chat.ts";
import type { Json, JsonObject, JsonScan } from "./json.ts";
import type { Signs } from "./learning.ts";
import type { Deployment } from "./model.ts";
import type { Verdict } from "./policy.ts";
import type { Principal } from "./principal.ts";
import type { Explanation, RoutingSettings, Step } from "./routing.ts";
import type { KeyRecord, OrgShared, TeamRecord, UserRecord } from "./records.ts";
import type { TokenUsage } from "./usage.ts";

/** Anything that arrived with (or without) a credential and has an id. */
export interface Credentialed {
  requestId: string;
  /** Unix milliseconds. */
  receivedAt: number;
  credential: string | null;
  /** The client's address, null when it can't be known: then it passes no CIDR check. */
  address: string | null;
  /** Country of the client's network, ISO 3166-1; absent where the platform does not tell. */
  country?: string;
}

/** What a dialect says in the URL instead of in the body. */
export interface FromUrl {
  model?: string;
  stream?: boolean;
  /** Only the tokens of the request are to be counted. */
  count?: boolean;
  /** The stream is wanted as one JSON array, not as server-sent events. */
  array?: boolean;
}

/** A chat request that was read: the first stage's result. */
export interface Received extends Credentialed {
  endpoint: "chat";
  dialect: DialectName;
  fromUrl: FromUrl;
  /** The body as it came, its members' places, its value and its canonical form. */
  text: string;
  /** Size of the body as it came; counted in the isolate until the request ends. */
  bytes: number;
  scan: JsonScan;
  body: JsonObject;
  chat: ChatRequest;
  extensions: Extensions;
  /** The caller's headers, lower case, credentials left out. */
  headers: Record<string, string>;
  /** Unix milliseconds after which nothing is tried any more. */
  deadline: number;
}

/** What the caller told the gateway inside the request, checked. */
export interface Extensions {
  customerId?: string;
  tags: string[];
  metadata: Record<string, Json>;
  timeoutMs?: number;
  numRetries?: number;
  disableFallbacks: boolean;
  /** No deployment is to go on with an answer that broke off (PROTOCOLS 13). */
  breaksOff?: boolean;
  fallbacks: string[];
  /** Feature ids by member name; a deployment without that feature refuses them. */
  features: Record<string, Json>;
}

/** Who calls, and the rows behind it, none older than 5 s; null for the master key, or where its key has none. */
export interface Identity {
  principal: Principal;
  shared: OrgShared;
  key: KeyRecord | null;
  team: TeamRecord | null;
  user: UserRecord | null;
}

/** The caller is proved. */
export type Authenticated<T extends Credentialed = Received> = T & { identity: Identity };

/** The caller may ask for this model, and the policies have judged the request. */
export type Authorized<T extends Credentialed = Received> = Authenticated<T> & {
  /** The model to resolve, after aliases. */
  model: string;
  /** What the policies say of this request; absent where there is none. */
  verdict?: Verdict;
};

/** Why a deployment of the plan had to leave it. */
export interface Dropped {
  deployment: string;
  reason: string;
}

/** It is decided who is asked in which order, and what that may cost is set aside. */
export type Chosen = Authorized & {
  /** Where to try, in order; begins with a step for anything. */
  plan: Step[];
  settings: RoutingSettings;
  explanation: Explanation;
  holdId?: string;
  leases: LeaseRef[];
  /** Tokens that each answer may have at most, where a budget or limit affords no more. */
  outputLimit?: number;
  /** The target took the place of a dearer one, because a budget is used up. */
  cheap?: boolean;
  /** How the scopes that limit the request stood when it was admitted. */
  views?: ScopeView[];
};

/** The attempts made so far and what is known of the answer: written by dispatch, read when the request is settled. */
export interface Progress {
  attempts: AttemptRow[];
  /** When each attempt that has not ended yet began, Unix milliseconds. */
  running: number[];
  /** The deployment that is serving, or the last that was tried. */
  deployment: Deployment | null;
  /** What the caller received, by the serving provider's count, or estimated. */
  usage: TokenUsage;
  /** Further attempts inside the group that was tried before, and moves to another group. */
  retries: number;
  fallbacks: number;
  /** Names of what could not be expressed at the target. */
  degraded: string[];
  /** Milliseconds since the request arrived, once content was there. */
  firstContentAt: number | null;
  /** Everything that it holds, where a further attempt added to what its decision says. */
  leases?: LeaseRef[];
  /** Of records of that, whether each is durable. */
  recordings: Promise<boolean>[];
  /** What the form of a whole answer says; only of answers that something is to be learned from. */
  signs?: Signs;
}

/** There is something to tell the caller. */
export type Answered = Chosen & { progress: Progress; answer: Answer };

/** What leaves: a whole body, or a stream that is still running. */
export type Answer =
  | { kind: "whole"; body: string | Uint8Array; contentType: string }
  | {
      kind: "stream";
      /** The first step, already under way: pending if the head had to leave before content came. */
      first: Promise<IteratorResult<Uint8Array>>;
      /** The rest of the SSE bytes; a rejection is a GatewayError after which nothing follows. */
      rest: AsyncIterator<Uint8Array>;
      /** Ends the provider's request because the caller left. */
      cancel: () => void;
    };
