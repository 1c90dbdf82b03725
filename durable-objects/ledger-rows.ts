import type { Grant, LeaseShare, OutboxItem } from "../worker/core/account.ts";
import type { Scope } from "../worker/core/scope.ts";
import type { Definition } from "../worker/core/limits.ts";
import type { Amount } from "../worker/core/amount.ts";
import type { NanoUsd } from "../worker/core/money.ts";

/** One scope in one window. */
export interface SpendRow {
  scope: Scope;
  windowId: string;
  settled: Amount;
  /** What is left on the window's leases beyond estimates. */
  outstanding: Amount;
  /** The same of those that were reclaimed. */
  unattributed: Amount;
  estimated: Amount;
  overrun: NanoUsd;
  late: number;
  /** The thresholds that were told of, by name and amount: one that moved is told of anew. */
  told?: string[];
}

/** What one isolate borrowed of one scope in one window. */
export interface LeaseRow {
  leaseId: string;
  isolate: string;
  scope: Scope;
  windowId: string;
  revision: number;
  /** Unix milliseconds of the first grant; after a while an isolate gets a new lease, so that old ones come to an end. */
  since: number;
  /** Unix milliseconds of the last grant. */
  grantedAt: number;
  ttlMs: number;
  /** Everything that was ever lent on it. */
  lent: Amount;
  /** Of that, what was neither settled nor returned. */
  left: Amount;
  /** Of what is left, so much is charged already by estimates of abandoned decisions. */
  estimated: Amount;
  reclaimed: boolean;
  /** How long requests on it may run, milliseconds. */
  longestMs: number;
  /** Lent for one request. */
  single?: true;
}

/** The last message of one isolate about one scope, and what it was answered; null for a return. */
export interface MessageRow {
  n: number;
  grant: Grant | null;
}

/** A hold for one request: its leases, none once it was given back. */
export interface SingleRow {
  grants: Grant[];
}

/** What an estimate did to one scope: it may have to be undone. */
export interface Debit {
  scope: Scope;
  windowId: string;
  amount: Amount;
  /** When the request began, Unix milliseconds. */
  at: number;
  shares: LeaseShare[];
}

/** A request that was charged. `debits` only for estimates: they give way to the request's own row. */
export interface SettledRow {
  charged: Amount;
  debits?: Debit[];
}

/** What one scope spent in a quarter of an hour, or in all. */
export interface PastRow {
  scope: Scope;
  /** Number of the quarter; null = in all. */
  quarter: number | null;
  cost: NanoUsd;
}

/** Rows by key. What `get` gives must not be changed, only put anew. */
export interface Rows<T> {
  get(key: string): T | null;
  /** Reads rows that `get` will be asked for, in one step. */
  load(keys: string[]): void;
  /** `due`: Unix milliseconds at which the row wants attention, null for never. */
  put(key: string, row: T, due: number | null): void;
  drop(key: string): void;
  /** Rows whose keys lie between two, the second one excluded. */
  between(from: string, to: string): T[];
  /** Keys whose time has come, the oldest first, as they were when the transaction began. */
  due(now: number, limit: number): string[];
}

export interface LedgerTables {
  spend: Rows<SpendRow>;
  leases: Rows<LeaseRow>;
  messages: Rows<MessageRow>;
  settled: Rows<SettledRow>;
  singles: Rows<SingleRow>;
  definitions: Rows<Definition>;
  past: Rows<PastRow>;
  /** The next number of a row of numbers that never repeats; the first is 1. */
  next(name: "lease" | "outbox"): number;
  append(item: OutboxItem): void;
}

/** What a ledger keeps on disk. */
export interface LedgerStorage {
  /** All of it or nothing, without an await inside (PLATFORM 9). */
  transact<T>(work: (tables: LedgerTables) => T): T;
  /** Reads one row outside of a transaction; writes nothing, not even a table. */
  spendRow(key: string): SpendRow | null;
  definition(key: string): Definition | null;
  /** When the next row is due, Unix milliseconds; null where none is. */
  nextDue(): number | null;
  outbox(limit: number): OutboxItem[];
  dropOutbox(seqs: number[]): void;
}
