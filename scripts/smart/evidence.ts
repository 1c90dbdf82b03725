// What public outcomes say of single model families, as counts: `node scripts/smart/evidence.ts` writes
// worker/routing/smart/family-counts.ts. No content, and nothing of any organization.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { usualQuality } from "../../worker/routing/smart/choose.ts";
import { classify } from "../../worker/routing/smart/classify.ts";
import type { Evidence, FamilyCounts } from "../../worker/routing/smart/evidence.ts";
import { plainPrompt } from "../../worker/routing/smart/prompt.ts";
import { believed, mean, outcomes, type Outcome } from "./data.ts";

/**
 * The data's model -> the beginning of names that its outcomes speak for. Left out: llama3-chatqa, whose scores measure
 * the form of its answers, and codegemma, whose family is not known.
 */
const SPEAKS_FOR: Readonly<Record<string, string>> = {
  "gpt-4-1106-preview": "gpt-4-1106",
  "mixtral-8x7b-instruct-v0.1": "mixtral-8x7b",
  "mistral-7b-instruct-v0.3": "mistral-7b",
  "gemma-2-9b-it": "gemma-2-9b",
  "llama-3.1-8b-instruct": "llama-3.1-8b",
  "qwen2.5-7b-instruct": "qwen2.5-7b",
  "llama-3.1-nemotron-51b-instruct": "llama-3.1-nemotron-51b",
  "llama-3.3-nemotron-super-49b-v1": "llama-3.3-nemotron-super-49b",
};
/** Fewer rows than this say nothing of a task. */
const LEAST = 40;

/**
 * Counts by family and task. Test questions are harder than everyday ones: each model's rate is moved by the distance
 * between what all models reached on the same rows and what is believed of them, so that only differences count.
 */
export function evidenceFrom(rows: readonly Outcome[]): Evidence["families"] {
  const families: Record<string, { all: FamilyCounts; tasks: Record<string, FamilyCounts> }> = {};
  const byTask = Map.groupBy(
    rows,
    (row) => `${row.bench} ${classify(plainPrompt(row.prompt)).task}`,
  );
  for (const [name, some] of byTask) {
    if (some.length < LEAST) continue;
    const task = name.split(" ")[1]!;
    const models = Object.keys(SPEAKS_FOR).filter((model) => some[0]!.scores[model] !== undefined);
    const rate = (model: string) => mean(some.map((row) => row.scores[model] ?? 0));
    const belief = (model: string) => usualQuality(believed(model));
    const easier = mean(models.map(belief)) - mean(models.map(rate));
    for (const model of models) {
      const reached = Math.min(0.98, Math.max(0.02, rate(model) + easier));
      const family = (families[SPEAKS_FOR[model]!] ??= { all: [0, 0], tasks: {} });
      const counts = (family.tasks[task] ??= [0, 0]);
      for (const each of [family.all, counts]) {
        each[0] += Math.round(some.length * reached);
        each[1] += Math.round(some.length * (1 - reached));
      }
    }
  }
  return families;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { rows, sha256 } = outcomes();
  const evidence: Evidence = { version: 1, data: sha256, families: evidenceFrom(rows) };
  const path = join(import.meta.dirname, "../../worker/routing/smart/family-counts.ts");
  writeFileSync(
    path,
    `import type { Evidence } from "./evidence.ts";\n\n/** Written by scripts/smart/evidence.ts: [good, bad] of each family and task. */\nexport const SHIPPED: Evidence = ${JSON.stringify(evidence, null, 2)};\n`,
  );
  console.log(evidence.families);
}
