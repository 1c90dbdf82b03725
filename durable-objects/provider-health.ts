import { DurableObject } from "cloudflare:workers";
import type {
  Accepted,
  BreakerRules,
  Cell,
  CellView,
  HealthCheck,
  HealthSync,
} from "../worker/core/health.ts";
import { answered, type Answer } from "./answer.ts";
import { ProviderHealthMachine, type HealthStorage } from "./provider-health-machine.ts";

/** Checks of one deployment that are kept: a day of one a minute. */
const CHECKS_KEPT = 1_440;

const TABLES = `
  CREATE TABLE IF NOT EXISTS cells (name TEXT PRIMARY KEY, cell TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS checks (deployment TEXT NOT NULL, at INTEGER NOT NULL, check_json TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS checks_at ON checks (deployment, at);`;

/** One object per organization: RPC and storage around `ProviderHealthMachine`. */
export class ProviderHealth extends DurableObject<Env> {
  readonly #machine: ProviderHealthMachine;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#machine = new ProviderHealthMachine(storageOf(ctx.storage), Date.now);
  }

  sync(message: HealthSync): Promise<Answer<CellView[]>> {
    return answered(async () => this.#machine.sync(message));
  }

  probe(isolate: string, cells: string[]): Promise<Answer<boolean>> {
    return answered(async () => this.#machine.probe(isolate, cells));
  }

  expect(deployments: string[]): Promise<Answer<null>> {
    return answered(async () => {
      this.#machine.expect(deployments);
      return null;
    });
  }

  checked(checks: HealthCheck[], rules: BreakerRules, accepted: Accepted[]): Promise<Answer<null>> {
    return answered(async () => {
      this.#machine.checked(checks, rules, accepted);
      return null;
    });
  }

  view(): Promise<Answer<CellView[]>> {
    return answered(async () => this.#machine.view());
  }

  history(request: { deployment?: string; limit: number }): Promise<Answer<HealthCheck[]>> {
    return answered(async () => this.#machine.history(request));
  }
}

/** Tables are made by the first write, so that asking about an organization leaves nothing behind (PLATFORM 9). */
function storageOf(storage: DurableObjectStorage): HealthStorage {
  const { sql } = storage;
  let made = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'cells'").toArray().length > 0;
  const make = () => {
    if (!made) sql.exec(TABLES);
    made = true;
  };
  return {
    load() {
      if (!made) return [];
      return sql
        .exec<{ name: string; cell: string }>("SELECT name, cell FROM cells")
        .toArray()
        .map(({ name, cell }): [string, Cell] => [name, JSON.parse(cell) as Cell]);
    },
    keep(name, cell) {
      if (!made && cell === null) return;
      make();
      if (cell === null) sql.exec("DELETE FROM cells WHERE name = ?", name);
      else sql.exec("INSERT OR REPLACE INTO cells VALUES (?, ?)", name, JSON.stringify(cell));
    },
    addChecks(checks) {
      if (checks.length === 0) return;
      make();
      storage.transactionSync(() => {
        for (const check of checks) {
          const { deployment, at } = check;
          sql.exec("INSERT INTO checks VALUES (?, ?, ?)", deployment, at, JSON.stringify(check));
          sql.exec(
            `DELETE FROM checks WHERE deployment = ?1 AND at <
               (SELECT at FROM checks WHERE deployment = ?1 ORDER BY at DESC LIMIT 1 OFFSET ${CHECKS_KEPT})`,
            deployment,
          );
        }
      });
    },
    checks({ deployment, limit }) {
      if (!made) return [];
      const where = deployment === undefined ? "" : "WHERE deployment = ?";
      const values = deployment === undefined ? [limit] : [deployment, limit];
      return sql
        .exec<{ check_json: string }>(
          `SELECT check_json FROM checks ${where} ORDER BY at DESC, rowid DESC LIMIT ?`,
          ...values,
        )
        .toArray()
        .map(({ check_json }) => JSON.parse(check_json) as HealthCheck);
    },
  };
}
