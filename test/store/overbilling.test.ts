import { beforeEach, expect, test } from "vitest";
import type { AttemptRow } from "../../worker/core/account.ts";
import { NOTHING } from "../../worker/core/amount.ts";
import { NO_USAGE } from "../../worker/core/usage.ts";
import { Overbilling } from "../../worker/store/escrow-overbilling.ts";
import { rowOf } from "../support/settle-row.ts";

const T = 1_700_000_000_000;

let known: Overbilling;

beforeEach(() => {
  known = new Overbilling();
});

const attempt = (cost: number, tokens = 0, estimated = false): AttemptRow => ({
  n: 0,
  deployment: "d1",
  provider: "openai",
  model: "m",
  usage: { ...NO_USAGE, output: tokens, estimated },
  cost,
  priceKnown: true,
  status: 200,
  startedAt: T,
  durationMs: 1,
});

/** What is learnt of a request that 100 was held for, its bound raised by so much. */
function learn(attempts: AttemptRow[], by = 1, orgId = "o1", now = T) {
  const ids = { orgId, teamId: "t1", requestId: "r1" };
  const row = { ...rowOf(ids, "k1", [], NOTHING, T), attempts };
  const amount = { cost: 100, requests: 1, tokens: 100 };
  return known.learn(row, { amount, overbilling: { d1: by } }, now)?.factor ?? null;
}

const of = (orgId: string, shared = 1, now = T) => known.of(orgId, "d1", shared, now);

test("the more a deployment bills beyond what is held, the more is held, up to ten times; of one organization alone", () => {
  expect(learn([attempt(100, 100)])).toBe(null);
  expect(learn([attempt(142)])).toBe(1.45);
  expect(of("o1")).toBe(1.45);
  // Held before that was known: it tells nothing new.
  expect(learn([attempt(142)])).toBe(null);
  expect(learn([attempt(110)], 1.45)).toBe(1.6);
  expect(learn([attempt(0, 150)], 1.6)).toBe(2.4);
  expect(learn([attempt(90_000)], 2.4)).toBe(10);
  expect(learn([attempt(90_000)], 10)).toBe(null);
  expect([of("o1"), of("o2")]).toEqual([10, 1]);
});

test("nothing is learnt of sums of attempts, nor of what we estimated ourselves", () => {
  expect(learn([attempt(80), attempt(80)])).toBe(null);
  expect(learn([attempt(200, 0, true)])).toBe(null);
  expect(learn([attempt(0), attempt(200)])).toBe(2);
});

test("what the organization knows goes on from where the isolate stopped, and soon has the last word", () => {
  expect(of("o1", 2)).toBe(2);
  expect(learn([attempt(150)], 2)).toBe(3);
  expect(of("o1", 2, T + 1_000)).toBe(3);
  expect(of("o1", 3, T + 5_000)).toBe(3);
  // An administrator changed the model.
  expect(of("o1", 1, T + 61_000)).toBe(1);
  expect(learn([attempt(150)], 1, "o1", T + 62_000)).toBe(1.5);
});
