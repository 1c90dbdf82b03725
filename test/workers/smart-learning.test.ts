import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { smartLearning, smartLearningName } from "../../durable-objects/addresses.ts";
import { newOrgId } from "../../worker/core/ids.ts";
import type { Observation } from "../../worker/core/learning.ts";

const seen = (callId: string, more: Partial<Observation> = {}): Observation => ({
  callId,
  group: "small",
  task: "code",
  keyId: "k1",
  teamId: "t1",
  turn: 7,
  ...more,
});
const mine = { keyId: "k1", teamId: "t1", any: false };

test("a judgement counts once, for whoever made the call, and outlives the object", async () => {
  const orgId = newOrgId("global");
  const learning = smartLearning(env, orgId);
  const calls = Array.from({ length: 25 }, (_, at) => seen(`c${at}`, { turn: at }));
  await learning.observe(calls);
  await learning.observe(calls);
  expect(
    await learning.judge({
      callId: "c0",
      reward: 1,
      by: { keyId: "k2", teamId: "t2", any: false },
    }),
  ).toBe("absent");
  expect(await learning.judge({ callId: "other", reward: 1, by: { ...mine, any: true } })).toBe(
    "absent",
  );
  for (const { callId } of calls) {
    expect(await learning.judge({ callId, reward: 0, by: mine })).toBe("learned");
    expect(await learning.judge({ callId, reward: 1, by: mine })).toBe("known");
  }
  await evictDurableObject(env.SMART_LEARNING.getByName(smartLearningName(orgId)));
  const after = await vi.waitFor(
    async () => {
      const now = await learning.snapshot(null);
      const { good = 0, bad = 0 } = now?.arms["small"]?.all ?? {};
      expect(good).toBe(0);
      expect(bad).toBeGreaterThan(24);
      expect(bad).toBeLessThanOrEqual(25);
      return now;
    },
    { timeout: 8000, interval: 200 },
  );
  // Every version can be read again; version 0 is what was known before anything was learned.
  expect(await learning.snapshot(after?.version ?? 0)).toEqual(after);
  expect(await learning.snapshot(0)).toEqual({ version: 0, arms: {} });
  expect(await learning.snapshot(999)).toBeNull();
});

test("the same question asked again says that its answer was not liked, and teaches half", async () => {
  const learning = smartLearning(env, newOrgId("global"));
  await learning.observe([seen("first"), seen("again"), seen("foreign", { keyId: "k9" })]);
  expect(await learning.judge({ callId: "first", reward: 1, by: mine })).toBe("known");
  expect(await learning.judge({ callId: "again", reward: 1, by: mine })).toBe("learned");
  await vi.waitFor(
    async () => {
      const { good = 0, bad = 0 } = (await learning.snapshot(null))?.arms["small"]?.all ?? {};
      expect([Math.round(good), bad]).toEqual([1, expect.closeTo(0.5, 1)]);
    },
    { timeout: 8000, interval: 200 },
  );
});

test("what an answer shows of its form teaches once, beside what somebody says of it", async () => {
  const learning = smartLearning(env, newOrgId("global"));
  const shown = (callId: string, signs: Observation["signs"], turn: number) =>
    seen(callId, { turn, ...(signs && { signs }) });
  const rows = [
    shown("broken", { truncated: false, calls: false, form: null }, 1),
    shown("held", { truncated: false, calls: null, form: true }, 2),
    shown("silent", { truncated: false, calls: null, form: null }, 3),
  ];
  await learning.observe(rows);
  await learning.observe(rows);
  expect(await learning.judge({ callId: "broken", reward: 0, by: mine })).toBe("learned");
  await vi.waitFor(
    async () => {
      const { good = 0, bad = 0 } = (await learning.snapshot(null))?.arms["small"]?.all ?? {};
      expect([good, bad]).toEqual([expect.closeTo(0.5, 2), expect.closeTo(1.5, 1)]);
    },
    { timeout: 8000, interval: 200 },
  );
});

test("a chosen model is evidence for it, and without a judgement against the one that answered", async () => {
  const learning = smartLearning(env, newOrgId("global"));
  await learning.observe([seen("a", { turn: 1 }), seen("b", { turn: 2 }), seen("c", { turn: 3 })]);
  const choose = (callId: string, chosen: string, reward: number | null) =>
    learning.judge({ callId, chosen, reward, by: mine });
  expect(await choose("a", "large", null)).toBe("learned");
  expect(await choose("b", "small", null)).toBe("learned");
  expect(await choose("c", "large", 1)).toBe("learned");
  await vi.waitFor(
    async () => {
      const now = await learning.snapshot(null);
      const of = (group: string) => {
        const { good = 0, bad = 0 } = now?.arms[group]?.all ?? {};
        return [good, bad];
      };
      expect(of("large")).toEqual([expect.closeTo(1, 1), 0]);
      expect(of("small")).toEqual([expect.closeTo(1.5, 1), expect.closeTo(0.5, 1)]);
    },
    { timeout: 8000, interval: 200 },
  );
});
