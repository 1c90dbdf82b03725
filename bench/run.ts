// The ladder of docs/design: one upstream, and in front of it a bare pass-through worker, the gateway, and Portkey's
// gateway, each measured the same way in one run. `npm run bench` (needs wrk and nginx, in Debian: apt-get install wrk
// nginx-light). Figures of one machine are ratios, not capacity: every round measures all rungs in turn, and the medians
// over the rounds are what counts.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../scripts/bundle.ts";
import { firstContent } from "./first-content.ts";
import { median, table, type Row } from "./rows.ts";
import { startRungs, type Rung } from "./rungs.ts";
import { timeToCancel } from "./time-to-cancel.ts";
import { load } from "./wrk.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    portkey: { type: "boolean", default: true },
    quick: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const rounds = values.quick ? 1 : Number(values.rounds);
const seconds = values.quick ? 2 : Number(values.seconds);

/** What is measured: how long the upstream takes, how many connections, streamed or not. */
const CASES = [
  { name: "instant c16", path: "instant", connections: 16 },
  { name: "instant c64", path: "instant", connections: 64 },
  { name: "50 ms c1", path: "slow", connections: 1 },
  { name: "50 ms c16", path: "slow", connections: 16 },
] as const;

const say = (line: string) => console.error(line);

const { rungs, cut, stop } = await startRungs({ portkey: values.portkey, say });
const rows: Row[] = [];
try {
  const total = rounds * (CASES.length + 2) * rungs.length;
  let done = 0;
  for (let round = 1; round <= rounds; round++) {
    for (const each of CASES) {
      for (const rung of rungs) {
        const figures = await load(rung, each, seconds);
        rows.push({ rung: rung.name, case: each.name, round, ...figures });
        say(
          `[${++done}/${total}] ${each.name} · ${rung.name}: ${figures.requestsPerSecond} req/s, p50 ${figures.p50} ms, p99 ${figures.p99} ms${figures.errors > 0 ? `, ${figures.errors} errors` : ""}`,
        );
      }
    }
    for (const rung of rungs) {
      const figures = await firstContent(rung, values.quick ? 20 : 100);
      if (figures !== null)
        rows.push({ rung: rung.name, case: "stream, first content", round, ...figures });
      say(
        `[${++done}/${total}] first content · ${rung.name}: ${figures === null ? "not served" : `p50 ${figures.p50} ms`}`,
      );
    }
    for (const rung of rungs) {
      const figures = await timeToCancel(rung, cut, values.quick ? 10 : 40);
      if (figures !== null)
        rows.push({ rung: rung.name, case: "stream, time to cancel", round, ...figures });
      say(
        `[${++done}/${total}] time to cancel · ${rung.name}: ${figures === null ? "not served" : `p50 ${figures.p50} ms`}`,
      );
    }
  }
} finally {
  await stop();
}

const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root })
  .toString()
  .trim();
const result = {
  at: new Date().toISOString(),
  commit,
  machine: {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
  },
  versions: { node: process.version, rungs: rungs.map((rung: Rung) => rung.about) },
  rounds,
  seconds,
  medians: medians(rows),
  rows,
};
const folder = join(root, "bench/results");
mkdirSync(folder, { recursive: true });
const file = join(folder, `${result.at.slice(0, 16).replace(/[:T]/g, "-")}-${commit}.json`);
writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
console.log(table(result.medians));
say(`rows written to ${file}`);

function medians(all: readonly Row[]): Row[] {
  const groups = new Map<string, Row[]>();
  for (const row of all) {
    const name = `${row.case} ${row.rung}`;
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups.values()].map((group) => ({
    rung: group[0]?.rung ?? "",
    case: group[0]?.case ?? "",
    round: 0,
    requestsPerSecond: median(group.map((row) => row.requestsPerSecond)),
    p50: median(group.map((row) => row.p50)),
    p99: median(group.map((row) => row.p99)),
    errors: group.reduce((sum, row) => sum + row.errors, 0),
  }));
}
