// The smart router's classifier on prompts of 4 KB, beside a fixed loop over the same characters in the same run, since
// machines vary: `node bench/classify.ts`. Promised: 1 ms at the 99th percentile.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { root } from "../scripts/bundle.ts";
import { classify } from "../worker/routing/smart/classify.ts";
import { plainPrompt } from "../worker/routing/smart/prompt.ts";

const TURNS = 5000;
const PIECES = [
  "Write a function that merges two sorted lists and returns the median of the result. ",
  "The treaty of 1648 ended a war of thirty years; which of the following were its terms?\nA. None\nB. Two\n",
  "Let $f(x) = \\frac{x^2 - 1}{x + 1}$ and find f(7) + 3 * 4. ",
  "A patient of 45 years presents with fatigue, pallor and a haemoglobin of 8.9 g/dL. ",
];

/** What no rule names, so that the learned head has to read it. */
const UNNAMED = [
  "The committee came together on a cold morning in spring, and nobody had any idea of what would be on the table.\n",
  "Some people in the north like their tea strong; others, further to the south, drink it with milk and honey. ",
  "Whose boat was it?\n",
];

/** A text of 4,096 characters, different for each number. */
function prompt(number: number, pieces: readonly string[]): string {
  let text = `${number} `;
  for (let at = number; text.length < 4096; at = (at * 31 + 7) % 1009)
    text += pieces[at % pieces.length];
  return text.slice(0, 4096);
}

function loop(text: string): number {
  let hash = 0;
  for (let turn = 0; turn < 10; turn++) {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
  }
  return hash;
}

function measure(
  run: (text: string) => unknown,
  pieces: readonly string[] = PIECES,
): { p50: number; p99: number } {
  const times: number[] = [];
  for (let turn = -1000; turn < TURNS; turn++) {
    const text = prompt(Math.abs(turn) % 997, pieces);
    const start = performance.now();
    run(text);
    if (turn >= 0) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((times[Math.floor(times.length * share)] ?? 0) * 1e4) / 1e4;
  return { p50: at(0.5), p99: at(0.99) };
}

const smart = measure((text) => classify(plainPrompt(text)));
const unnamed = measure((text) => classify(plainPrompt(text)), UNNAMED);
const fixed = measure(loop);
const result = {
  at: new Date().toISOString(),
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root }).toString().trim(),
  machine: { cpu: cpus()[0]?.model, cores: cpus().length },
  versions: { node: process.version },
  rows: [
    { row: "classify, 4 KB", ms: smart },
    { row: "classify, 4 KB that no rule names", ms: unnamed },
    { row: "ten plain loops over 4 KB", ms: fixed },
  ],
  ratio: Math.round((smart.p50 / fixed.p50) * 100) / 100,
};
const folder = join(root, "bench/results");
mkdirSync(folder, { recursive: true });
const name = `classify-${result.at.slice(0, 16).replaceAll(/[T:]/g, "-")}-${result.commit}.json`;
writeFileSync(join(folder, name), `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result.rows), `ratio ${result.ratio}`);
