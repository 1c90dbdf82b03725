import type { HealthPort } from "../../worker/core/health.ts";
import { UNKNOWN } from "../../worker/routing/health.ts";

/** Health that keeps every deployment in rotation. */
export const trusting: HealthPort = {
  standing: () => UNKNOWN,
  began: () => undefined,
  ended: () => undefined,
  refused: () => undefined,
  probe: async () => false,
  mayAdd: () => true,
};
