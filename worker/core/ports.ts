import type { AuditRecord, AppendResult } from "./audit.ts";
import type { Credentialed, Identity } from "./call.ts";
import type { HoldAnswer, HoldRequest, SettleRow } from "./account.ts";
import type { Payer } from "./scope.ts";
import type { DeliveryPort } from "./delivery.ts";
import type { HealthPort } from "./health.ts";
import type { Isolate } from "./isolate.ts";
import type { JsonObject } from "./json.ts";
import type { BudgetStanding, Detectors, PolicyText } from "./policy.ts";
import type { LearningPort } from "./learning.ts";
import type { Metrics } from "./metrics.ts";
import type { CredentialRecord, Delta, Opened, OrgShared } from "./records.ts";
import type { Authorizer } from "./principal.ts";

/** What the path and the operations need of the world outside. `deps.ts` is the only file that builds it. */
export interface Deps {
  settings: Settings;
  isolate: Isolate;
  /** Proves the credential of a call, or throws the refusal. */
  prove: (call: Credentialed) => Promise<Identity>;
  directory: Directory;
  keys: KeyVerifier;
  vault: Vault;
  account: AccountPort;
  audit: AuditPort;
  health: HealthPort;
  authorizer: Authorizer;
  /** What reads a request's content for policies; a detector that is off is left out. */
  detectors: Detectors;
  /** Keys the hashes by which an organization's log tells of messages; one per version of the pepper. */
  inputSecret: (orgId: string) => { version: number; secret: Uint8Array };
  learning: LearningPort;
  /** Who an organization tells of its events. */
  delivery: (orgId: string) => DeliveryPort;
  upstream: Upstream;
  /** The platform's own key for a provider, null where none is configured; it only goes to the catalog's host. */
  platformKey: (provider: string) => string | null;
  /** Where an organization's changes are made and its rows are asked for. */
  control: (orgId: string) => OrgControlPort;
  log: Log;
  metrics: Metrics;
  /** Unix milliseconds; stands still between I/O on Workers (PLATFORM 8). */
  now: () => number;
  /** The address that the connection came from, null when it can not be known (then no CIDR check passes). */
  addressOf: (request: Request) => string | null;
  /** Keeps work alive after the response, within this request's own context (PLATFORM 1). */
  waitUntil: (work: Promise<unknown>) => void;
}

/** Settings of the deployment, read once per isolate from vars and secrets. */
export interface Settings {
  profile: "cloud" | "self-hosted";
  allowPrivateUpstreams: boolean;
  litellmHeaders: boolean;
  maxBodyBytes: number;
  /** Days for which every record of the audit log is kept. */
  auditRetentionDays: number;
}

/** An isolate's coherent copies of organizations (PLATFORM 14–16). */
export interface Directory {
  /**
   * The org, and the key with its team and user, from a copy no older than 5 s. Throws
   * `control_plane_unavailable` when it can't be had fresh. `key` null = no such key in this org.
   */
  open(orgId: string, keyId: string): Promise<{ shared: OrgShared } & Omit<Opened, "shared">>;
  /** The org alone, for the master key. */
  openOrg(orgId: string): Promise<OrgShared>;
  /**
   * The documents that bind a request of a team, out of memory: what was opened for it brought them along. Null where one
   * of them is not there.
   */
  policiesOf(shared: OrgShared, teamId: string | undefined): PolicyText[] | null;
  /** The first organization of the platform, bare id; null before there is one. */
  firstOrg(): Promise<string | null>;
}

/** Proves virtual keys: checksum, then tag in memory, then bcrypt in the key-check object. */
export interface KeyVerifier {
  /** The key that this isolate has proven this token to be, from its memory alone; null says nothing of the token. */
  known(token: string): ({ orgId: string; keyId: string } & KeyProof) | null;
  /** The parts of a well-formed key whose checksum holds, else null; touches no binding. */
  parse(token: string): { orgId: string; keyId: string } | null;
  /** True when the token is the one that was issued under this key id; may await the key-check object once. */
  verify(
    token: string,
    key: { orgId: string; keyId: string },
    address: string | null,
  ): Promise<KeyProof>;
  /** True for the master key, and the one before while it is rotated; compared in constant time. */
  isMaster(token: string): boolean;
}

/** `revision` is the key's revision that the proof was made against. */
export interface KeyProof {
  valid: boolean;
  revision: number;
}

/** Seals and opens provider secrets; the clear text lives only in memory. */
export interface Vault {
  /** The secret as a text that opens only for this organization, provider, credential and version. */
  seal(
    orgId: string,
    provider: string,
    keyId: string,
    version: number,
    secret: string,
  ): Promise<string>;
  /** The clear text; rejects where the sealed text was made for another row, or its KEK is gone. */
  open(orgId: string, credential: CredentialRecord): Promise<string>;
}

/** Money and limits (PLATFORM 18–28). */
export interface AccountPort {
  /** Sets money and limits aside, in all scopes or none. Throws `control_plane_unavailable`; a refusal is an answer. */
  hold(request: HoldRequest): Promise<HoldAnswer>;
  /** Debits once per request id, whatever is sent again. */
  settle(row: SettleRow): Promise<void>;
  /**
   * By how much a deployment is known to bill beyond what its price and token limit say, at least 1: `known` by the
   * organization's copy, or learnt here since.
   */
  overbilling?(orgId: string, deployment: string, known: number): number;
  /** Gives back a hold of a request that never reached a provider. */
  release(holdId: string): Promise<void>;
  /** How the tightest budget over a payer stands, as far as this isolate knows; absent = not known at all. */
  standing?(payer: Payer): BudgetStanding | undefined;
}

/** The audit log. Never throws for content; durable when it returned (PLATFORM 29). */
export interface AuditPort {
  /** One result a record, in their order. */
  append(records: AuditRecord[]): Promise<AppendResult[]>;
}

/** The one outbound fetch: SSRF guard, no redirects, identity encoding. */
export interface Upstream {
  /** Rejects where the provider can't be reached; any answer is an answer, redirects included. */
  send(request: UpstreamRequest): Promise<Response>;
}

/** A request as it leaves: signed, with everything that its provider gets. */
export interface UpstreamRequest {
  url: string;
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

/** One statement with its bound values; a change's statements are applied in one D1 transaction. */
export interface Statement {
  sql: string;
  params: (string | number | null)[];
}

/** One administrative change: plain data, applied exactly once however often it is sent (by `id`). */
export interface Change {
  id: string;
  statements: Statement[];
  /** Names of touched rows, as in `Delta`. */
  touches: string[];
  events: AuditRecord[];
}

/** What became of a change. */
export type Applied =
  | { ok: true; revision: number }
  /** A uniqueness rule of the database refused it; nothing was written. */
  | { ok: false; conflict: string };

/** The single point that knows an organization's present revision (PLATFORM 14). */
export interface OrgControlPort {
  /** `have`: hashes of policy bundles that need not be sent. */
  open(keyId: string | null, revision: number, have?: string[]): Promise<Opened>;
  /** Keeps a policy bundle's text, before a change points to its hash. */
  keepBundle(hash: string, text: string): Promise<void>;
  /** What changed since this revision. */
  sync(revision: number): Promise<Delta>;
  /** Makes a change, and answers once it is durable. Rejects where that is not known: sent again it is made once. */
  apply(change: Change): Promise<Applied>;
}

/** One JSON line per call; fields are ids, counts and codes, never content or secrets. */
export interface Log {
  info(message: string, fields: JsonObject): void;
  warn(message: string, fields: JsonObject): void;
  error(message: string, fields: JsonObject): void;
}
