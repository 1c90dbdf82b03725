import type { Call } from "../../support/upstream/index.ts";

export const WORDS = 20;
export const QUESTION = [{ role: "user", content: "Say it in twenty words" }];
export const PRICE = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-5 };
/** Of models whose name ends with -cheap. */
export const CHEAP = { input_cost_per_token: 1e-7, output_cost_per_token: 1e-6 };

let last: Promise<unknown> = Promise.resolve();

/** Runs races one after the other, each as soon as nobody is served any more in the one before. */
export async function inTurn<T>(run: (isQuiet: () => void) => Promise<T>): Promise<T> {
  const before = last;
  let isQuiet = () => {};
  last = new Promise<void>((resolve) => (isQuiet = resolve));
  await before;
  return run(isQuiet).finally(isQuiet);
}

/** How many calls were in flight together, at most. */
export function atOnce(calls: Call[]): number {
  const marks = calls.flatMap(({ at: { received = 0, end = Infinity } }) => [
    { at: received, by: 1 },
    { at: end, by: -1 },
  ]);
  let now = 0;
  let most = 0;
  for (const { by } of marks.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

/** What a provider would bill for a call, by its own count. */
export function costOf(
  model: string,
  { input, output }: { input: number; output: number },
): number {
  const factor = model.endsWith("-cheap") ? 0.1 : 1;
  return Math.ceil((input * 1_000 + output * 10_000) * factor);
}

/** What was held for a call at least, by the caller's body and the limit that its answer was given. */
export function boundOf({ model, body }: Call): number {
  const { max_tokens, stream = false } = body as { max_tokens: number; stream?: boolean };
  const asked = JSON.stringify({ messages: QUESTION, model, max_tokens: WORDS, stream });
  return asked.length * 1_000 + max_tokens * 10_000;
}
