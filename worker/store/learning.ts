import type { Isolate } from "../core/isolate.ts";
import type { LearnedCopy, LearningObjectPort, LearningPort } from "../core/learning.ts";

/** Age from which a copy is renewed in the background, and after which a request for one is given up (PLATFORM 5). */
const FRESH_MS = 5_000;
const FLIGHT_MS = 2_000;

/** Learning over one object per organization: read from the isolate's copy, told in the background. */
export function makeLearning(world: {
  isolate: Isolate;
  object: (orgId: string) => LearningObjectPort;
  now: () => number;
  waitUntil: (work: Promise<unknown>) => void;
}): LearningPort {
  const { isolate, object, now, waitUntil } = world;
  return {
    learned(orgId, version) {
      const name = `${orgId} ${version ?? ""}`;
      const copy: LearnedCopy = isolate.learned.get(name) ?? {
        learned: null,
        at: 0,
        flightAt: null,
      };
      isolate.learned.set(name, copy);
      const at = now();
      // A version that is pinned never changes.
      const settled = version !== null && copy.learned !== null;
      const flying = copy.flightAt !== null && at - copy.flightAt < FLIGHT_MS;
      if (!settled && !flying && at - copy.at >= FRESH_MS) {
        copy.flightAt = at;
        waitUntil(
          object(orgId)
            .snapshot(version)
            .then((learned) => {
              Object.assign(copy, { learned: learned ?? copy.learned, at, flightAt: null });
            })
            .catch(() => {
              copy.flightAt = null;
            }),
        );
      }
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
