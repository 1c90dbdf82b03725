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
