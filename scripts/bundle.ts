// The Worker as one folder of modules, built by wrangler itself, so what runs here is what deploys.
//
//   const bundle = await buildBundle();          // folder with index.js, its text modules, worker.json
//   const worker = await workerOptions(bundle);  // options for Miniflare (scripts/serve.ts wraps them)
//
// A bundle lies in dist/<hash of everything that can change it>: an unchanged tree builds nothing, and
// test files that start at once build it once.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { V4WorkerOptions } from "miniflare";

/** The project's folder. */
export const root = join(import.meta.dirname, "..");

const sources = ["worker", "durable-objects", "policies"];
const settings = ["wrangler.toml", "package-lock.json", "tsconfig.json"];
const lockPatience = 120_000;
const keepFor = 3_600_000;

/** Thrown when the Worker does not build; the message holds the bundler's own words. */
class BundleError extends Error {
  override name = "BundleError";
}

/** Builds the Worker unless this very tree was built before; resolves to the bundle's folder. */
export async function buildBundle(): Promise<string> {
  const dist = join(root, "dist");
  const target = join(dist, await hashOfSources());
  if (existsSync(target)) return target;
  await mkdir(dist, { recursive: true });
  const lock = `${target}.lock`;
  const began = Date.now();
  while (!(await taken(lock))) {
    if (existsSync(target)) return target;
    // A builder that was killed leaves its lock behind; a live one needs seconds.
    if (Date.now() - began > lockPatience) await rm(lock, { recursive: true, force: true });
    await pause(50);
  }
  try {
    if (!existsSync(target)) {
      await build(unfinished(target));
      // Files that changed under the build would stand under the wrong hash.
      if (join(dist, await hashOfSources()) !== target) return await buildBundle();
      await rename(unfinished(target), target);
    }
    await prune(dist, target);
    return target;
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

async function taken(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function hashOfSources(): Promise<string> {
  const files = [...settings];
  for (const folder of sources) {
    if (!existsSync(join(root, folder))) continue;
    for (const entry of await readdir(join(root, folder), {
      recursive: true,
      withFileTypes: true,
    })) {
      if (entry.isFile()) files.push(relative(root, join(entry.parentPath, entry.name)));
    }
  }
  const hash = createHash("sha256");
  for (const file of files.toSorted()) {
    hash
      .update(`${file}\0`)
      .update(await readFile(join(root, file)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 20);
}

const unfinished = (target: string): string => `${target}.part`;

async function build(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const wrangler = join(root, "node_modules/wrangler/wrangler-dist/cli.js");
  const args = ["--no-warnings", wrangler, "deploy", "--dry-run", "--outdir", folder];
  const [{ code, said }, derived] = await Promise.all([run(args), deriveOptions()]);
  if (code !== 0) throw new BundleError(`the Worker does not build:\n${said.trim()}`);
  await writeFile(join(folder, "worker.json"), JSON.stringify(derived, null, 2));
}

function run(args: string[]): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" },
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, said }));
  });
}

/** What wrangler.toml declares, in Miniflare's terms; secrets and .dev.vars stay out of it. */
async function deriveOptions(): Promise<V4WorkerOptions> {
  const wrangler = await import("wrangler");
  const config = wrangler.unstable_readConfig({ config: join(root, "wrangler.toml") });
  // Without its list of secrets wrangler neither looks for them in the environment nor warns.
  const derived = wrangler.unstable_getMiniflareWorkerOptions({ ...config, secrets: undefined });
  const { workerOptions } = derived;
  return {
    ...workerOptions,
    name: config.name,
    rootPath: root,
    bindings: config.vars,
  } as V4WorkerOptions;
}

async function prune(dist: string, current: string): Promise<void> {
  for (const name of await readdir(dist)) {
    const path = join(dist, name);
    if (!/^[0-9a-f]{20}/.test(name) || path === current || path === `${current}.lock`) continue;
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > keepFor)
      await rm(path, { recursive: true, force: true });
  }
}

/** How one worker of an instance differs from what wrangler.toml says. */
export interface WorkerChanges {
  /** The worker's name in this instance; "routero" unless given. */
  name?: string;
  /** Variables and secrets, laid over `[vars]`. */
  bindings?: Record<string, string>;
  /** Address of a socket of its own that reaches this worker without Miniflare's entry worker. */
  socket?: { host: string; port: number };
  /** Use the Durable Objects of the worker of this name, and leave queue messages to it as well. */
  objectsOf?: string;
}

/** Miniflare options (v4 form) of one worker that runs `bundle`, bound as wrangler.toml says. */
export async function workerOptions(
  bundle: string,
  changes: WorkerChanges = {},
): Promise<V4WorkerOptions> {
  const derived = JSON.parse(await readFile(join(bundle, "worker.json"), "utf8")) as Derived;
  const { modulesRules: _rules, ...declared } = derived;
  const options: Derived = {
    ...declared,
    name: changes.name ?? derived.name,
    modules: await modulesOf(bundle),
    bindings: { ...derived.bindings, ...changes.bindings },
  };
  if (changes.socket) {
    options.unsafeDirectSockets = [changes.socket];
    options.bindings = { CLIENT_ADDRESS: "socket", ...options.bindings };
    await socketsTellAddresses();
  }
  if (changes.objectsOf !== undefined) {
    const scriptName = changes.objectsOf;
    options.durableObjects = Object.fromEntries(
      Object.entries(derived.durableObjects).map(([binding, object]) => [
        binding,
        { ...object, scriptName },
      ]),
    );
    delete options.queueConsumers;
  }
  return options as unknown as V4WorkerOptions;
}

/**
 * Miniflare lets whoever sends a certain header write `request.cf`, its direct sockets included. Without that header's
 * name workerd writes there itself what nobody can forge: the peer's address. Must precede `new Miniflare`.
 */
async function socketsTellAddresses(): Promise<void> {
  const { CoreHeaders } = await import("miniflare");
  Object.assign(CoreHeaders, { CF_BLOB: undefined });
}

interface Derived {
  name: string;
  bindings: Record<string, unknown>;
  durableObjects: Record<string, { className: string; useSQLite?: boolean; scriptName?: string }>;
  queueConsumers?: Record<string, unknown>;
  modulesRules?: unknown;
  modules?: Module[];
  unsafeDirectSockets?: { host: string; port: number }[];
}

interface Module {
  type: "ESModule" | "Text" | "CompiledWasm" | "Data";
  path: string;
  contents: string | Uint8Array;
}

async function modulesOf(bundle: string): Promise<Module[]> {
  const modules: Module[] = [];
  for (const name of (await readdir(bundle)).toSorted()) {
    if (name.endsWith(".map") || name === "README.md" || name === "worker.json") continue;
    const bytes = await readFile(join(bundle, name));
    // Module names are what the bundle imports them by; they need not exist at this path.
    const path = join(root, name);
    if (name === "index.js")
      modules.unshift({ type: "ESModule", path, contents: bytes.toString() });
    else if (name.endsWith(".wasm")) modules.push({ type: "CompiledWasm", path, contents: bytes });
    else if (name.endsWith(".bin")) modules.push({ type: "Data", path, contents: bytes });
    else modules.push({ type: "Text", path, contents: bytes.toString() });
  }
  return modules;
}
