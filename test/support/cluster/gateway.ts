import { buildBundle } from "../../../scripts/bundle.ts";
import { openCell, type LogLine } from "./cell.ts";
import {
  adminClient,
  first,
  testBindings,
  untilReady,
  type AdminClient,
  type First,
} from "./client.ts";
import { freePort } from "./ports.ts";

export interface GatewayOptions {
  /** Variables and secrets, over those of `testBindings()`. */
  vars?: Record<string, string>;
  /** Keeps the state there (for a second start); by default it is gone at the stop. */
  stateDir?: string;
  /** A bundle's folder; by default the built Worker. */
  bundle?: string;
  /** Make a first organization, team, user and key (default). */
  tenant?: boolean;
}

export interface TestGateway extends AdminClient, First {
  url: string;
  /** What the worker and its objects wrote to the console, so far. */
  logs: LogLine[];
  sql(statement: string, ...values: unknown[]): Promise<Record<string, unknown>[]>;
  /** The bytes of one object of the archive, null where there is none. */
  archived(name: string): Promise<Uint8Array | null>;
  /** Runs the scheduled handler once. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

/** One gateway with everything in one runtime, in memory: the ground of most stories. About 1 s. */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const bindings = testBindings(options.vars);
  const logs: LogLine[] = [];
  const port = await freePort();
  const cell = await openCell(
    {
      bundle: options.bundle ?? (await buildBundle()),
      name: "routero",
      port,
      bindings,
      owner: true,
      ...(options.stateDir === undefined ? {} : { stateDir: options.stateDir }),
    },
    (line) => logs.push(line),
  );
  const url = `http://127.0.0.1:${port}`;
  const client = adminClient(() => url, bindings);
  try {
    await untilReady(url);
    const own = {
      url,
      logs,
      sql: cell.sql,
      tick: cell.tick,
      archived: cell.archived,
      stop: cell.close,
    };
    return Object.assign(await first(client, options.tenant ?? true), client, own);
  } catch (error) {
    await cell.close();
    throw error;
  }
}
