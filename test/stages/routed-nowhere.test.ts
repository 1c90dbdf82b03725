import { expect, test } from "vitest";
import type { Authorized } from "../../worker/core/call.ts";
import type { Verdict } from "../../worker/core/policy.ts";
import { DEFAULTS } from "../../worker/routing/settings.ts";
import { linksOf } from "../../worker/stages/links.ts";
import { chosen, deployment, world } from "./world.ts";

const verdict: Verdict = {
  parts: [],
  version: 7,
  hash: "sha256:7",
  rule: "to-gone",
  block: null,
  route: "gone",
  narrowings: [],
  throttle: false,
  features: [],
  alerts: [],
  signals: { values: {}, unknown: [], predicates: {} },
};

test("a group that was removed under a rule is a refusal that names the rule, not the caller's mistake", () => {
  const { deps } = world(() => new Response());
  const { plan: _, ...call } = chosen(
    { model: "group", messages: [{ role: "user", content: "hi" }] },
    [deployment("a")],
  );
  const routed: Authorized = { ...call, model: "gone", verdict };
  expect(() => linksOf(deps, routed, DEFAULTS)).toThrow(
    expect.objectContaining({
      kind: "policy_no_candidate",
      message: expect.stringContaining("Rule 'to-gone' (policy version 7) routes to 'gone'"),
    }) as Error,
  );
  const { verdict: __, ...asked } = routed;
  expect(() => linksOf(deps, asked, DEFAULTS)).toThrow(
    expect.objectContaining({ kind: "model_not_found" }) as Error,
  );
});
