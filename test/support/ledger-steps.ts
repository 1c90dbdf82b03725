import type { LedgerWorld } from "./ledger-world.ts";

/** The one of a list that a number picks, however large; undefined only of an empty list. */
export function pick<T>(list: T[], at: number): T {
  return list[at % list.length] as T;
}

/** Does something to one of the requests that run, if any does. */
export function running(
  world: LedgerWorld,
  at: number,
  work: (request: LedgerWorld["running"][number]) => void,
): void {
  const request = pick(world.running, at);
  if (request) work(request);
}

/** What may happen to isolates, requests, messages and time; `a` and `b` choose which and how much. */
export const STEPS = {
  begin: (world: LedgerWorld, a: number, b: number) =>
    world.begin(pick(world.isolates, a), b, 1 + (b % 7) * 10),
  raise: (world: LedgerWorld, a: number, b: number) =>
    running(world, a, (request) => world.raise(request, 1 + (b % 30))),
  release: (world: LedgerWorld, a: number) =>
    running(world, a, (request) => world.release(request)),
  flush: (world: LedgerWorld, a: number) => world.flush(pick(world.isolates, a)),
  deliver: (world: LedgerWorld, a: number) => world.deliver(a, false),
  deliverAndKeep: (world: LedgerWorld, a: number) => world.deliver(a, true),
  deliverAll: (world: LedgerWorld) => world.deliverAll(),
  drop: (world: LedgerWorld, a: number) => world.drop(a),
  answer: (world: LedgerWorld, a: number) => world.answer(a),
  loseAnswer: (world: LedgerWorld, a: number) => world.loseAnswer(a),
  idle: (world: LedgerWorld, a: number) => world.idle(pick(world.isolates, a)),
  advance: (world: LedgerWorld, a: number) => world.advance(a % 3_000),
  cut: (world: LedgerWorld, a: number, b: number) =>
    running(world, a, (request) => world.cut(request, b % 2 === 0)),
  crash: (world: LedgerWorld, a: number, b: number) =>
    world.crash(a % world.isolates.length, () => b % 2 === 0),
  reconcile: (world: LedgerWorld, a: number) => {
    // Rightly, or too early for a request that still runs.
    const request = pick([...world.abandoned, ...world.running], a);
    if (request) world.reconcile(request);
  },
};
