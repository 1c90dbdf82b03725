import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";

/** A D1 database in memory with the real migrations applied: as much of its interface as the store uses. */
export function openRecord(): { d1: D1Database; sql: DatabaseSync } {
  const sql = new DatabaseSync(":memory:");
  for (const file of readdirSync("d1-migrations").toSorted()) {
    if (file.endsWith(".sql")) sql.exec(readFileSync(`d1-migrations/${file}`, "utf8"));
  }
  class Prepared {
    readonly text: string;
    readonly values: SQLInputValue[];
    constructor(text: string, values: SQLInputValue[]) {
      this.text = text;
      this.values = values;
    }
    bind(...values: SQLInputValue[]) {
      return new Prepared(this.text, values);
    }
    async all() {
      return { success: true, results: sql.prepare(this.text).all(...this.values) };
    }
    async raw() {
      const prepared = sql.prepare(this.text);
      prepared.setReturnArrays(true);
      return prepared.all(...this.values);
    }
    async run() {
      sql.prepare(this.text).run(...this.values);
      return { success: true, results: [] };
    }
    async first() {
      return sql.prepare(this.text).get(...this.values) ?? null;
    }
  }
  const d1 = {
    prepare: (text: string) => new Prepared(text, []),
    async batch(statements: Prepared[]) {
      sql.exec("BEGIN");
      try {
        const results = statements.map((each) => ({
          success: true,
          results: sql.prepare(each.text).all(...each.values),
        }));
        sql.exec("COMMIT");
        return results;
      } catch (cause) {
        sql.exec("ROLLBACK");
        throw cause;
      }
    },
  };
  return { d1: d1 as unknown as D1Database, sql };
}
