import type { OutboxItem } from "../../worker/core/account.ts";
import type { Definition } from "../../worker/core/limits.ts";
import type {
  LeaseRow,
  LedgerStorage,
  LedgerTables,
  MessageRow,
  PastRow,
  Rows,
  SettledRow,
  SingleRow,
  SpendRow,
} from "../../durable-objects/ledger-rows.ts";

class MemoryRows<T> implements Rows<T> {
  rows = new Map<string, { row: T; due: number | null }>();

  get(key: string): T | null {
    return this.rows.get(key)?.row ?? null;
  }

  load(): void {}

  put(key: string, row: T, due: number | null): void {
    this.rows.set(key, { row, due });
  }

  drop(key: string): void {
    this.rows.delete(key);
  }

  between(from: string, to: string): T[] {
    return [...this.rows].filter(([key]) => key >= from && key < to).map(([, { row }]) => row);
  }

  due(now: number, limit: number): string[] {
    return [...this.rows]
      .filter(([, { due }]) => due !== null && due <= now)
      .toSorted(([, a], [, b]) => (a.due ?? 0) - (b.due ?? 0))
      .slice(0, limit)
      .map(([key]) => key);
  }
}

/** A ledger's storage in maps; a transaction that throws leaves them as they were. */
export class LedgerMemory implements LedgerStorage, LedgerTables {
  readonly spend = new MemoryRows<SpendRow>();
  readonly leases = new MemoryRows<LeaseRow>();
  readonly messages = new MemoryRows<MessageRow>();
  readonly settled = new MemoryRows<SettledRow>();
  readonly singles = new MemoryRows<SingleRow>();
  readonly definitions = new MemoryRows<Definition>();
  readonly past = new MemoryRows<PastRow>();
  items: OutboxItem[] = [];
  #numbers = new Map<string, number>();

  transact<T>(work: (tables: LedgerTables) => T): T {
    const tables = this.#all;
    const before = tables.map(({ rows }) => new Map(rows));
    const items = [...this.items];
    const numbers = new Map(this.#numbers);
    try {
      return work(this);
    } catch (cause) {
      tables.forEach((table, at) => (table.rows = before[at] ?? new Map()));
      this.items = items;
      this.#numbers = numbers;
      throw cause;
    }
  }

  get #all(): MemoryRows<unknown>[] {
    const { spend, leases, messages, settled, singles, definitions, past } = this;
    return [spend, leases, messages, settled, singles, definitions, past];
  }

  next(name: "lease" | "outbox"): number {
    const next = (this.#numbers.get(name) ?? 0) + 1;
    this.#numbers.set(name, next);
    return next;
  }

  append(item: OutboxItem): void {
    this.items.push(item);
  }

  spendRow(key: string): SpendRow | null {
    return this.spend.get(key);
  }

  definition(key: string): Definition | null {
    return this.definitions.get(key);
  }

  nextDue(): number | null {
    const all = this.#all.flatMap(({ rows }) => [...rows.values()].flatMap(({ due }) => due ?? []));
    return all.length === 0 ? null : Math.min(...all);
  }

  outbox(limit: number): OutboxItem[] {
    return this.items.slice(0, limit);
  }

  dropOutbox(seqs: number[]): void {
    this.items = this.items.filter(({ seq }) => !seqs.includes(seq));
  }
}
