import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { smartLearning, smartLearningName } from "../../durable-objects/addresses.ts";
import { LearnedVersions } from "../../durable-objects/learned-versions.ts";
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

test.concurrent("a judgement counts once, for whoever made the call, and outlives the object", async () => {
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

test.concurrent("the same question asked again says that its answer was not liked, and teaches half", async () => {
  const learning = smartLearning(env, newOrgId("global"));
  await learning.observe([seen("first"), seen("again"), seen("foreign", { keyId: "k9" })]);
  // What others may ask, too, says nothing.
  await learning.observe([seen("ping", { turn: null }), seen("ping again", { turn: null })]);
  expect(await learning.judge({ callId: "again", reward: 1, by: mine })).toBe("learned");
  await vi.waitFor(
    async () => {
      const { good = 0, bad = 0 } = (await learning.snapshot(null))?.arms["small"]?.all ?? {};
      expect([Math.round(good), bad]).toEqual([1, expect.closeTo(0.5, 1)]);
    },
    { timeout: 8000, interval: 200 },
  );
});

test.concurrent("what somebody says of an answer counts although its question came again", async () => {
  const learning = smartLearning(env, newOrgId("global"));
  await learning.observe([seen("first"), seen("again")]);
  expect(await learning.judge({ callId: "first", reward: 1, by: mine })).toBe("learned");
  expect(await learning.judge({ callId: "first", reward: 0, by: mine })).toBe("known");
  await vi.waitFor(
    async () => {
      const { good = 0, bad = 0 } = (await learning.snapshot(null))?.arms["small"]?.all ?? {};
      expect([good, bad]).toEqual([expect.closeTo(1, 1), expect.closeTo(0.5, 1)]);
    },
    { timeout: 8000, interval: 200 },
  );
});

test.concurrent("keeps the newest hundred versions, and one that somebody decides by for as long as that is so", async () => {
  const learning = smartLearning(env, newOrgId("global"));
  const signs = { truncated: false, calls: false, form: null };
  const batch = (name: number) =>
    learning.observe(
      Array.from({ length: 20 }, (_, at) => seen(`${name}.${at}`, { turn: null, signs })),
    );
  for (let at = 1; at <= 3; at++) await batch(at);
  const pinned = await learning.snapshot(2);
  expect(pinned?.version).toBe(2);
  for (let at = 4; at <= 120; at++) await batch(at);
  const versions = await learning.versions();
  expect(versions.map(({ version }) => version)).toEqual([
    ...Array.from({ length: 100 }, (_, at) => 120 - at),
    2,
  ]);
  expect(versions.every(({ at }) => Math.abs(Date.now() - at) < 600_000)).toBe(true);
  expect(await learning.snapshot(2)).toEqual(pinned);
  expect(await learning.snapshot(3)).toBeNull();
});

test.concurrent("keeps the last version of each hour for a week and of each day for 90 days", async () => {
  const HOUR = 3_600_000;
  const end = Date.UTC(2026, 10, 26, 12);
  const kept = await runInDurableObject(
    env.SMART_LEARNING.getByName(smartLearningName(newOrgId("global"))),
    (_, { storage }) => {
      const versions = new LearnedVersions(storage.sql);
      versions.prepare();
      let version = 0;
      const keep = (at: number) => versions.keep({ version: ++version, arms: {} }, at);
      for (let at = end - 100 * 24 * HOUR; at < end; at += 2 * HOUR) keep(at);
      for (let at = 0; at < 300; at++) keep(end + at * 1000);
      return versions.list().map(({ at }) => (at - end) / HOUR);
    },
  );
  expect(kept.slice(0, 100).every((hours) => hours > 0)).toBe(true);
  const older = kept.slice(100);
  expect(older.slice(0, 83)).toEqual(Array.from({ length: 83 }, (_, at) => -2 * (at + 1)));
  // Twelve o'clock is the end: each earlier day's last version is that of 22 o'clock.
  expect(older.slice(84).every((hours) => (hours + 14) % 24 === 0)).toBe(true);
  expect(older.at(-1)).toBeGreaterThan(-91 * 24);
  expect(older.at(-1)).toBeLessThan(-88 * 24);
});

test.concurrent("what an answer shows of its form teaches once, beside what somebody says of it", async () => {
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

test.concurrent("a chosen model is evidence for it, and without a judgement against the one that answered", async () => {
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
