import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildBundle } from "../../../scripts/bundle.ts";

/** A copy of the built Worker with a wrapper around its handlers. */
export interface WrappedBundle {
  /** The bundle's folder, for `startCluster` and `startGateway`. */
  folder: string;
  remove(): Promise<void>;
}

/** Wrappers of this folder: each is a script with a function `wrap(worker)` that returns the handlers to run. */
export type Wrapper = "door" | "calls";

/** Builds the Worker and puts a wrapper around it; what it wraps is the built bundle itself, byte for byte. */
export async function wrapBundle(wrapper: Wrapper): Promise<WrappedBundle> {
  const folder = await mkdtemp(join(tmpdir(), "routero-wrapped-"));
  await cp(await buildBundle(), folder, { recursive: true });
  const file = join(folder, "index.js");
  const script = await readFile(join(import.meta.dirname, `${wrapper}.js`), "utf8");
  const built = await readFile(file, "utf8");
  const inner = /(\w+) as default\b/.exec(built)?.[1];
  if (inner === undefined) throw new Error("the bundle exports no default handlers");
  const exported = built.replace(/\w+ as default\b/, "wrapped as default");
  // In a scope of its own: the bundle has taken most short names.
  const wrap = `(() => {\n${script}\nreturn wrap;\n})()`;
  await writeFile(file, `${exported}\nconst wrapped = ${wrap}(${inner});\n`);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
