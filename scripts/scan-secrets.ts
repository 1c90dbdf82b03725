// Looks for secrets in what git tracks: shapes that providers and we give our keys, private keys, and long
// random-looking values behind a telling name. It names the place, never the value.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** A place that looks like a secret. */
export interface Leak {
  line: number;
  kind: string;
}

const shapes: [kind: string, form: RegExp][] = [
  ["private key", /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/g],
  ["virtual key", /\bsk-rt-[0-9A-Za-z]{6,}-[0-9A-Za-z]{4,}-[0-9A-Za-z]{30,}/g],
  ["OpenAI key", /\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}/g],
  ["OpenAI key", /\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}/g],
  ["Anthropic key", /\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{40,}/g],
  ["Google key", /\bAIza[0-9A-Za-z_-]{35}\b/g],
  ["Groq key", /\bgsk_[A-Za-z0-9]{40,}/g],
  ["xAI key", /\bxai-[A-Za-z0-9]{60,}/g],
  ["AWS key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g],
  ["GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})/g],
  ["Slack token", /\bxox[abprs]-[0-9A-Za-z-]{20,}/g],
  ["npm token", /\bnpm_[A-Za-z0-9]{36}\b/g],
];

const named =
  /(?:secret|password|passwd|token|api[_-]?key|master[_-]?key|pepper|kek|credential)["']?\s*[:=]\s*["'`]?([A-Za-z0-9+/_=:-]{24,})/gi;

// Four bits a character: above hexadecimal words and identifiers, below 24 random base64 characters.
const randomBits = 4;

/** Recorded provider traffic holds ids that look random; the lock file holds hashes. */
const unread = /^(test\/recordings\/|package-lock\.json$)|\.(png|ico|woff2?|wasm|gz)$/;

/** Leaks of one text. */
export function scanText(text: string): Leak[] {
  const leaks: Leak[] = [];
  const add = (index: number, kind: string): void => {
    const line = text.slice(0, index).split("\n").length;
    if (!leaks.some((leak) => leak.line === line)) leaks.push({ line, kind });
  };
  for (const [kind, form] of shapes) {
    for (const match of text.matchAll(form)) add(match.index, kind);
  }
  for (const match of text.matchAll(named)) {
    const [, value = ""] = match;
    if (/\d/.test(value) && entropy(value) >= randomBits) add(match.index, "random value");
  }
  return leaks;
}

/** Bits per character, by the character's frequency in the text itself. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values())
    bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** Leaks of every tracked file below `root`, as `file:line kind`. */
export function scanTree(root: string): string[] {
  const listed = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" });
  const found: string[] = [];
  for (const file of listed.split("\0")) {
    if (file === "" || unread.test(file)) continue;
    let text: string;
    try {
      text = readFileSync(join(root, file), "utf8");
    } catch {
      continue; // Tracked, but deleted in this tree.
    }
    for (const { line, kind } of scanText(text)) found.push(`${file}:${line} ${kind}`);
  }
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const found = scanTree(join(import.meta.dirname, ".."));
  for (const leak of found) console.error(leak);
  console.log(found.length === 0 ? "secrets: none found" : `secrets: ${found.length} found`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
