import type { Isolate } from "../core/isolate.ts";
import type { LearnedCopy, LearningObjectPort, LearningPort } from "../core/learning.ts";

/** Age from which a copy is renewed in the background, and after which a request for one is given up (PLATFORM 5). */
const FRESH_MS = 5_000;
const FLIGHT_MS = 2_000;
/** So long a request of an isolate that has no copy yet waits for the first one, and so long none does after it failed. */
const FIRST_MS = 1_000;
const PAUSE_MS = 10_000;

/** Learning over one object per organization: read from the isolate's copy, told in the background. */
export function makeLearning(world: {
  isolate: Isolate;
  object: (orgId: string) => LearningObjectPort;
  now: () => number;
  waitUntil: (work: Promise<unknown>) => void;
}): LearningPort {
  const { isolate, object, now, waitUntil } = world;

  function copyOf(orgId: string, version: number | null): LearnedCopy {
    const name = `${orgId} ${version ?? ""}`;
    const copy = isolate.learned.get(name) ?? {
      learned: null,
      at: 0,
      flightAt: null,
      failedAt: null,
    };
    isolate.learned.set(name, copy);
    return copy;
  }

  function renew(copy: LearnedCopy, orgId: string, version: number | null): Promise<void> {
    const at = now();
    copy.flightAt = at;
    const flight = object(orgId)
      .snapshot(version)
      .then((learned) => {
        Object.assign(copy, { learned: learned ?? copy.learned, at, flightAt: null });
      })
      .catch(() => {
        Object.assign(copy, { flightAt: null, failedAt: now() });
      });
    waitUntil(flight);
    return flight;
  }

  return {
    ready(orgId, version) {
      const copy = copyOf(orgId, version);
      const paused = copy.failedAt !== null && now() - copy.failedAt < PAUSE_MS;
      if (copy.at > 0 || paused) return null;
      const late = new Promise<void>((resolve) => setTimeout(resolve, FIRST_MS)).then(() => {
        copy.failedAt = now();
      });
      return Promise.race([renew(copy, orgId, version), late]);
    },
    learned(orgId, version) {
      const copy = copyOf(orgId, version);
      const at = now();
      // A version that is pinned never changes.
      const settled = version !== null && copy.learned !== null;
      const flying = copy.flightAt !== null && at - copy.flightAt < FLIGHT_MS;
      if (!settled && !flying && at - copy.at >= FRESH_MS) void renew(copy, orgId, version);
      return copy.learned;
    },
    observe(orgId, row) {
      waitUntil(
        object(orgId)
          .observe([row])
          .catch(() => undefined),
      );
    },
    judge: (orgId, judgement) => object(orgId).judge(judgement),
  };
}
