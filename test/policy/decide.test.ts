import fc from "fast-check";
import { expect, test } from "vitest";
import type { Deployment } from "../../worker/core/model.ts";
import type { SignalsRead, Verdict } from "../../worker/core/policy.ts";
import { bundleText, linkBundle } from "../../worker/policy/bundle.ts";
import { decide, type LinkedDocument } from "../../worker/policy/decide.ts";
import { link } from "../../worker/policy/evaluate.ts";
import type { Plan } from "../../worker/policy/plan.ts";
import { replay, simulate } from "../../worker/policy/replay.ts";
import { constraint, deployments, policy, request, yamlOf } from "./decisions.ts";
import { compiled } from "./documents.ts";

const REQUESTS = Number(process.env["FC_RUNS"] ?? 10_000);
const NOW = Date.UTC(2026, 2, 29, 6, 30);

const documentOf = (plan: Plan, scope = "org"): LinkedDocument => ({
  scope,
  version: 3,
  hash: scope,
  linked: link(plan),
});

/** What a verdict comes to, functions replaced by what they say of each deployment. */
function seen(verdict: Verdict | null, targets: Parameters<Verdict["narrowings"][number]>[0][]) {
  if (verdict === null) return null;
  const { narrowings, signals: _, ...rest } = verdict;
  return { ...rest, removed: targets.map((each) => narrowings.map((narrow) => narrow(each))) };
}

test("a decision is decided again from its record and the archived bundle, by the rule or refusal, for 10,000 requests", () => {
  let decisions = 0;
  let unknown = 0;
  fc.assert(
    fc.property(
      policy,
      policy,
      fc.array(request, { minLength: 80, maxLength: 80 }),
      deployments,
      (org, team, all, targets) => {
        const plans = [compiled(yamlOf(org)).plan, compiled(yamlOf(team), { team: true }).plan];
        const documents = plans.flatMap((plan, index) =>
          plan === null ? [] : [documentOf(plan, index === 0 ? "org" : "t")],
        );
        // The archive holds text, and a record is JSON.
        const archived = documents.map((each) => ({
          ...each,
          linked: linkBundle(bundleText("", null, each.linked.plan)),
        }));
        for (const given of all) {
          if (documents.length === 0) return;
          const verdict = decide(
            documents,
            { now: NOW, read: (name) => given[name] ?? (name in given ? given[name] : null) },
            "eu",
          );
          const record = JSON.parse(JSON.stringify(verdict?.signals)) as SignalsRead;
          const again = replay(archived, { signals: record, at: NOW + 3 }, "eu");
          expect(seen(again, targets)).toEqual(seen(verdict, targets));
          decisions++;
          unknown += record.unknown.length > 0 ? 1 : 0;
          const text = JSON.stringify(record);
          for (const secret of ['"c1"', '"c3"', "x-team"]) expect(text).not.toContain(secret);
        }
      },
    ),
    { numRuns: Math.ceil(REQUESTS / 60) },
  );
  expect(decisions).toBeGreaterThanOrEqual(Math.min(REQUESTS, 10_000));
  expect(unknown).toBeGreaterThan(decisions / 50);
});

test("a constraint never makes a target reachable, whatever stands beside it and whatever is unknown", () => {
  fc.assert(
    fc.property(policy, constraint, request, deployments, (document, added, given, targets) => {
      const facts = { now: NOW, read: (name: string) => (name in given ? given[name] : null) };
      const reach = (constraints: object[]) => {
        const { plan } = compiled(yamlOf({ ...document, constraints }));
        if (plan === null) return null;
        const verdict = decide([documentOf(plan)], facts, "eu");
        return {
          verdict,
          ids: targets
            .filter((each) => verdict?.narrowings.every((narrow) => narrow(each) === null))
            .map(({ id }) => id),
        };
      };
      const before = reach(document.constraints);
      const after = reach([...document.constraints, added]);
      if (before === null || after === null) return;
      expect(before.ids).toEqual(expect.arrayContaining(after.ids));
      // It does nothing else either: the rule and its route stay.
      expect([after.verdict?.rule, after.verdict?.route]).toEqual([
        before.verdict?.rule,
        before.verdict?.route,
      ]);
    }),
    { numRuns: Math.ceil(REQUESTS / 40) },
  );
});

test("a team's document never makes a target reachable, nor lifts a block, nor leads away from where a rule sent for a reason", () => {
  fc.assert(
    fc.property(policy, policy, request, deployments, (org, team, given, targets) => {
      const plans = [compiled(yamlOf(org)).plan, compiled(yamlOf(team), { team: true }).plan];
      const [first, second] = plans;
      if (first == null || second == null) return;
      const facts = { now: NOW, read: (name: string) => (name in given ? given[name] : null) };
      const alone = decide([documentOf(first)], facts, "eu");
      const both = decide([documentOf(first), documentOf(second, "t")], facts, "eu");
      const reach = (verdict: Verdict | null) =>
        targets
          .filter((each) => verdict?.narrowings.every((narrow) => narrow(each) === null))
          .map(({ id }) => id);
      expect(reach(alone)).toEqual(expect.arrayContaining(reach(both)));
      if (alone?.block != null) expect(both?.block).toEqual(alone.block);
      // Every rule of these documents has a condition: a route of the organization's stands.
      if (alone?.route !== undefined) expect(both?.route).toBe(alone.route);
      if (alone?.maxCost !== undefined) expect(both?.maxCost).toBeLessThanOrEqual(alone.maxCost);
    }),
    { numRuns: Math.ceil(REQUESTS / 40) },
  );
});

