import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { workerOptions } from "../../../scripts/bundle.ts";
import { applyMigrations } from "../../../scripts/migrate.ts";
import { queueDoors, throughDoors } from "./queue-door.ts";

/** One worker service in one runtime. */
export interface CellOptions {
  /** A bundle's folder, as scripts/bundle.ts makes it. */
  bundle: string;
  name: string;
  port: number;
  bindings: Record<string, string>;
  /** Owns objects, D1, KV, R2 and queues; a cell without it uses those of `objectsOf`. */
  owner: boolean;
  objectsOf?: string;
  /** Root of the state; memory only without it. */
  stateDir?: string;
  /** The folder in which runtimes find each other. */
  registry?: string;
}

/** A line that the worker wrote to its console, or the runtime for it. */
export interface LogLine {
  level: string;
  message: string;
}

export interface Cell {
  miniflare: Miniflare;
  /** Runs the owner's `scheduled` handler once; locally nothing else does. */
  tick: () => Promise<void>;
  /** One statement on the D1 database. */
  sql: (statement: string, ...values: unknown[]) => Promise<Record<string, unknown>[]>;
  /** The bytes of one object of the archive, null where there is none. */
  archived: (name: string) => Promise<Uint8Array | null>;
  close: () => Promise<void>;
}

/** Starts the runtime and, for an owner, migrates its database. The worker answers on its own port. */
export async function openCell(options: CellOptions, log: (line: LogLine) => void): Promise<Cell> {
  const worker = await workerOptions(options.bundle, {
    name: options.name,
    bindings: options.bindings,
    socket: { host: "127.0.0.1", port: options.port },
    ...(options.objectsOf === undefined ? {} : { objectsOf: options.objectsOf }),
  });
  const workers = options.owner ? [worker, ...queueDoors(worker)] : [throughDoors(worker)];
  const shared = options.registry !== undefined && options.stateDir !== undefined;
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      workers,
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.NONE),
      logRequests: false,
      handleStructuredLogs: ({ level, message }) => log({ level, message }),
      ...(options.stateDir === undefined ? {} : { resourcePersistencePath: options.stateDir }),
      ...(options.registry === undefined ? {} : { unsafeDevRegistryPath: options.registry }),
    }),
    // Runtimes that name the same state directory use the D1, KV and R2 of the first one.
    ...(shared
      ? {
          unsafeEnableSharedStorage: true,
          isolatedResourcePersistencePath: `${options.stateDir}-${options.name}`,
        }
      : {}),
  });
  try {
    await miniflare.ready;
    const database = () => miniflare.getD1Database("DB", options.name);
    if (options.owner) await applyMigrations(await database());
    return {
      miniflare,
      tick: async () => {
        await (await miniflare.getWorker(options.name)).scheduled({ cron: "* * * * *" });
      },
      sql: async (statement, ...values) => {
        const query = (await database()).prepare(statement);
        const bound = values.length === 0 ? query : query.bind(...values);
        return (await bound.all<Record<string, unknown>>()).results;
      },
      archived: async (name) => {
        const object = await (await miniflare.getR2Bucket("ARCHIVE", options.name)).get(name);
        return object === null ? null : new Uint8Array(await object.arrayBuffer());
      },
      close: () => miniflare.dispose(),
    };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}
