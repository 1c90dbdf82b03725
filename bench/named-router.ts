// A named router's match, at the most utterances that a router may hold (50 x 10 routes), on prompts of 200 characters
// and of 4 KB, and its preparation, which the first request after a change pays: `node bench/named-router.ts`.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { root } from "../scripts/bundle.ts";
import { autoRouterOf, type RoutingMode } from "../worker/core/auto-router.ts";
import { matchRoute } from "../worker/routing/named/match.ts";

const TURNS = 2000;
const TOPICS = "code law travel health finance cooking music sports gardening history".split(" ");
const VERBS = "write review explain compare plan fix draft check improve describe".split(" ");
const THINGS = "contract function recipe itinerary budget melody match hedge treaty diet".split(
  " ",
);
const TAILS = ["for beginners", "in detail", "before Friday", "with two examples", "for my team"];

function router(mode: RoutingMode) {
  const routes = TOPICS.map((topic, at) => ({
    name: `model-${at}`,
    description: `everything about ${topic}`,
    utterances: Array.from(
      { length: 50 },
      (_, number) =>
        `${VERBS[number % 10]} the ${topic} ${THINGS[(number * 7 + at) % 10]} ${TAILS[number % 5]} ${number}`,
    ),
  }));
  return autoRouterOf({
    id: "bench",
    group: "bench",
    model: "bench",
    litellmParams: {
      auto_router_config: { routes },
      auto_router_default_model: "other",
      auto_router_routing_mode: mode,
    },
  });
}

/** A text of some length, different for each number. */
function prompt(number: number, length: number): string {
  let text = "";
  for (let at = number; text.length < length; at = (at * 31 + 7) % 1009)
    text += `Please ${VERBS[at % 10]} my ${THINGS[at % 7]} about ${TOPICS[at % 9]} ${TAILS[at % 5]}. `;
  return text.slice(0, length);
}

function measure(turns: number, run: (turn: number) => unknown): { p50: number; p99: number } {
  const times: number[] = [];
  for (let turn = -Math.ceil(turns / 5); turn < turns; turn++) {
    const start = performance.now();
    run(Math.abs(turn));
    if (turn >= 0) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((times[Math.floor(times.length * share)] ?? 0) * 1e4) / 1e4;
  return { p50: at(0.5), p99: at(0.99) };
}

const rows = (["embedding", "classifier"] as const).flatMap((mode) => {
  const ready = router(mode);
  return [
    {
      row: `${mode}, 200 characters`,
      ms: measure(TURNS, (turn) => matchRoute(ready, prompt(turn, 200))),
    },
    { row: `${mode}, 4 KB`, ms: measure(TURNS, (turn) => matchRoute(ready, prompt(turn, 4096))) },
    {
      row: `${mode}, first request after a change`,
      ms: measure(100, () => matchRoute(router(mode), "hi")),
    },
  ];
});
const result = {
  at: new Date().toISOString(),
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root }).toString().trim(),
  machine: { cpu: cpus()[0]?.model, cores: cpus().length },
  versions: { node: process.version },
  routes: TOPICS.length,
  utterances: TOPICS.length * 50,
  rows,
};
const folder = join(root, "bench/results");
mkdirSync(folder, { recursive: true });
const name = `named-router-${result.at.slice(0, 16).replaceAll(/[T:]/g, "-")}-${result.commit}.json`;
writeFileSync(join(folder, name), `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result.rows, null, 1));