test("a decision that read more than a record can list is decided again all the same", () => {
  const rules = Array.from(
    { length: 900 },
    (_, n) => `  - { id: r${n}, when: { header.x-n: v${n}, header.x-${n}: z }, route: g${n} }`,
  );
  const yaml = `rules:\n${rules.join("\n")}\n  - { id: last, when: { metadata.m: a }, route: b }\n`;
  const { plan } = compiled(yaml);
  if (plan === null) throw new Error("The policy is refused.");
  const documents = [documentOf(plan)];
  const requests: Record<string, string>[] = [
    { "header.x-n": "v5", "header.x-5": "z" },
    { "header.x-n": "v880" },
    { "metadata.m": "a" },
    {},
  ];
  const decisions = requests.map((given) => {
    const verdict = decide(documents, { now: NOW, read: (name) => given[name] ?? null }, "eu");
    const record = JSON.parse(JSON.stringify(verdict?.signals)) as SignalsRead;
    expect(JSON.stringify(record).length).toBeLessThan(8_000);
    const again = replay(documents, { signals: record, at: NOW }, "eu");
    expect(seen(again, [])).toEqual(seen(verdict, []));
    // Another policy's questions were not asked then: nothing is known of them.
    const { plan: other } = compiled(
      "rules: [{ id: o, when: { header.x-other: v }, block: true }]",
    );
    const tried = other && simulate([documentOf(other)], { signals: record, at: NOW }, "eu");
    expect(tried?.missing).toEqual(["header.x-other"]);
    return verdict?.rule ?? null;
  });
  expect(decisions).toEqual(["r5", null, "last", null]);
});

test("a simulation reads the time of a decision by the clock of the document that it tries", () => {
  const within = (hours: string) =>
    `schedule: { timezone: UTC, business_hours: "${hours}", business_days: [wed] }\nrules: [{ id: day, when: { schedule.business_hours: true }, route: a }]\n`;
  const [now, later] = ["08:00-18:00", "13:00-18:00"].map((hours) => compiled(within(hours)).plan);
  if (now == null || later == null) throw new Error("The policy is refused.");
  const at = Date.UTC(2026, 0, 14, 12);
  const read = (name: string) => name === "schedule.business_hours" || null;
  const signals = decide([documentOf(now)], { now: at, read }, "eu")?.signals;
  if (signals === undefined) throw new Error("There is no verdict.");
  expect(signals.values).toEqual({ "schedule.business_hours": true });
  expect(simulate([documentOf(now)], { signals, at }, "eu").verdict?.rule).toBe("day");
  expect(simulate([documentOf(later)], { signals, at }, "eu")).toMatchObject({
    verdict: { rule: null },
    missing: [],
  });
});

test("an organization's throttling stands: a team may choose how smart to route, not where", () => {
  const throttles = compiled(
    "rules: [{ id: save, when: { header.x: a }, throttle: true }, { id: rest, route: a }]",
  ).plan;
  const team = (route: string) => compiled(`rules: [{ id: t, route: ${route} }]`, { team: true });
  if (throttles === null) throw new Error("The policy is refused.");
  const ask = (route: string, header: string | null) => {
    const under = team(route).plan;
    const documents = [documentOf(throttles), ...(under === null ? [] : [documentOf(under, "t")])];
    const verdict = decide(documents, { now: NOW, read: () => header }, "eu");
    return [verdict?.rule, verdict?.route, verdict?.throttle];
  };
  expect(ask("dear", "a")).toEqual(["save", "smart/cheap", true]);
  expect(ask("smart/best", "a")).toEqual(["t", "smart/best", true]);
  expect(ask("dear", null)).toEqual(["t", "dear", false]);
});

test("a region is told whatever the case in which an administrator wrote it", () => {
  const targets = ["US-East-1", "us-east-1", "EU-Central-1"].map(
    (region, index) => ({ id: `d${index}`, region, facts: {}, terms: {} }) as unknown as Deployment,
  );
  const left = (demand: string) => {
    const { plan } = compiled(`constraints: [{ ${demand} }]\n`);
    if (plan === null) throw new Error("The policy is refused.");
    const verdict = decide([documentOf(plan)], { now: NOW, read: () => null }, "eu");
    return targets
      .filter((each) => verdict?.narrowings.every((narrow) => narrow(each) === null))
      .map(({ id }) => id);
  };
  expect(left("forbid: { region: us-east-1 }")).toEqual(["d2"]);
  expect(left("forbid: { region: [US-EAST-1] }")).toEqual(["d2"]);
  expect(left("require: { residency: [eu-central-1] }")).toEqual(["d2"]);
  expect(left("require: { residency: [EU-Central-1] }")).toEqual(["d2"]);
});
