// How long a policy decision takes: the last rule matches, so that every one before it is asked. Signals are read as a
// request's are: each once, when a rule comes to it. `node bench/policy.ts`
import { cpus } from "node:os";
import { compile } from "../worker/policy/compile.ts";
import { decide } from "../worker/policy/decide.ts";
import { readYaml } from "../worker/policy/yaml.ts";
import { link } from "../worker/policy/evaluate.ts";
import { OFFLINE } from "../worker/policy/known.ts";
import type { SignalValue } from "../worker/core/policy.ts";

/** One size of policy and what a decision by it took. */
export interface PolicyRow {
  rules: number;
  /** Microseconds. */
  p50: number;
  p99: number;
  /** Milliseconds to read, check and compile the document, once per publication. */
  compile: number;
  /** Milliseconds to make a stored plan ready, once per isolate and version. */
  link: number;
}

const SIGNALS: Record<string, SignalValue> = {
  "identity.region": "eu",
  "identity.groups": ["finance", "emea"],
  "content.input_tokens": 4_200,
  "content.has_code": false,
  "content.model": "gpt-4o-mini",
  "budget.remaining_pct": 64,
  "schedule.hour": 11,
  "header.x-team": "ledger",
};

/** Rules of five shapes, maps and CEL, none of which matches; then one that always does. */
export function benchPolicy(rules: number, route = "a", last = "route: b"): string {
  const shapes = [
    (i: number) => `{ identity.region: r${i}, content.input_tokens: { gt: ${5_000 + i} } }`,
    (i: number) =>
      `'identity.region == "eu" && content.input_tokens > ${90_000 - i} && !content.has_code'`,
    (i: number) => `{ any: [{ header.x-team: t${i} }, { identity.groups: [g${i}, h${i}] }] }`,
    (i: number) => `'content.model.startsWith("m${i}") || budget.remaining_pct < ${i / 100 + 0.1}'`,
    (i: number) =>
      `{ content.model: { matches: "^claude-${i}" }, schedule.hour: { lt: ${(i % 9) + 1} } }`,
  ];
  const lines = Array.from({ length: rules - 1 }, (_, i) => {
    const when = shapes[i % shapes.length]?.(i) ?? "{}";
    return `  - { id: r${i}, when: ${when}, route: ${route} }`;
  });
  return ["rules:", ...lines, `  - { id: last, ${last} }`].join("\n");
}

/** Measures decisions by policies of these sizes. */
function measurePolicies(sizes: readonly number[], rounds = 4_000): PolicyRow[] {
  return sizes.map((rules) => {
    const began = performance.now();
    const [source] = readYaml("bench.yaml", benchPolicy(rules));
    const { plan } = source === undefined ? { plan: null } : compile(source, OFFLINE);
    const compiled = performance.now();
    if (plan === null) throw new Error(source?.faults[0]?.message ?? "There is no plan.");
    const text = JSON.stringify(plan);
    const linking = performance.now();
    const linked = link(JSON.parse(text));
    const documents = [{ scope: "org", version: 1, hash: "h", linked }];
    const ready = performance.now();
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const start = performance.now();
      const verdict = decide(
        documents,
        { now: 1_764_000_000_000, read: (name) => SIGNALS[name] ?? null },
        "global",
      );
      times.push((performance.now() - start) * 1000);
      if (verdict?.rule !== "last") throw new Error("The last rule has to match.");
    }
    times.splice(0, rounds / 4);
    times.sort((a, b) => a - b);
    const at = (share: number) => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(2));
    return {
      rules,
      p50: at(0.5),
      p99: at(0.99),
      compile: Number((compiled - began).toFixed(1)),
      link: Number((ready - linking).toFixed(1)),
    };
  });
}

if (import.meta.main) {
  const rows = measurePolicies([1, 40, 500]);
  console.log(`policy decision, ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}`);
  for (const { rules, p50, p99, compile: read, link: made } of rows) {
    console.log(
      `${String(rules).padStart(4)} rules  p50 ${p50} µs  p99 ${p99} µs  compile ${read} ms  link ${made} ms`,
    );
  }
}
