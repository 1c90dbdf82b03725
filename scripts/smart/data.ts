// What the smart router is trained and judged on: the folder `routing` of ROUTERO_TEST_DATA.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Deployment } from "../../worker/core/model.ts";
import { beliefOf, type Belief } from "../../worker/routing/smart/knowledge.ts";

/** A prompt with the score (0–1) that each model reached on it. */
export interface Outcome {
  id: string;
  bench: string;
  subject: string;
  prompt: string;
  scores: Record<string, number>;
}

/** A prompt with its kind of task; `label` names its template. */
export interface Labelled {
  id: string;
  source: string;
  label: string;
  category: string;
  prompt: string;
}

export interface Pair {
  name: string;
  bench: string;
  weak: string;
  strong: string;
  /** US dollars per million tokens of both, as the data's README has them. */
  usd: readonly [weak: number, strong: number];
}

/** The slices that a score is judged on, named as the published comparisons name them. */
export const PAIRS: readonly Pair[] = [
  {
    name: "mmlu/all",
    bench: "mmlu",
    weak: "mixtral-8x7b-instruct-v0.1",
    strong: "gpt-4-1106-preview",
    usd: [0.24, 24.7],
  },
  {
    name: "dev/ulab",
    bench: "ulab",
    weak: "mistral-7b-instruct-v0.3",
    strong: "llama-3.1-nemotron-51b-instruct",
    usd: [0.2, 0.9],
  },
];

const SMALL = [
  "codegemma-7b",
  "gemma-2-9b-it",
  "llama-3.1-8b-instruct",
  "mistral-7b-instruct-v0.3",
  "qwen2.5-7b-instruct",
];
const LARGE = ["llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1"];

/** Areas of the MMLU subjects: one is held out at a time, so that no neighbour of a subject is in training. */
const AREAS: Record<string, string> = {
  stem: "astronomy college_biology computer_security conceptual_physics electrical_engineering elementary_mathematics high_school_chemistry high_school_physics machine_learning",
  humanities:
    "formal_logic high_school_european_history high_school_us_history high_school_world_history international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy world_religions",
  social: "high_school_government_and_politics high_school_microeconomics public_relations",
  other: "human_aging management marketing medical_genetics virology",
};

/** The folder, or a message and the end of the process where it is not named. */
function dataFolder(): string {
  const folder = process.env["ROUTERO_TEST_DATA"];
  if (folder === undefined || folder === "") {
    console.error("Set ROUTERO_TEST_DATA to the folder that holds routing/dev.jsonl.gz.");
    process.exit(2);
  }
  return join(folder, "routing");
}

function read(name: string): { rows: unknown[]; sha256: string } {
  const packed = readFileSync(join(dataFolder(), name));
  const lines = gunzipSync(packed).toString("utf8").split("\n");
  return {
    rows: lines.filter((line) => line.trim() !== "").map((line): unknown => JSON.parse(line)),
    sha256: createHash("sha256").update(packed).digest("hex"),
  };
}

export function outcomes(): { rows: Outcome[]; sha256: string } {
  const { rows, sha256 } = read("dev.jsonl.gz");
  return { rows: rows as Outcome[], sha256 };
}

export function labelled(): { rows: Labelled[]; sha256: string } {
  const { rows, sha256 } = read("category-dev.jsonl.gz");
  return { rows: rows as Labelled[], sha256 };
}

/** The fold of a row: its MMLU area, or its whole task. */
export function foldOf({ bench, subject }: Pick<Outcome, "bench" | "subject">): string {
  const area = Object.entries(AREAS).find(([, list]) => list.split(" ").includes(subject));
  return bench === "mmlu" ? `mmlu/${area?.[0] ?? subject}` : `${bench}/${subject}`;
}

export const mean = (list: readonly number[]) =>
  list.reduce((sum, each) => sum + each, 0) / Math.max(1, list.length);

/** How well light models did on a row, and how well strong ones. Where there are many, half weight to the judged pair. */
export function lightScore(row: Outcome): number {
  const pair = PAIRS.find((each) => each.bench === row.bench);
  const one = row.scores[pair?.weak ?? ""] ?? 0;
  if (row.bench !== "ulab") return one;
  return 0.5 * one + 0.5 * mean(SMALL.map((each) => row.scores[each] ?? 0));
}

export function strongScore(row: Outcome): number {
  const pair = PAIRS.find((each) => each.bench === row.bench);
  const one = row.scores[pair?.strong ?? ""] ?? 0;
  if (row.bench !== "ulab") return one;
  return 0.5 * one + 0.5 * mean(LARGE.map((each) => row.scores[each] ?? 0));
}

/** A deployment of a model by its name, of which nothing else is known but `facts`. */
export function bareDeployment(
  model: string,
  facts: Partial<Deployment["facts"]> = {},
): Deployment {
  return {
    id: model,
    group: model,
    provider: "any",
    model,
    protocol: "openai-chat",
    baseUrl: "https://example.com",
    weight: 1,
    order: 0,
    tags: [],
    facts: { capabilities: {}, ...facts },
  };
}

/** What the router believes of a model by its name. */
export const believed = (model: string): Belief => beliefOf(bareDeployment(model));

/** The ways a prompt is changed without changing what it asks. */
export const PERTURBATIONS: Record<string, (prompt: string) => string> = {
  wrapped: (prompt) => `Please answer: ${prompt}`,
  lowerCase: (prompt) => prompt.toLowerCase(),
  relettered: (prompt) =>
    prompt.replace(/^([A-J])\. /gm, (_, letter: string) => `${letter.charCodeAt(0) - 64}) `),
  rotated: (prompt) =>
    prompt.replace(
      /^([A-D])\. /gm,
      (_, letter: string) => `(${"WXYZ"[letter.charCodeAt(0) - 65]}) `,
    ),
};
