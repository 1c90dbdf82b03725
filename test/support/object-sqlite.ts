import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue } from "node:sqlite";

/**
 * The part of an object's storage that our SQL uses, over SQLite in this process. `fault` is called before each
 * statement of a transaction, and once more before it is committed; what it throws rolls the transaction back.
 */
export class ObjectSqlite {
  readonly db = new DatabaseSync(":memory:");
  fault: (step: number) => void = () => undefined;
  #step: number | null = null;

  readonly sql = {
    exec: (query: string, ...bound: SQLInputValue[]) => {
      if (this.#step !== null) this.fault(this.#step++);
      if (bound.length === 0 && query.includes(";")) {
        this.db.exec(query);
        return { toArray: () => [], one: () => ({}) };
      }
      const rows = this.db.prepare(query).all(...bound);
      return { toArray: () => rows, one: () => rows[0] };
    },
  };

  transactionSync<T>(work: () => T): T {
    this.db.exec("BEGIN");
    this.#step = 0;
    try {
      const result = work();
      this.fault(this.#step);
      this.db.exec("COMMIT");
      return result;
    } catch (cause) {
      this.db.exec("ROLLBACK");
      throw cause;
    } finally {
      this.#step = null;
    }
  }

  /** As the type that objects know. */
  get storage(): DurableObjectStorage {
    return this as unknown as DurableObjectStorage;
  }
}
