import { expect, test } from "vitest";
import type { AuditRecord } from "../../worker/core/audit.ts";
import { segmentLines } from "../../worker/core/sealed-log/segment.ts";
import { verifyLog } from "../../worker/core/sealed-log/verify.ts";
import { LogWorld } from "../support/sealed-log.ts";

/** ROUTERO_AUDIT_EVENTS=100000 for the long run, which also tells its rates. */
const EVENTS = Number(process.env["ROUTERO_AUDIT_EVENTS"] ?? 4_000);
const PRODUCERS = 16;
const GROUP = 64;

test("events of concurrent producers, some sent twice and out of order, are sealed exactly once", async () => {
  const world = new LogWorld();
  const all = new Set<string>();
  const took: number[] = [];
  let left = EVENTS;
  let sealing = true;
  const sealer = async () => {
    // As the alarm does, while appends go on.
    while (sealing) {
      await world.sealer.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await world.sealer.run();
  };
  const producer = async (name: number) => {
    let before: AuditRecord[] = [];
    while (left > 0) {
      const count = Math.min(GROUP, left);
      left -= count;
      const group = Array.from({ length: count }, (_, n) =>
        world.record(n % 2 === 0 ? "request.routed" : "request.completed", {
          model: `m${name}`,
          user_id: `user-${(name * 31 + n) % 500}`,
        }),
      );
      for (const { eventId } of group) all.add(eventId);
      // A third of the group before comes again, behind the new one.
      const sent = [...group, ...before.filter((_, n) => n % 3 === 0)].toReversed();
      const began = performance.now();
      const results = await world.append(sent);
      took.push(performance.now() - began);
      expect(results.every((result) => result.ok)).toBe(true);
      before = group;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const began = performance.now();
  const sealed = sealer();
  await Promise.all(Array.from({ length: PRODUCERS }, (_, name) => producer(name)));
  sealing = false;
  await sealed;
  const seconds = (performance.now() - began) / 1_000;

  const report = await verifyLog(world.archive);
  expect(report.faults).toEqual([]);
  const ids: string[] = [];
  for (const [name, bytes] of world.archive.objects) {
    if (!name.includes("/segments/")) continue;
    for (const line of await segmentLines(bytes)) {
      const { event_id, event_type } = JSON.parse(line) as Record<string, string>;
      if (event_type?.startsWith("request.") === true) ids.push(event_id ?? "");
    }
  }
  expect(ids).toHaveLength(EVENTS);
  expect(new Set(ids)).toEqual(all);
  if (process.env["ROUTERO_AUDIT_EVENTS"] !== undefined) {
    const sorted = took.toSorted((a, b) => a - b);
    const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1);
    console.log(
      `${EVENTS} events sealed in ${seconds.toFixed(1)} s, ${Math.round(EVENTS / seconds)}/s; append of ${GROUP}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
    );
  }
}, 600_000);
