// One gateway on one machine: the bundle on Miniflare, reached through a direct socket (Miniflare's entry
// worker would cost a hop), state on disk, and a stop that lets running requests and their records finish.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import type { V4WorkerOptions } from "miniflare";
import { buildBundle, root, workerOptions } from "./bundle.ts";
import { applyMigrations } from "./migrate.ts";

/** What a running gateway is made from. */
export interface ServeOptions {
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** Where D1, KV, R2 and the objects keep their state; without it everything is gone at the stop. */
  stateDir?: string;
  /** Variables and secrets, laid over `[vars]` of wrangler.toml. */
  bindings: Record<string, string>;
  /** Told what happens next, one line each. */
  progress?: (line: string) => void;
  /** Gets what the Worker writes to its console; without it that goes to ours. */
  console?: (line: string) => void;
}

/** A gateway that answers. */
export interface Gateway {
  /** Its address, `http://host:port`, without a slash at the end. */
  url: string;
  miniflare: Miniflare;
  /**
   * Stops accepting, gives running requests up to 10 s, then ends the runtime. Safe to call twice.
   * Miniflare exits the process on SIGINT and SIGTERM by itself: who wants this instead removes its listeners.
   */
  stop(): Promise<void>;
}

/** Thrown when the address is taken or not ours to listen on; the message is for the operator. */
class AddressError extends Error {
  override name = "AddressError";
}

const drainLimit = 10_000;
// Objects deliver in gathers what was settled; what they don't deliver in this time they do after the next start.
const quietTime = 300;
const minute = 60_000;

// Kept open during a stop: while one request runs, a draining workerd does not exit under the work that other requests
// left to waitUntil. It says "settled" once the gateway's own gauge tells that none of that is left.
const lifeline = (masterKey: string): V4WorkerOptions => ({
  name: "lifeline",
  modules: true,
  compatibilityDate: "2026-10-20",
  bindings: { MASTER_KEY: masterKey },
  serviceBindings: { GATEWAY: "routero" },
  script: `async function inHand({ GATEWAY, MASTER_KEY }) {
    const headers = { authorization: "Bearer " + MASTER_KEY };
    const text = await (await GATEWAY.fetch("http://gateway/metrics", { headers })).text();
    return Number(/^gateway_work_in_hand (\\d+)$/m.exec(text)?.[1] ?? 0);
  }
  async function hold(env, writer) {
    const say = (word) => writer.write(new TextEncoder().encode(word + "\\n"));
    await say("holding");
    const end = Date.now() + ${drainLimit * 2};
    let settled = false;
    while (Date.now() < end) {
      await scheduler.wait(25);
      const before = settled;
      settled = (await inHand(env)) === 0;
      if (settled && !before) await say("settled");
      if (!settled && before) await say("working");
    }
    await writer.close();
  }
  export default {
    fetch(request, env, context) {
      const { readable, writable } = new TransformStream();
      context.waitUntil(hold(env, writable.getWriter()));
      return new Response(readable);
    },
  };`,
  unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
});

/** Builds if needed, starts, migrates and waits until `/health/readiness` answers 200. */
export async function serve(options: ServeOptions): Promise<Gateway> {
  const progress = options.progress ?? (() => {});
  const port = await freePort(options.host, options.port);
  progress("building the Worker …");
  const bundle = await buildBundle();
  progress("starting the runtime …");
  const scratch = await mkdtemp(join(tmpdir(), "routero-"));
  const pidFile = join(scratch, "workerd.pid");
  if (process.platform !== "win32") {
    process.env["ROUTERO_WORKERD_PID"] = pidFile;
    process.env["ROUTERO_WORKERD"] = workerdBinary();
    process.env["MINIFLARE_WORKERD_PATH"] = join(root, "scripts/workerd.sh");
  }
  const socket = { host: options.host, port };
  const worker = await workerOptions(bundle, { bindings: options.bindings, socket });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [worker, lifeline(options.bindings["MASTER_KEY"] ?? "")],
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.ERROR),
      logRequests: false,
      ...(options.console && {
        handleStructuredLogs: ({ message }) => options.console?.(message),
      }),
      ...(options.stateDir === undefined ? {} : { resourcePersistencePath: options.stateDir }),
    }),
  );
  const host =
    options.host === "0.0.0.0" ? "127.0.0.1" : options.host === "::" ? "::1" : options.host;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  try {
    await miniflare.ready;
    progress("migrating the database …");
    await applyMigrations(await miniflare.getD1Database("DB"));
    await ready(url);
  } catch (error) {
    await miniflare.dispose();
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
  // Deployments are validated at the start, not a minute later.
  void tick(miniflare);
  const cron = setInterval(() => {
    void tick(miniflare);
  }, minute);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(cron);
    await drain(miniflare, pidFile, port);
    await miniflare.dispose();
    await rm(scratch, { recursive: true, force: true });
  };
  return { url, miniflare, stop: () => (stopped ??= stop()) };
}

