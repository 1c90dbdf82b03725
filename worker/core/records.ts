import type { AutoRouter } from "./auto-router.ts";
import type { JsonObject } from "./json.ts";
import type { LimitFlags } from "./limits.ts";
import type { Deployment } from "./model.ts";
import type { Overbillings } from "./overbilling.ts";
import type { KeyType, Role } from "./principal.ts";
import type { OrgRouting, RoutingLayer } from "./routing.ts";

/** What an isolate and OrgControl hold of an organization: plain rows, no secrets in the clear. */
export interface OrgRecord {
  id: string;
  alias: string;
  /** Model allowlist; empty = all. */
  models: string[];
  blocked: boolean;
  defaultTeamId?: string;
  metadata: JsonObject;
}

/** What the path needs of a team. */
export interface TeamRecord {
  id: string;
  limits?: LimitFlags;
  alias: string;
  models: string[];
  blocked: boolean;
  aliases: Record<string, string>;
  metadata: JsonObject;
}

/** What the path needs of a user. */
export interface UserRecord {
  id: string;
  limits?: LimitFlags;
  email?: string;
  alias?: string;
  role: Role;
  active: boolean;
  /** Ids of the teams that the user administers; absent = none. */
  adminOf?: string[];
  /** Bare id of the organization that the user's admin calls act in; absent = this one. */
  activeOrgId?: string;
}

/** What the path needs of a virtual key. */
export interface KeyRecord {
  id: string;
  handle: string;
  /** `sk-…` and the last four characters, for people. */
  name: string;
  alias?: string;
  keyType: KeyType;
  teamId?: string;
  userId?: string;
  models: string[];
  aliases: Record<string, string>;
  /** CIDR blocks or addresses; empty = any. */
  allowedIps: string[];
  /** Unix milliseconds. */
  expiresAt?: number;
  blocked: boolean;
  /** How requests of this key are routed, over what the organization says. */
  routing?: RoutingLayer;
  /** Grows with each change of this key; bcrypt tags are bound to it. */
  revision: number;
  metadata: JsonObject;
  limits?: LimitFlags;
  /** Those of the key's user within the key's team. */
  memberLimits?: LimitFlags;
}

/** A sealed provider secret: AES-256-GCM envelope, opened only by the vault. */
export interface CredentialRecord {
  id: string;
  provider: string;
  /** The host that the secret was saved for; it is sent nowhere else. */
  host: string;
  version: number;
  /** Version of the key-encryption key, wrapped data key, nonces and cipher text, base64url parts joined with `.`. */
  sealed: string;
  lastFour: string;
  /** The organization's own key in the place of the platform's: it serves what names no credential. */
  byok?: boolean;
}

/** Which document is in force: `org`, or the bare id of a team, as scope. */
export interface PolicyPointer {
  scope: string;
  version: number;
  hash: string;
}

/** What an administrator laid down for one customer's requests. */
export interface CustomerRules {
  /** A residency class or a region: deployments elsewhere do not serve this customer. */
  region?: string;
  /** Serves requests that name no model. */
  model?: string;
}

/** The part of an organization that all its keys share. */
export interface OrgShared {
  org: OrgRecord;
  deployments: Deployment[];
  /** Named routers, which callers use like model groups; absent = none. */
  routers?: readonly AutoRouter[];
  credentials: CredentialRecord[];
  /** How the organization's requests are routed; absent = by the defaults. */
  routing?: OrgRouting;
  /** Ids of customers whose requests are refused. All of them are here, so that no request waits for its customer. */
  blockedCustomers: string[];
  /** What binds requests of other customers, by their ids; all of them likewise. */
  customers?: Readonly<Record<string, CustomerRules>>;
  /** Documents in force; their bundles travel apart, by hash. */
  policies?: PolicyPointer[];
  /** By deployment, by how much it bills beyond its bound; absent = none does. */
  overbilling?: Overbillings;
  /** What of the organization, its model groups, and of any of its customers is limited; absent = nothing. */
  limits?: {
    org?: LimitFlags;
    groups?: Record<string, LimitFlags>;
    customers?: LimitFlags;
  };
}

/** The answer of `OrgControl.open`. `shared` is left out when the caller's revision is current. */
export interface Opened {
  revision: number;
  shared?: OrgShared;
  key: KeyRecord | null;
  team: TeamRecord | null;
  user: UserRecord | null;
  /** Texts of the policy bundles that bind this key and that the caller did not say it has, by hash. */
  bundles?: Record<string, string>;
}

/**
 * What changed since a revision: names of touched rows (`key:<id>`, `team:<id>`, `user:<id>`, `shared`), or `all`
 * where the log no longer reaches back that far.
 */
export interface Delta {
  revision: number;
  touched: string[] | "all";
}
