import { NOTHING } from "./amount.ts";
import type { Amount } from "./amount.ts";

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

/** What is counted of a scope: money in its budget's window, requests and tokens in a clock minute, requests at a time. */
export type Meter = "rate" | "slots";

/** Something that is limited and charged. */
export interface Scope {
  kind: ScopeKind;
  /** A model's is that of the scope it is limited in: `key:<id>/<model>`. */
  id: string;
  /** Absent = money. */
  meter?: Meter;
}

/** One text per scope and meter; kinds and meters hold neither colon nor slash, so that no two share one. */
export function scopeKey({ kind, id, meter }: Scope): string {
  return meter === undefined ? `${kind}:${id}` : `${meter}/${kind}:${id}`;
}

/** A scope without its meter: what limits are defined for. */
export function bareScope({ kind, id }: Scope): Scope {
  return { kind, id };
}

/** Ledgers that customers are spread over. */
const CUSTOMER_LEDGERS = 16;
const ORG_LEDGER = "~org";

/**
 * The ledger that keeps a scope: its name within the organization, or null for that of the team that pays. What spans
 * teams has a ledger of its own; no team's id begins with a tilde.
 */
export function homeOf(scope: Pick<Scope, "kind" | "id">): string | null {
  switch (scope.kind) {
    case "org":
    case "user":
    case "group":
      return ORG_LEDGER;
    case "customer":
      return `~customer/${hashOf(scope.id) % CUSTOMER_LEDGERS}`;
    case "model": {
      const at = scope.id.indexOf(":");
      return homeOf({ kind: scope.id.slice(0, at) as ScopeKind, id: scope.id.slice(at + 1) });
    }
    default:
      return null;
  }
}

/** FNV-1a over the characters of an id. */
export function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** What of an amount counts in a scope's meter. */
export function portion({ meter }: Scope, amount: Amount): Amount {
  if (meter === undefined) return amount;
  return { cost: 0, requests: amount.requests, tokens: meter === "rate" ? amount.tokens : 0 };
}

/** What of a charge a meter keeps: a slot is free again when its request ends. */
export function kept(scope: Scope, charge: Amount): Amount {
  return scope.meter === "slots" ? NOTHING : portion(scope, charge);
}

/** Whose money a request spends. */
export interface Payer {
  orgId: string;
  teamId: string;
  userId?: string;
  keyId?: string;
  customerId?: string;
  group?: string;
}

/** Every scope that a request of this payer could be limited in. */
export function scopesOf(payer: Payer): Scope[] {
  const { orgId, teamId, userId, keyId, customerId, group } = payer;
  const scopes: Scope[] = [
    { kind: "org", id: orgId },
    { kind: "team", id: teamId },
  ];
  if (userId !== undefined) {
    scopes.push({ kind: "user", id: userId }, { kind: "team_member", id: `${teamId}/${userId}` });
  }
  if (keyId !== undefined) scopes.push({ kind: "key", id: keyId });
  if (customerId !== undefined) scopes.push({ kind: "customer", id: customerId });
  if (group !== undefined) scopes.push({ kind: "group", id: group });
  return scopes;
}
