import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { root } from "../../../scripts/bundle.ts";
import type { CellOptions, LogLine } from "./cell.ts";

/** What a cell's process is told, and what it says. */
export type Order =
  | { do: "open"; options: CellOptions }
  | { do: "sql"; statement: string; values: unknown[] }
  | { do: "tick" }
  | { do: "touch" }
  | { do: "close" };
export type Reply = { log: LogLine } | { id: number; value?: unknown; error?: string };

const CLOSE_PATIENCE = 5_000;

/** A cell in its own process group. `kill` is a crash: no handler of the worker, node or the runtime runs. */
export class CellProcess {
  readonly options: CellOptions;
  readonly logs: LogLine[] = [];
  #child: ChildProcess | undefined;
  #waiting = new Map<number, { resolve: (v: unknown) => void; reject: (e: Error) => void }>();
  #last = 0;

  constructor(options: CellOptions) {
    this.options = options;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const child = fork(join(import.meta.dirname, "cell-process.ts"), [], {
      detached: true,
      execArgv: ["--no-warnings"],
      env: environment(),
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child = child;
    child.on("message", (reply: Reply) => this.#hear(reply));
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
      for (const { reject } of this.#waiting.values()) reject(new Error("the cell is gone"));
      this.#waiting.clear();
    });
    await this.order({ do: "open", options: this.options });
  }

  order(order: Order): Promise<unknown> {
    const child = this.#child;
    if (child === undefined)
      return Promise.reject(new Error(`${this.options.name} is not running`));
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      child.send({ id, order });
    });
  }

  /** Resolves when the processes are dead and the port is free. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const gone = once(child, "exit");
    process.kill(-child.pid, "SIGKILL");
    await gone;
    while (await answers(this.options.port)) await wait(5);
  }

  /** Ends the cell in good order, by force if that takes long. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const closed = this.order({ do: "close" }).catch(() => undefined);
    await Promise.race([closed, wait(CLOSE_PATIENCE, undefined, { ref: false })]);
    await this.kill();
  }

  #hear(reply: Reply): void {
    if ("log" in reply) return void this.logs.push(reply.log);
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.error === undefined) waiting?.resolve(reply.value);
    else waiting?.reject(new Error(reply.error));
  }
}

/** Ours, without what an in-process gateway set there for its own runtime. */
function environment(): NodeJS.ProcessEnv {
  const own =
    /^(MINIFLARE_WORKERD_PATH|ROUTERO_WORKERD|CLOUDFLARE_DEV_REGISTRY_PATH|VITEST|NODE_OPTIONS)/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  // Most of a cell's start is reading its programs: the second one finds them compiled.
  const NODE_COMPILE_CACHE = join(root, "node_modules/.cache/cells");
  return { ...Object.fromEntries(kept), NODE_COMPILE_CACHE } as unknown as NodeJS.ProcessEnv;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
