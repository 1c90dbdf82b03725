// Every package that the Worker ships must come under a licence that lets others build on it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const permissive = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "Unlicense",
]);

interface Manifest {
  version?: string;
  license?: string | { type?: string };
  dependencies?: Record<string, string>;
}

/** True for a permissive SPDX expression: one of `a OR b`, all of `a AND b`. */
export function isPermissive(expression: string): boolean {
  const bare = expression.replace(/[()]/g, "").trim();
  if (/ OR /i.test(bare)) return bare.split(/ OR /i).some(isPermissive);
  if (/ AND /i.test(bare)) return bare.split(/ AND /i).every(isPermissive);
  return permissive.has(bare);
}

/** Packages of the production tree of `root` whose licence is not permissive, and how many were looked at. */
export function checkLicences(root: string): { looked: number; refused: string[] } {
  const read = (folder: string): Manifest =>
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  const seen = new Set<string>();
  const refused: string[] = [];
  const visit = (from: string, name: string): void => {
    const folder = find(root, from, name);
    if (folder === undefined) {
      refused.push(`${name}: not installed`);
      return;
    }
    if (seen.has(folder)) return;
    seen.add(folder);
    const manifest = read(folder);
    const { license } = manifest;
    const text = (typeof license === "string" ? license : license?.type) ?? "none given";
    if (!isPermissive(text)) refused.push(`${name}@${manifest.version}: ${text}`);
    for (const next of Object.keys(manifest.dependencies ?? {})) visit(folder, next);
  };
  for (const name of Object.keys(read(root).dependencies ?? {})) visit(root, name);
  return { looked: seen.size, refused };
}

/** Where Node would find the package `name` from a file in `from`. */
function find(root: string, from: string, name: string): string | undefined {
  for (let folder = from; folder.startsWith(root); folder = join(folder, "..")) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return candidate;
  }
  return undefined;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { looked, refused } = checkLicences(join(import.meta.dirname, ".."));
  for (const line of refused) console.error(line);
  console.log(`licences: ${looked} packages, ${refused.length} refused`);
  process.exitCode = refused.length === 0 ? 0 : 1;
}
