// `routero classify --jsonl`: the smart router's classifier over lines of JSON, offline.
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { isJsonObject } from "../worker/core/json.ts";
import { dialectOf } from "../worker/protocols/index.ts";
import { classify } from "../worker/routing/smart/classify.ts";
import { plainPrompt, promptOf, type Prompt } from "../worker/routing/smart/prompt.ts";

/** What stands in one line of the answer; `error` in the place of the rest where a line could not be read. */
export type Classified =
  | {
      id: string | number | null;
      /** Need for a strong model, 0–1. */
      score: number;
      category: string;
      difficulty: string;
      /** Milliseconds that the classification took. */
      ms: number;
    }
  | { id: string | number | null; line: number; error: string };

const WARM_UP =
  "Which of these is right?\nA. x = 2 + 3\nB. Write a summary of the text above, please.\n";

/** Classifies each line of `input`: `{id, prompt}` or `{id, messages}` in OpenAI's form. Returns how many failed. */
export async function classifyLines(
  input: Readable,
  write: (line: string) => void,
): Promise<number> {
  // A gateway's classifier is warm; so should be the one whose milliseconds are told.
  for (let turn = 0; turn < 500; turn++)
    classify(plainPrompt(`${turn} ${WARM_UP.repeat(turn % 9)}${turn % 9 === 0 ? "翻译" : ""}`));
  let number = 0;
  let failed = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number++;
    if (line.trim() === "") continue;
    const result = classifyLine(line, number);
    if ("error" in result) failed++;
    write(`${JSON.stringify(result)}\n`);
  }
  return failed;
}

function classifyLine(line: string, number: number): Classified {
  let id: string | number | null = null;
  try {
    const value: unknown = JSON.parse(number === 1 ? line.replace(/^\uFEFF/, "") : line);
    if (!isJsonObject(value)) throw new Error("a line holds one JSON object");
    if (typeof value["id"] === "string" || typeof value["id"] === "number") id = value["id"];
    const prompt = promptIn(value);
    const start = performance.now();
    const { need, task, difficulty } = classify(prompt);
    const ms = performance.now() - start;
    return { id, score: need, category: task, difficulty, ms: Math.round(ms * 1000) / 1000 };
  } catch (cause) {
    return { id, line: number, error: cause instanceof Error ? cause.message : "not readable" };
  }
}

function promptIn(value: { [member: string]: unknown }): Prompt {
  if (typeof value["prompt"] === "string") return plainPrompt(value["prompt"]);
  if (Array.isArray(value["messages"])) {
    const { id: _, ...request } = value;
    const body = JSON.parse(JSON.stringify({ model: "smart/balanced", ...request }));
    return promptOf(dialectOf("openai-chat").client.parseRequest(body));
  }
  throw new Error('a line needs "prompt" (text) or "messages" (a list)');
}
