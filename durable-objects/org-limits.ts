import { bareScope, homeOf, scopeKey } from "../worker/core/scope.ts";
import type { LedgerPort } from "../worker/core/account.ts";
import type { Scope, ScopeKind } from "../worker/core/scope.ts";
import type { Definition, Limits } from "../worker/core/limits.ts";
import { blocksAt, throttlesAt } from "../worker/core/limits.ts";
import { splitName } from "../worker/store/limit-rows.ts";
import type { ScopeLimits } from "../worker/store/limit-rows.ts";

/** What a ledger was last told of a scope. */
export interface Told {
  scope: Scope;
  /** Name of the ledger. */
  home: string;
  /** null = none: kept of keys, whose ledger may change. */
  limits: Limits | null;
}

/** Everything that ledgers were told, by scope. */
export interface ToldStore {
  get(key: string): Told | null;
  /** Those of a scope, of the models within it, and of the members that a team or user has. */
  of(scope: Scope): Told[];
  ofKind(kind: ScopeKind): Told[];
  /** Those whose windows follow the clock of another time zone. */
  otherwiseZoned(timeZone: string): Told[];
  put(told: Told[], dropped: string[]): void;
}

interface Parts {
  orgId: string;
  store: ToldStore;
  read: (names: readonly string[]) => Promise<ScopeLimits[]>;
  /** The organization's. */
  timeZone: () => Promise<string | null>;
  ledger: (home: string) => Pick<LedgerPort, "define">;
  now: () => number;
}

/** What became of limits that changed. */
export interface Spread {
  /** Milliseconds until nothing is lent any more under limits that were wider. */
  drainMs: number;
  /** A scope that isolates may know has its first limit. */
  first: boolean;
}

const KINDS: ReadonlySet<string> = new Set<ScopeKind>(["team", "user", "key", "customer"]);

/**
 * Keeps the ledgers in step with the record: after each change it reads the limits of the rows that were touched and
 * tells each ledger what differs from what it was told before. Repeated, it does nothing twice.
 */
export async function spreadLimits(
  parts: Parts,
  touched: readonly string[],
  revision: number,
): Promise<Spread> {
  const { store, now } = parts;
  const read = await parts.read(touched);
  const wanted = new Map(read.map((each) => [scopeKey(each.scope), each]));
  const known = new Map(
    touched.flatMap((name) => toldOf(store, name)).map((told) => [scopeKey(told.scope), told]),
  );
  for (const key of wanted.keys()) {
    const told = store.get(key);
    if (told) known.set(key, told);
  }
  for (const each of touched.includes("shared") ? await rezoned(parts) : []) {
    const key = scopeKey(each.told.scope);
    if (wanted.has(key) || known.has(key)) continue;
    known.set(key, each.told);
    wanted.set(key, each.wanted);
  }
  const messages = new Map<string, Definition[]>();
  const put: Told[] = [];
  const dropped: string[] = [];
  const tell = (home: string, scope: Scope, limits: Limits | null, to?: string) => {
    const moved = to === undefined ? {} : { moved: { orgId: parts.orgId, from: home, to } };
    const definition = { scope: bareScope(scope), revision, limits, ...moved };
    messages.set(home, [...(messages.get(home) ?? []), definition]);
  };
  let tighter = false;
  let first = false;
  for (const [key, { scope, teamId, limits, known: wasThere }] of wanted) {
    const home = homeOf(scope) ?? teamId;
    const before = known.get(key);
    if (before?.home === home && JSON.stringify(before.limits) === JSON.stringify(limits)) continue;
    if (before && before.home !== home) tell(before.home, scope, null, home);
    if (before || limits !== null) tell(home, scope, limits);
    put.push({ scope, home, limits });
    if (limits === null) continue;
    if (before === undefined || before.limits === null) first ||= wasThere;
    else tighter ||= isTighter(limits, before.limits, now());
  }
  for (const [key, { scope, home }] of known) {
    if (wanted.has(key)) continue;
    tell(home, scope, null);
    dropped.push(key);
  }
  const drains = await Promise.all(
    [...messages].map(([home, definitions]) => parts.ledger(home).define(definitions)),
  );
  store.put(put, dropped);
  return { drainMs: tighter || first ? Math.max(0, ...drains) : 0, first };
}

/** What ledgers know by the clock of a time zone that was the organization's before, and as it has to be. */
async function rezoned({ store, timeZone }: Parts) {
  const zone = await timeZone();
  return (zone === null ? [] : store.otherwiseZoned(zone)).flatMap((told) => {
    const { scope, home, limits } = told;
    if (zone === null || limits === null) return [];
    const wanted = { scope, teamId: home, limits: { ...limits, timeZone: zone }, known: true };
    return [{ told, wanted }];
  });
}

/** What ledgers know of the row of a name, so that what is gone from it is taken back. */
function toldOf(store: ToldStore, name: string): Told[] {
  const { kind, id } = splitName(name);
  if (kind === "shared") return [...store.ofKind("org"), ...store.ofKind("group")];
  return KINDS.has(kind) ? store.of({ kind: kind as ScopeKind, id }) : [];
}

/** True where less is allowed than before. */
function isTighter(limits: Limits, before: Limits, now: number): boolean {
  const less = (a: number | null | undefined, b: number | null | undefined) =>
    (a ?? Infinity) < (b ?? Infinity);
  return (
    less(blocksAt(limits, now), blocksAt(before, now)) ||
    less(throttlesAt(limits, now), throttlesAt(before, now)) ||
    less(limits.rpm, before.rpm) ||
    less(limits.tpm, before.tpm) ||
    less(limits.parallel, before.parallel) ||
    limits.duration !== before.duration ||
    limits.timeZone !== before.timeZone
  );
}
