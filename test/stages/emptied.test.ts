import { expect, it } from "vitest";
import type { Candidate, DroppedBy, StepWhen } from "../../worker/core/routing.ts";
import { emptied } from "../../worker/stages/emptied.ts";
import { chosen, deployment } from "./world.ts";

const NOW = 1_000_000;

function refusal(
  dropped: [by: DroppedBy, when?: StepWhen][],
  rests: { seconds: number; paused: boolean }[] = [],
) {
  const call = chosen({ model: "group", messages: [{ role: "user", content: "hi" }] }, [
    deployment("a"),
  ]);
  const candidates = dropped.map(([by, when = "any"]) => ({
    provider: "openai",
    by,
    reason: by,
    state: { when },
  })) as Candidate[];
  const resting = rests.map(({ seconds, paused }) => ({
    step: call.plan[0]!,
    until: NOW + seconds * 1_000,
    paused,
    foreseen: false,
  }));
  const facts = { now: NOW, needs: new Set() } as never;
  const { kind, detail } = emptied(call, { candidates, resting }, facts, call.explanation);
  return { kind, retryAfter: detail.retryAfter };
}

it("a provider's own word on when to come again is passed on, what failed may be back within a minute", () => {
  const after = (...rests: Parameters<typeof refusal>[1] & object) =>
    refusal([["health"]], rests).retryAfter;
  expect(after({ seconds: 90, paused: true })).toBe(90);
  expect(after({ seconds: 90, paused: true }, { seconds: 120, paused: true })).toBe(90);
  expect(after({ seconds: 300, paused: false })).toBe(60);
  expect(after({ seconds: 90, paused: true }, { seconds: 7, paused: false })).toBe(7);
  // A limit renews with the clock's minute: 16 min 40 s have gone by.
  expect(refusal([["limit"]]).retryAfter).toBe(20);
  expect(refusal([["limit"], ["health"]], [{ seconds: 90, paused: true }]).retryAfter).toBe(20);
});

it("a chain for filters or long prompts that rests does not make a final refusal a passing one", () => {
  expect(refusal([["residency"], ["health", "content_filter"]]).kind).toBe("policy_no_candidate");
  expect(refusal([["capability"], ["health", "context_window"]]).kind).toBe(
    "capability_not_supported",
  );
  expect(refusal([["context_window"], ["health", "context_window"]]).kind).toBe(
    "no_healthy_deployment",
  );
  expect(refusal([["residency"], ["health"]]).kind).toBe("no_healthy_deployment");
});
