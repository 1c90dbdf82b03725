import type { HealthPort, Standing } from "../core/health.ts";

/** How a deployment stands of which nothing is known: in rotation. */
export const UNKNOWN: Readonly<Standing> = Object.freeze({
  state: "closed",
  openUntil: null,
  reason: null,
  proven: true,
  errorRate: 0,
  latency: null,
  inFlight: 0,
  requests: 0,
  tokens: 0,
  liveRequests: 0,
  liveTokens: 0,
});

/** Keeps every deployment in rotation. */
export const trusting: HealthPort = {
  standing: () => UNKNOWN,
  began: () => undefined,
  ended: () => undefined,
  probe: async () => false,
  mayAdd: () => true,
};
