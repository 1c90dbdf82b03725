import { expect, onTestFinished, test, vi } from "vitest";
import type { Deps } from "../../worker/core/ports.ts";
import { dispatch } from "../../worker/stages/dispatch.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { recordMeanwhile } from "../../worker/stages/trail.ts";
import { chosen, deployment, world } from "./world.ts";

test("the provider's request leaves before its decision is recorded, which goes on without the caller", async () => {
  const order: string[] = [];
  const kept: Promise<unknown>[] = [];
  const { deps } = world(() => {
    order.push("sent");
    const message = { role: "assistant", content: "hello" };
    return Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }] });
  });
  const told: Deps = {
    ...deps,
    metrics: { request: () => undefined, audit: ({ durable }) => order.push(`durable ${durable}`) },
    audit: {
      append: async (records) => {
        order.push(...records.map(({ type }) => type));
        return records.map(() => ({ ok: true }));
      },
    },
    waitUntil: (work) => kept.push(work),
  };
  const call = chosen({ model: "group", messages: [{ role: "user", content: "hi" }] }, [
    deployment("a"),
  ]);
  const { deps: telling, recording } = recordMeanwhile(told, call);
  expect(kept).toEqual([recording]);
  await dispatch(telling, call, noProgress());
  expect(await recording).toBe(true);
  expect(order).toEqual(["sent", "request.routed", "durable true"]);
});

test("where a provider answers at once, nobody waits for a turn of the clock to record it", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const message = { role: "assistant", content: "hello" };
  const { deps } = world(() =>
    Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }] }),
  );
  const call = chosen({ model: "group", messages: [{ role: "user", content: "hi" }] }, [
    deployment("a"),
  ]);
  const metrics = { request: () => undefined, audit: () => undefined };
  const { deps: telling, recording } = recordMeanwhile({ ...deps, metrics }, call);
  await dispatch(telling, call, noProgress());
  expect(await recording).toBe(true);
});