/** The binary that Miniflare would start by itself. */
function workerdBinary(): string {
  const require = createRequire(import.meta.resolve("miniflare"));
  return (require("workerd") as { default: string }).default;
}

/** The port asked for, or a free one for 0; throws AddressError when it can't be listened on. */
async function freePort(host: string, port: number): Promise<number> {
  const server = createServer();
  try {
    return await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, exclusive: true }, () => {
        const address = server.address();
        resolve(typeof address === "object" && address ? address.port : port);
      });
    });
  } catch (error) {
    throw new AddressError(why(error as NodeJS.ErrnoException, host, port), { cause: error });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

function why(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === "EADDRINUSE")
    return `port ${port} is in use on ${host}; set PORT to another one`;
  if (error.code === "EACCES")
    return `not allowed to listen on port ${port}; set PORT to one above 1023`;
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND") {
    return `HOST ${host} is not an address of this machine`;
  }
  return `cannot listen on ${host}:${port}: ${error.message}`;
}

async function ready(url: string): Promise<void> {
  const patience = AbortSignal.timeout(15_000);
  let last = "no answer";
  while (!patience.aborted) {
    try {
      const answer = await fetch(`${url}/health/readiness`, { signal: patience });
      const said = await answer.text();
      if (answer.status === 200) return;
      last = `${answer.status} ${said.slice(0, 500)}`;
    } catch (error) {
      last = (error as Error).message;
    }
    await pause(50);
  }
  throw new Error(`the gateway did not become ready: ${last}`);
}

// Nothing fires cron locally.
async function tick(miniflare: Miniflare): Promise<void> {
  try {
    await (await miniflare.getWorker("routero")).scheduled({ cron: "* * * * *" });
  } catch (error) {
    console.error(`routero: the minute's schedule failed: ${(error as Error).message}`);
  }
}

/** On SIGTERM workerd refuses new connections and finishes what runs; then what its requests left to do is awaited. */
async function drain(miniflare: Miniflare, pidFile: string, port: number): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (!pid) return;
  let settled: () => boolean;
  try {
    settled = lastWord(await fetch(await miniflare.unsafeGetDirectURL("lifeline")), "settled");
    process.kill(pid, "SIGTERM");
  } catch {
    return; // The runtime is gone already: nothing is running in it.
  }
  const busy = async () => (await openConnections(port)) > 0 || !settled();
  const began = Date.now();
  let quietSince = began;
  while (Date.now() - began < drainLimit && Date.now() - quietSince < quietTime) {
    if (await busy()) quietSince = Date.now();
    await pause(25);
  }
}

/** Listens to an answer of one word a line: whether the last one said so far is `word`. */
function lastWord(answer: Response, word: string): () => boolean {
  let said = "";
  const listen = async () => {
    const body = answer.body ?? [];
    const decoder = new TextDecoder();
    for await (const chunk of body as AsyncIterable<Uint8Array>) said += decoder.decode(chunk);
  };
  // It ends with the runtime, usually in the middle.
  listen().catch(() => undefined);
  return () => said.endsWith(`${word}\n`);
}

/** Established connections on our port; only Linux tells, elsewhere a stop goes on at once. */
async function openConnections(port: number): Promise<number> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let open = 0;
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const rows = (await readFile(table, "utf8").catch(() => "")).split("\n").slice(1);
    for (const row of rows) {
      const [, local, , state] = row.trim().split(/\s+/);
      if (local?.endsWith(suffix) && state === "01") open += 1;
    }
  }
  return open;
}
