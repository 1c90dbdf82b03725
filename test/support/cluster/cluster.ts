import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { buildBundle } from "../../../scripts/bundle.ts";
import type { LogLine } from "./cell.ts";
import {
  adminClient,
  first,
  testBindings,
  untilReady,
  type AdminClient,
  type First,
} from "./client.ts";
import { Link } from "./link.ts";
import { freePort } from "./ports.ts";
import { CellProcess } from "./process.ts";
import { announcementIn, clearRegistry, mirror, portOf, type Announcement } from "./registry.ts";

export interface ClusterOptions {
  workers: number;
  /** Variables and secrets, over those of `testBindings()`. */
  vars?: Record<string, string>;
  /** A bundle's folder; by default the built Worker. */
  bundle?: string;
  /** Make a first organization, team, user and key (default). */
  tenant?: boolean;
}

/** One worker service: own process, own isolate, own port; objects and storage are elsewhere. */
export interface Worker {
  name: string;
  url: string;
  /** What it wrote to its console, over all its lives. */
  logs: LogLine[];
  /** A crash: requests in flight are cut, memory is gone, nothing of it runs any more. */
  kill(): Promise<void>;
  /** Starts it again at the same address, empty. */
  start(): Promise<void>;
}

export interface Cluster extends AdminClient, First {
  workers: Worker[];
  /** The owner of objects, D1, KV, R2 and queue consumers; its state is on disk and outlives a kill. */
  objects: {
    logs: LogLine[];
    kill(): Promise<void>;
    start(): Promise<void>;
    sql(statement: string, ...values: unknown[]): Promise<Record<string, unknown>[]>;
    /** Runs the scheduled handler once. */
    tick(): Promise<void>;
  };
  /**
   * Cuts a worker off from objects and storage while callers and providers still reach it: binding calls
   * fail at once, or with `hang` stay without an answer until `heal`.
   */
  partition(worker: Worker, how?: "fail" | "hang"): void;
  heal(worker: Worker): Promise<void>;
  stop(): Promise<void>;
}

const OBJECTS = "objects";

/** Starts N workers over one set of objects. Needs about 0.8 s of one core for each process. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const bundle = options.bundle ?? (await buildBundle());
  const folder = await mkdtemp(join(tmpdir(), "routero-cluster-"));
  const stateDir = join(folder, "state");
  const bindings = testBindings(options.vars);

  const ownRegistry = join(folder, "registry");
  const owner = new CellProcess({
    bundle,
    name: OBJECTS,
    port: await freePort(),
    bindings,
    owner: true,
    stateDir,
    registry: ownRegistry,
  });
  let announcement: Announcement = new Map();
  const nodes: Node[] = [];

  async function startOwner() {
    if (owner.running) return;
    clearRegistry(ownRegistry);
    await owner.start();
    announcement = announcementIn(ownRegistry);
    await Promise.all(nodes.map((node) => node.connect()));
  }

  class Node {
    cell: CellProcess;
    link = new Link(() => portOf(announcement));
    registry: string;
    worker: Worker;

    constructor(name: string, port: number) {
      this.registry = join(folder, `registry-${name}`);
      this.cell = new CellProcess({
        bundle,
        name,
        port,
        bindings,
        owner: false,
        objectsOf: OBJECTS,
        stateDir,
        registry: this.registry,
      });
      const url = `http://127.0.0.1:${port}`;
      this.worker = {
        name,
        url,
        logs: this.cell.logs,
        kill: () => this.cell.kill(),
        start: async () => {
          if (this.cell.running) return;
          clearRegistry(this.registry);
          mirror(announcement, this.registry, this.link.port);
          await this.cell.start();
          await untilReady(url);
        },
      };
    }

    /** A new path to the owner; resolves when the worker, if it runs, has taken it. */
    async connect() {
      await this.link.open();
      if (!this.cell.running) return;
      mirror(announcement, this.registry, this.link.port);
      while (this.cell.running && this.link.connections === 0) {
        await this.cell.order({ do: "touch" }).catch(() => wait(10));
      }
    }
  }
  const nodeOf = (worker: Worker) => {
    const node = nodes.find((n) => n.worker === worker);
    if (node === undefined) throw new Error(`${worker.name} is not of this cluster`);
    return node;
  };

  const stop = async () => {
    await Promise.all(nodes.map((node) => node.cell.close()));
    await owner.close();
    await Promise.all(nodes.map((node) => node.link.close()));
    await rm(folder, { recursive: true, force: true });
  };
  const client = adminClient(() => nodes[0]?.worker.url ?? "", bindings);
  let made: First;
  try {
    await startOwner();
    for (let i = 1; i <= options.workers; i += 1) nodes.push(new Node(`w${i}`, await freePort()));
    await Promise.all(nodes.map((node) => node.connect()));
    await Promise.all(nodes.map((node) => node.worker.start()));
    made = await first(client, options.tenant ?? true);
  } catch (error) {
    await stop();
    throw error;
  }
  const workers = nodes.map((node) => node.worker);
  return Object.assign(made, client, {
    workers,
    objects: {
      logs: owner.logs,
      kill: () => owner.kill(),
      start: startOwner,
      sql: async (statement, ...values) =>
        (await owner.order({ do: "sql", statement, values })) as Record<string, unknown>[],
      tick: async () => void (await owner.order({ do: "tick" })),
    },
    partition(worker, how = "fail") {
      const { link } = nodeOf(worker);
      if (how === "fail") link.refuse();
      else link.hold();
    },
    async heal(worker) {
      const node = nodeOf(worker);
      if (node.link.state === "hold") node.link.resume();
      // A runtime keeps its broken connection to an object for as long as the address is the same.
      else if (node.link.state === "refuse") await node.connect();
    },
    stop,
  } satisfies Omit<Cluster, keyof First | keyof AdminClient>);
}
