import { expect, it } from "vitest";
import type { AttemptRow } from "../../worker/core/account.ts";
import { dispatch } from "../../worker/stages/dispatch.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { overheadOf } from "../../worker/stages/report.ts";
import { text } from "../support/upstream/index.ts";
import { answerOf } from "./provider.ts";
import { chosen, deployment, world } from "./world.ts";

const ASK = { model: "group", stream: true, messages: [{ role: "user", content: "tell" }] };

it("the gateway's own share leaves out attempts, those beside each other once, and waits between them", () => {
  const { deps } = world(() => Response.error());
  const call = { ...chosen(ASK, [deployment("a")]), receivedAt: 1_000 };
  const row = (startedAt: number, durationMs: number, waitMs?: number) =>
    ({ startedAt, durationMs, ...(waitMs !== undefined && { waitMs }) }) as AttemptRow;
  const own = (attempts: AttemptRow[], running: number[] = []) =>
    overheadOf({ ...deps, now: () => 2_000 }, call, { ...noProgress(), attempts, running });
  expect(own([])).toBe(1_000);
  expect(own([row(1_010, 300, 80), row(1_390, 600)])).toBe(20);
  expect(own([row(1_100, 900), row(1_010, 300)])).toBe(10);
  expect(own([row(1_010, 300, 80)], [1_395, 1_400])).toBe(15);
});

it("an attempt whose stream has begun counts as the provider's until it ends", async () => {
  const { deps } = world((request) => answerOf("openai-chat", request, text("one two")));
  const progress = noProgress();
  const { answer } = await dispatch(deps, chosen(ASK, [deployment("a")]), progress);
  if (answer.kind !== "stream") throw new Error("no stream");
  expect(progress.running).toHaveLength(1);
  await answer.first;
  while ((await answer.rest.next()).done !== true);
  expect(progress.running).toEqual([]);
});
