import { expect, test } from "vitest";
import {
  ProviderHealthMachine,
  type HealthStorage,
} from "../../durable-objects/provider-health-machine.ts";
import type { BreakerRules, Cell, HealthCheck, HealthReport } from "../../worker/core/health.ts";

const RULES: BreakerRules = { allowedFails: 3, cooldown: 60_000, enabled: true };

/** A machine at a clock that the test moves, over storage that outlives it. */
function world() {
  let now = 1_000_000;
  const cells = new Map<string, string>();
  const storage: HealthStorage = {
    load: () => [...cells].map(([name, cell]) => [name, JSON.parse(cell) as Cell]),
    keep: (name, cell) =>
      void (cell === null ? cells.delete(name) : cells.set(name, JSON.stringify(cell))),
    addChecks: () => undefined,
    checks: () => [],
  };
  let machine = new ProviderHealthMachine(storage, () => now);
  const report = (cell: string): HealthReport => ({
    cell,
    fault: "deployment",
    latency: null,
    tokens: 0,
    rules: RULES,
  });
  return {
    wait: (ms: number) => (now += ms),
    now: () => now,
    restart: () => (machine = new ProviderHealthMachine(storage, () => now)),
    /** Requests failed at a deployment and with its credential. */
    refused() {
      const reports = ["d", "c"].map(report);
      machine.sync({ isolate: "i", reports, inFlight: {}, probing: [], wanting: [] });
    },
    checked(result: HealthCheck["result"], at: number) {
      const fault = result === "healthy" ? null : "deployment";
      const check: HealthCheck = { deployment: "d", result, fault, reason: null, latency: 0, at };
      const accepted = result === "healthy" ? [{ credential: "c", at }] : [];
      machine.checked([check], RULES, accepted);
    },
    /** Milliseconds that each rests; 0 = its probe is due. */
    rests: () =>
      Object.fromEntries(machine.view().map(({ cell, openFor }) => [cell, openFor] as const)),
  };
}

test.each([false, true])(
  "a check that began before a failure does not end its rest; the object restarted: %s",
  (restarts) => {
    const { wait, now, refused, checked, rests, restart } = world();
    const began = now();
    wait(50);
    refused();
    wait(1_000);
    if (restarts) restart();
    checked("healthy", began);
    expect(rests()).toEqual({ d: 59_000, c: 59_000 });
    // What began in the same millisecond may have been answered before the failure.
    checked("healthy", began + 50);
    expect(rests()).toEqual({ d: 59_000, c: 59_000 });
  },
);

test("one that began after it makes the probe due, of the deployment and of its credential", () => {
  const { wait, now, refused, checked, rests } = world();
  refused();
  wait(1_000);
  const began = now();
  wait(200);
  checked("healthy", began);
  expect(rests()).toEqual({ d: 0, c: 0 });
});

test("a refusal right after a check found the credential good rests briefly: an isolate may hold the former one", () => {
  const { wait, now, refused, checked, rests } = world();
  refused();
  wait(1_000);
  checked("healthy", now());
  wait(4_000);
  refused();
  expect(rests()).toEqual({ d: 2_000, c: 2_000 });
  wait(6_000);
  refused();
  expect(rests()).toEqual({ d: 60_000, c: 60_000 });
});

test("a probe that fails counts as the failure that a check has to come after", () => {
  const { wait, now, refused, checked, rests } = world();
  refused();
  wait(60_000);
  const began = now();
  wait(10);
  refused();
  checked("healthy", began);
  expect(rests()).toEqual({ d: 60_000, c: 60_000 });
});

test("a check that found a deployment refused holds back none that began after it", () => {
  const { wait, now, checked, rests } = world();
  const old = now();
  wait(10);
  const mended = now();
  wait(500);
  checked("unhealthy", old);
  expect(rests()).toEqual({ d: 60_000 });
  checked("healthy", mended);
  expect(rests()).toMatchObject({ d: 0 });
});
