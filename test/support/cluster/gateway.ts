import { buildBundle } from "../../../scripts/bundle.ts";
import { openCell, type LogLine } from "./cell.ts";
import { adminClient, testBindings, untilReady, type AdminClient } from "./client.ts";
import { freePort } from "./ports.ts";

export interface GatewayOptions {
  /** Variables and secrets, over those of `testBindings()`. */
  vars?: Record<string, string>;
  /** Keeps the state there (for a second start); by default it is gone at the stop. */
  stateDir?: string;
  /** A bundle's folder; by default the built Worker. */
  bundle?: string;
}

export interface TestGateway extends AdminClient {
  url: string;
  /** What the worker and its objects wrote to the console, so far. */
  logs: LogLine[];
  sql(statement: string, ...values: unknown[]): Promise<Record<string, unknown>[]>;
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
  try {
    await untilReady(url);
  } catch (error) {
    await cell.close();
    throw error;
  }
  return {
    url,
    logs,
    sql: cell.sql,
    tick: cell.tick,
    stop: cell.close,
    ...adminClient(() => url, bindings),
  };
}
