import { expect, test } from "vitest";
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
  const recording = recordMeanwhile(told, call);
  expect(kept).toEqual([recording]);
  await dispatch(told, call, noProgress());
  expect(await recording).toBe(true);
  expect(order).toEqual(["sent", "request.routed", "durable true"]);
});
