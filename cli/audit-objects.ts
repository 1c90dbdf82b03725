// Where the audit commands read a log from: a folder, or a gateway that serves its objects.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { readCheckpoint } from "../worker/core/sealed-log/checkpoint.ts";
import { HEAD, isBeyond } from "../worker/core/sealed-log/layout.ts";
import type { LogObjects } from "../worker/core/sealed-log/report.ts";
import { ask, type Gateway } from "./gateway.ts";

/** The gateway or the folder can't be read; the message says which and why. */
export class Unreadable extends Error {
  override name = "Unreadable";
}

/** A copy of a log in a folder: the one that holds `audit/` and `audit-head/`. */
export function folderObjects(folder: string): LogObjects {
  return {
    async names() {
      const names: string[] = [];
      for (const part of ["audit", "audit-head"]) {
        const entries = await readdir(join(folder, part), {
          recursive: true,
          withFileTypes: true,
        }).catch((): [] => []);
        for (const entry of entries) {
          if (!entry.isFile()) continue;
          const path = relative(folder, join(entry.parentPath, entry.name));
          names.push(path.replaceAll("\\", "/"));
        }
      }
      if (names.length === 0) throw new Unreadable(`${folder} holds no audit log`);
      return names;
    },
    get: async (name) =>
      readFile(join(folder, name)).then(
        (bytes) => new Uint8Array(bytes),
        () => null,
      ),
  };
}

/** Takes an object in; false where another one of that name is there, and stays. */
export type Keep = (name: string, bytes: Uint8Array) => Promise<boolean>;

/**
 * Every object of a gateway's log, page by page. What the log took after its head was read is left out, unless the gateway
 * knows nothing of it afterwards either: then somebody put an older head back, and who verifies has to see that.
 */
export async function download(
  gateway: Gateway,
  keep: Keep,
  progress: (objects: number) => void,
): Promise<{ count: number; differ: string[] }> {
  let after: string | null = null;
  let size: number | null = null;
  let count = 0;
  const differ: string[] = [];
  const beyond = new Map<string, Uint8Array>();
  const take = async (name: string, bytes: Uint8Array) => {
    if (!(await keep(name, bytes))) differ.push(name);
    progress(++count);
  };
  do {
    const query = after === null ? "" : `?after=${encodeURIComponent(after)}`;
    const text = await readFrom(gateway, `/audit-log/objects${query}`);
    const page = JSON.parse(text) as {
      objects: { name: string; bytes: string }[];
      after: string | null;
    };
    for (const { name, bytes: base64 } of page.objects) {
      const bytes = new Uint8Array(Buffer.from(base64, "base64"));
      if (name === HEAD)
        size = readCheckpoint(new TextDecoder().decode(bytes))?.checkpoint.size ?? null;
      if (!isPlain(name))
        throw new Unreadable(`the gateway named an object ${JSON.stringify(name)}`);
      if (size !== null && isBeyond(name, size)) beyond.set(name, bytes);
      else await take(name, bytes);
    }
    after = page.after;
  } while (after !== null);
  if (count === 0) throw new Unreadable("the gateway has no sealed log of this organization");
  if (beyond.size > 0) {
    const text = await readFrom(gateway, "/audit-log/checkpoint?format=text");
    const newest = readCheckpoint(text)?.checkpoint.size ?? 0;
    const unknown = [...beyond].filter(([name]) => isBeyond(name, newest));
    for (const [name, bytes] of unknown.length > 0 ? beyond : []) await take(name, bytes);
  }
  return { count, differ };
}

/** A name that stays inside the folder, whoever sent it. */
function isPlain(name: string): boolean {
  return /^audit(-head)?(\/[\w.:-]+)+$/.test(name) && !name.split("/").includes("..");
}

/** A gateway's log, read into memory. */
export async function gatewayObjects(
  gateway: Gateway,
  progress: (objects: number) => void,
): Promise<LogObjects> {
  const objects = new Map<string, Uint8Array>();
  const keep = async (name: string, bytes: Uint8Array) => objects.set(name, bytes).has(name);
  await download(gateway, keep, progress);
  return { names: async () => [...objects.keys()], get: async (name) => objects.get(name) ?? null };
}

/**
 * Saves into a folder that may hold an earlier copy: of what is written once nothing is ever replaced, since the copy may
 * be the only evidence of what stood there.
 */
export async function saveIn(folder: string, name: string, bytes: Uint8Array): Promise<boolean> {
  const file = join(folder, name);
  await mkdir(dirname(file), { recursive: true });
  if (name !== HEAD) {
    const there = await readFile(file).catch(() => null);
    if (there !== null) return there.equals(bytes);
  }
  await writeFile(file, bytes);
  return true;
}

/** One answer of the admin API; whatever keeps it away makes the log `Unreadable`. */
export async function readFrom(gateway: Gateway, path: string): Promise<string> {
  try {
    return await ask(gateway, "GET", path);
  } catch (cause) {
    throw new Unreadable((cause as Error).message);
  }
}
