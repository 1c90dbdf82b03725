import { expect, test } from "vitest";
import { checkpointEvent } from "../../durable-objects/audit-checkpoint.ts";
import { eventTime } from "../../worker/core/audit-record.ts";
import { HEAD } from "../../worker/core/sealed-log/layout.ts";
import { readCheckpoint } from "../../worker/core/sealed-log/checkpoint.ts";
import { verifyLog } from "../../worker/core/sealed-log/verify.ts";
import { LogWorld, ORG } from "../support/sealed-log.ts";

const DAY_MS = 86_400_000;

test("the day's checkpoint is one event a day, and what it holds proves the log later on", async () => {
  const world = new LogWorld();
  await world.grow([5, 40]);
  const head = new TextDecoder().decode(world.archive.objects.get(HEAD));
  const noon = Math.floor(world.now / DAY_MS) * DAY_MS + DAY_MS / 2;
  const event = checkpointEvent(ORG, head, noon);
  expect(event).toMatchObject({ type: "audit.checkpoint", orgId: ORG, data: { size: 46 } });
  expect(eventTime(event?.eventId ?? "")).toBe(noon - DAY_MS / 2);
  expect(checkpointEvent(ORG, head, noon + 60_000)?.eventId).toBe(event?.eventId);
  expect(checkpointEvent(ORG, head, noon + DAY_MS)?.eventId).not.toBe(event?.eventId);
  expect(checkpointEvent(ORG, "", noon)).toBeNull();
  await world.grow([30]);
  const since = readCheckpoint(String(event?.data["checkpoint"]))?.checkpoint;
  if (since === undefined) throw new Error("no checkpoint");
  expect((await verifyLog(world.archive, { since })).faults).toEqual([]);
  const other = new LogWorld();
  await other.grow([5, 39, 1, 30]);
  expect((await verifyLog(other.archive, { since })).faults).not.toEqual([]);
});
