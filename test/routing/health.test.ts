import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { makeHealth } from "../../worker/routing/health.ts";
import { deployment } from "../stages/world.ts";

const ORG = "g000000000000";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("who waits for a probe is refused within a second where the object that grants them is silent", async () => {
  const port = makeHealth({
    memory: new Map(),
    isolate: "i1",
    now: Date.now,
    waitUntil: () => undefined,
    object: () => ({ probe: () => new Promise<boolean>(() => undefined) }) as never,
  });
  let granted: boolean | null = null;
  void port.probe(ORG, deployment("a")).then((answer) => (granted = answer));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(granted).toBe(false);
});
