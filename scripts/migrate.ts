// D1 migrations on a local instance, recorded in the table and under the names that
// `wrangler d1 migrations apply` uses: one database can be migrated by either.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./bundle.ts";

/** What this needs of a D1 database; Miniflare's `getD1Database` gives one. */
export interface MigratableDatabase {
  prepare(query: string): {
    all<T>(): Promise<{ results: T[] }>;
    bind(...values: unknown[]): unknown;
  };
  batch(statements: never[]): Promise<unknown>;
}

const table = `CREATE TABLE IF NOT EXISTS d1_migrations(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

/**
 * Applies the files of d1-migrations/ that `database` has not seen, in the order of their names, each in one
 * transaction together with its record. Resolves to the names applied; a failing file names itself in the error.
 */
export async function applyMigrations(database: MigratableDatabase): Promise<string[]> {
  const folder = join(root, "d1-migrations");
  if (!existsSync(folder)) return [];
  await database.prepare(table).all();
  const { results } = await database
    .prepare("SELECT name FROM d1_migrations")
    .all<{ name: string }>();
  const known = new Set(results.map((row) => row.name));
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).toSorted();
  const applied: string[] = [];
  for (const name of names) {
    if (known.has(name)) continue;
    const statements = splitStatements(await readFile(join(folder, name), "utf8")).map((text) =>
      database.prepare(text),
    );
    const record = database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name);
    try {
      await database.batch([...statements, record] as never[]);
    } catch (error) {
      throw new Error(`migration ${name} failed: ${(error as Error).message}`, { cause: error });
    }
    applied.push(name);
  }
  return applied;
}

/** The statements of a file that drizzle-kit wrote: it marks the end of each but the last. */
function splitStatements(sql: string): string[] {
  return sql
    .split("--> statement-breakpoint")
    .map((text) => text.trim())
    .filter((text) => text.replace(/--.*$/gm, "").trim() !== "");
}
