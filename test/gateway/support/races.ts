import type { Call } from "../../support/upstream/index.ts";

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
