import { describe, expect, it, vi } from "vitest";
import type { Isolate } from "../../worker/core/isolate.ts";
import type { Learned, LearningObjectPort } from "../../worker/core/learning.ts";
import { makeLearning } from "../../worker/store/learning.ts";

const LEARNED: Learned = { version: 3, arms: {} };

function isolateOver(snapshot: LearningObjectPort["snapshot"]) {
  const asked = vi.fn<LearningObjectPort["snapshot"]>(snapshot);
  const none = async () => {
    throw new Error("not asked for here");
  };
  const object = { snapshot: asked, observe: none, judge: none, versions: none, revert: none };
  const clock = { now: 1_000_000 };
  const learning = makeLearning({
    isolate: { learned: new Map() } as unknown as Isolate,
    object: () => object,
    now: () => clock.now,
    waitUntil: () => undefined,
  });
  return { learning, asked, clock };
}

describe("an isolate's copy of what was learned", () => {
  it("is there for the first request already, and is never waited for again", async () => {
    const { learning, asked, clock } = isolateOver(async () => LEARNED);
    expect(learning.learned("org", null)).toBeNull();
    await learning.ready("org", null);
    expect(learning.learned("org", null)).toEqual(LEARNED);
    const before = asked.mock.calls.length;
    for (const later of [0, 4_000, 60_000]) {
      clock.now += later;
      expect(learning.ready("org", null)).toBeNull();
      expect(learning.learned("org", null)).toEqual(LEARNED);
    }
    await vi.waitFor(() => expect(asked.mock.calls.length).toBeGreaterThan(before));
    // Another version is another copy.
    expect(learning.ready("org", 2)).not.toBeNull();
  });

  it("keeps nobody waiting who asks an object that does not answer", async () => {
    vi.useFakeTimers();
    try {
      const { learning } = isolateOver(() => new Promise(() => undefined));
      const waited = learning.ready("org", null);
      await vi.advanceTimersByTimeAsync(1_000);
      await waited;
      expect(learning.learned("org", null)).toBeNull();
      const failing = isolateOver(() => Promise.reject(new Error("away")));
      await failing.learning.ready("org", null);
      expect(failing.learning.learned("org", null)).toBeNull();
      expect(failing.learning.ready("org", null)).toBeNull();
      failing.clock.now += 60_000;
      expect(failing.learning.ready("org", null)).not.toBeNull();
    } finally {
      vi.useRealTimers();
    }
  });
});
