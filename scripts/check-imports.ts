// Holds the rules of the house that a linter can't say: which folder may import which, where bindings may be
// seen, how zod is imported, and that a switched-off lint rule says why.
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize, relative } from "node:path";
import { pathToFileURL } from "node:url";

/** One broken rule. */
export interface Finding {
  file: string;
  line: number;
  says: string;
}

const anything = "anything";
const pure = ["core", "policy", "protocols", "providers", "routing"];

/** Room -> rooms it may import besides itself. A file directly in worker/ is a room of its own. */
const mayImport: Record<string, string[] | typeof anything> = {
  core: [],
  protocols: ["core"],
  policy: ["core"],
  routing: ["core"],
  features: ["core"],
  store: ["core"],
  providers: ["core", "protocols"],
  stages: ["core", "protocols", "providers", "routing", "policy", "features"],
  "gateway.ts": ["core", "stages"],
  "config.ts": ["core", "identity", "policy", "providers", "store"],
  queues: ["core", "store"],
  "schedules.ts": ["core", "store"],
  telemetry: ["core", "store"],
  // What explains a decision reads a request as the path does: with the same pure estimates and names.
  admin: ["core", "policy", "store", "providers", "routing"],
  identity: ["core", "policy", "store", "providers"],
  dashboard: ["core", "admin"],
  // Deliveries judge the addresses that they are sent to as the path does.
  "durable-objects": ["core", "store", "policy", "routing", "providers"],
  "deps.ts": anything,
  "app.ts": anything,
  "index.ts": anything,
  cli: pure,
  scripts: [...pure, "cli"],
  bench: anything,
  test: anything,
};

/** Only these see what the Worker is bound to. */
const seeBindings = /^(worker\/(deps|index)\.ts$|durable-objects\/|test\/|bench\/|scripts\/)/;

/** The room that a file of the project belongs to; undefined outside of all rooms. */
function roomOf(file: string): string | undefined {
  const [top, next] = file.split("/");
  if (top !== "worker") return top;
  return next;
}

const importForm = /\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g;
const bindingForm =
  /\benv\.[A-Z][A-Z_]+\b|[:<]\s*(?:Cloudflare\.)?Env\b|["']cloudflare:workers["']/g;
const zodForm = /^import\s+(?!type\s+\*|\*)[^;]*?from\s+["']zod["']/gm;
const switchForm = /(?:eslint|oxlint)-disable|@ts-(?:ignore|expect-error|nocheck)/g;

/** Checks one file, given by its path in the project, with `/`. */
export function checkSource(file: string, text: string): Finding[] {
  const findings: Finding[] = [];
  const add = (index: number, says: string): void => {
    findings.push({ file, line: text.slice(0, index).split("\n").length, says });
  };
  const room = roomOf(file);
  if (room !== undefined) {
    const allowed = mayImport[room];
    if (allowed === undefined) add(0, `${room} has no row in scripts/check-imports.ts`);
    for (const match of text.matchAll(importForm)) {
      const [, specifier = ""] = match;
      if (!specifier.startsWith(".") || allowed === undefined || allowed === anything) continue;
      const target = normalize(join(dirname(file), specifier)).replaceAll("\\", "/");
      const to = roomOf(target);
      if (to === room || (to !== undefined && allowed.includes(to))) continue;
      add(match.index, `${room} may not import ${to} (${specifier})`);
    }
  }
  if (!seeBindings.test(file)) {
    for (const match of text.matchAll(bindingForm)) {
      if (isComment(text, match.index)) continue;
      add(
        match.index,
        `bindings are seen only by deps.ts, index.ts and durable-objects (${match[0]})`,
      );
    }
  }
  for (const match of text.matchAll(zodForm)) {
    add(match.index, 'write import * as z from "zod": the named import doubles the bundle');
  }
  for (const match of text.matchAll(switchForm)) {
    const line = text.slice(match.index).split("\n", 1)[0] ?? "";
    if (isComment(text, match.index) && !/ -- \S|(?:ts-expect-error|ts-ignore) \S/.test(line)) {
      add(match.index, "a rule that is switched off gives its reason: `-- why`");
    }
  }
  return findings;
}

function isComment(text: string, index: number): boolean {
  const begin = text.slice(text.lastIndexOf("\n", index) + 1, index);
  return /^\s*(\/\/|\/?\*)/.test(begin) || /\/\/|\/\*/.test(begin);
}

/** Checks every TypeScript file below `root`. */
export async function checkTree(root: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const folder of ["worker", "durable-objects", "cli", "scripts", "bench", "test"]) {
    const entries = await readdir(join(root, folder), {
      recursive: true,
      withFileTypes: true,
    }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      const file = relative(root, path).replaceAll("\\", "/");
      findings.push(...checkSource(file, await readFile(path, "utf8")));
    }
  }
  return findings;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const findings = await checkTree(join(import.meta.dirname, ".."));
  for (const { file, line, says } of findings) console.error(`${file}:${line} ${says}`);
  console.log(
    findings.length === 0 ? "imports: clean" : `imports: ${findings.length} broken rules`,
  );
  process.exitCode = findings.length === 0 ? 0 : 1;
}
