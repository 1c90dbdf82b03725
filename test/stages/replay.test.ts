import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditRecord } from "../../worker/core/audit.ts";
import { dataSchema } from "../../worker/core/audit-data.ts";
import type { Chosen } from "../../worker/core/call.ts";
import { GatewayError } from "../../worker/core/errors.ts";
import type { Standing } from "../../worker/core/health.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import type { PolicyPart, SignalsRead } from "../../worker/core/policy.ts";
import type { Deps } from "../../worker/core/ports.ts";
import { STRATEGIES } from "../../worker/core/routing.ts";
import { compareReplay } from "../../worker/core/sealed-log/replayed.ts";
import { bundleText, linkBundle } from "../../worker/policy/bundle.ts";
import { replay } from "../../worker/policy/replay.ts";
import { replayOrder, replayRefusal } from "../../worker/routing/replay.ts";
import { authorize } from "../../worker/stages/authorize.ts";
import { choose } from "../../worker/stages/choose.ts";
import { refuseBlocked } from "../../worker/stages/policy.ts";
import { recordDecision, recordRefusal } from "../../worker/stages/trail.ts";
import { constraint, yamlOf } from "../policy/decisions.ts";
import { compiled } from "../policy/documents.ts";
import { chosen } from "./world.ts";

// A request through the real gate and choice, its record through JSON, and the record decided anew: the same rule,
// route, order and refusal have to come out, whatever the world was like.

const RUNS = Number(process.env["FC_RUNS"] ?? 1_500);
const GROUPS = ["a", "b", "smart/cheap"];
const NAMES = [...GROUPS, "smart/balanced"];
const NOW = Date.UTC(2026, 2, 29, 5, 59, 59, 999);

const maybe = <T>(of: fc.Arbitrary<T>) => fc.oneof({ weight: 2, arbitrary: of }, fc.constant(null));
const some = <T>(...of: T[]) => fc.constantFrom(...of);
const names = fc.uniqueArray(some(...NAMES), { maxLength: 3 });
const chains = fc.dictionary(some("a", "b", "*"), names, { maxKeys: 2 });

const deployments = fc.array(
  fc.record({
    group: some(...GROUPS),
    weight: some(0, 1, 1, 3),
    order: some(0, 0, 1),
    region: maybe(some("eu-central-1", "us-east-1")),
    training: maybe(fc.boolean()),
    price: maybe(some(100, 150, 9_000)),
    rpm: maybe(some(1, 10)),
    tools: some(true, false),
    window: maybe(some(60, 60, 5_000)),
    tags: some(["x"], []),
    state: some("closed", "closed", "open", "probe"),
    proven: fc.boolean(),
    latency: maybe(fc.integer({ min: 1, max: 900 })),
    inFlight: fc.integer({ min: 0, max: 3 }),
    requests: fc.integer({ min: 0, max: 4 }),
    tokens: fc.integer({ min: 0, max: 400 }),
  }),
  { minLength: 1, maxLength: 8 },
);

const condition = fc.oneof(
  fc.record({ "identity.region": some("eu", "us") }),
  fc.record({ "header.x-team": some("a", "b") }),
  fc.record({ "identity.cost_center": fc.record({ matches: fc.constant("z$") }) }),
  fc.record({ "content.input_tokens": fc.record({ gt: some(3, 30) }) }),
  fc.record({ "budget.remaining_pct": fc.record({ lt: some(20, 60) }) }),
);
const rule = fc
  .record(
    {
      when: condition,
      route: some(...NAMES),
      strategy: some(...STRATEGIES.filter((each) => each !== "auto_router")),
      fallbacks: fc.uniqueArray(some(...NAMES), { minLength: 1, maxLength: 3 }),
      residency: some("eu-only", "us-only"),
      throttle: fc.boolean(),
      audit: fc.record({ retention_days: some(400, 900) }),
      // The clock of this world passes the hour between the decision and its record.
      schedule: some(
        ...["05:00", "05:10", "05:20"].map((from) => ({ timezone: "UTC", from, to: "06:00" })),
      ),
    },
    { requiredKeys: ["when"] },
  )
  .chain((does) =>
    fc.integer({ min: 0, max: 7 }).map((n) => (n === 0 ? { when: does.when, block: true } : does)),
  )
  .filter((each) => Object.keys(each).some((key) => key !== "when" && key !== "schedule"))
  .map((each) => ({ on_unknown: "skip", ...each }));
const document = fc
  .record({
    constraints: fc.array(constraint, { maxLength: 2 }),
    rules: fc.array(rule, { minLength: 1, maxLength: 3 }),
  })
  .map(({ constraints, rules }) => ({
    constraints,
    rules: rules.map(({ when, ...each }, index) => ({
      id: `${"schedule" in each ? "hour" : "rule"}-${index}`,
      // Whatever follows a rule without a condition would be refused as never reached.
      ...((index < rules.length - 1 || index === 0) && { when }),
      ...each,
    })),
  }));

const world = fc.record({
  deployments,
  policies: fc.array(document, { maxLength: 2 }),
  strategies: fc.array(some(...STRATEGIES), { minLength: 4, maxLength: 4 }),
  routing: fc.record({
    fallbacks: chains,
    defaultFallbacks: fc.oneof(names, fc.constant([])),
    contextWindowFallbacks: fc.record({ "*": names }),
    contentPolicyFallbacks: chains,
    affinity: fc.boolean(),
    cooldowns: some(true, true, false),
    tagFilter: some(false, false, true),
  }),
  ask: some(...NAMES),
  words: some(1, 6, 60),
  tools: some(false, false, true),
  headers: fc.record(
    {
      "x-routero-region": some("eu", "us"),
      "x-team": some("a", "b"),
      "x-routero-cost-center": some("z", "y", `${"y".repeat(300)}z`),
      "x-session-id": some("s1", "s2"),
    },
    { requiredKeys: [] },
  ),
  left: maybe(some(10, 50, 90)),
  account: some("room", "priced", "priced", "throttle", "full"),
  probes: fc.boolean(),
});
/** What has to have happened among so many worlds. */
const HAPPENED = [
  ...STRATEGIES,
  "policy",
  "scheduled",
  "throttled",
  "smart",
  "probed",
  "affinity",
  "fallback",
  "larger",
  "unaffordable",
  "policy_blocked",
  "policy_no_candidate",
  "no_healthy_deployment",
  "context_length_exceeded",
  "capability_not_supported",
  "budget_exceeded",
];

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

function setUp(given: World) {
  let now = NOW;
  const records: AuditRecord[] = [];
  const all = given.deployments.map((each, index): Deployment => ({
    id: `d${index}`,
    group: each.group,
    provider: "openai",
    model: `gpt-4o${index % 2 === 0 ? "" : "-mini"}`,
    protocol: "openai-chat",
    baseUrl: "https://x.example.com/v1",
    weight: each.weight,
    order: each.order,
    tags: each.tags,
    ...(each.region !== null && { region: each.region }),
    ...(each.rpm !== null && { rpm: each.rpm }),
    facts: {
      capabilities: { tools: each.tools },
      ...(each.price !== null && { prices: { input: each.price, output: each.price } }),
      ...(each.window !== null && { contextWindow: each.window }),
    },
    terms: each.training === null ? {} : { training: each.training },
  }));
  const texts = given.policies.flatMap((each, index) => {
    const { plan } = compiled(yamlOf(each), { team: index > 0 });

    if (plan === null) return [];
    const scope = index === 0 ? "org" : "default";
    return [
      { scope, version: index + 3, hash: `sha256:${index}`, text: bundleText("", null, plan) },
    ];
  });
  const full = {
    granted: false as const,
    scope: { kind: "team" as const, id: "default" },
    view: {
      limit: { cost: 1, requests: null, tokens: null },
      budget: 1,
      settled: { cost: 1, requests: 0, tokens: 0 },
      outstanding: { cost: 0, requests: 0, tokens: 0 },
      state: "throttle" as const,
      endsInMs: null,
      endsAt: null,
    },
    needed: { cost: 1, requests: 1, tokens: 1 },
    waits: false,
    fits: false,
  };
  const used = {
    authorizer: { check: () => ({ allowed: true }) },
    directory: { policiesOf: () => texts },
    isolate: { policies: new Map(), told: new Set() },
    detectors: {},
    learning: { learned: () => null },
    metrics: { audit: () => undefined },
    platformKey: () => null,
    now: () => now,
    audit: {
      append: async (appended: AuditRecord[]) => {
        records.push(...appended);
        return appended.map(() => ({ ok: true }));
      },
    },
    account: {
      standing: () =>
        given.left === null
          ? undefined
          : {
              remainingPct: given.left,
              remaining: 5,
              state: "ok",
              scope: "team",
              resetsInS: null,
            },
      async hold({ max, cheap }: { max: object; cheap: boolean }) {
        // The ledger's answer takes a moment, in which the hour passes.
        now += 5;
        if (given.account === "full") return { ...full, reason: "budget" };
        if (given.account === "throttle" && !cheap) return { ...full, reason: "throttle" };
        const views = given.account === "priced" ? [full.view] : [];
        return { granted: true, holdId: "hold_1", leases: [], amount: max, views };
      },
      async release() {},
    },
    health: {
      standing(_: string, { id }: Deployment): Standing {
        const each = given.deployments[Number(id.slice(1))] as World["deployments"][number];
        return {
          state: each.state as Standing["state"],
          openUntil: each.state === "closed" ? null : NOW + each.inFlight * 1_000,
          reason: "transient",
          proven: each.proven,
          errorRate: 0,
          latency: each.latency,
          inFlight: each.inFlight,
          requests: each.requests,
          tokens: each.tokens,
          liveRequests: each.requests + each.inFlight,
          liveTokens: each.tokens,
          announced: 0,
        };
      },
      probe: async () => given.probes,
    },
  };
  const body = {
    model: given.ask,
    messages: [{ role: "user", content: "word ".repeat(given.words) }],
    ...(given.tools && { tools: [{ type: "function", function: { name: "f", parameters: {} } }] }),
  };
  const {
    plan: _,
    explanation: __,
    settings: ___,
    ...call
  } = chosen(body, all, {
    headers: given.headers as Record<string, string>,
  });
  Object.assign(call.identity.shared, {
    routing: {
      all: { ...given.routing, strategy: given.strategies[3] },
      groups: Object.fromEntries(
        GROUPS.map((group, index) => [group, { strategy: given.strategies[index] }]),
      ),
      aliases: {},
    },
  });
  return { deps: used as unknown as Deps, call: call as Chosen, records, texts };
}

test("what is decided anew from a record is what was decided: rule, route, order and refusal, through the real choice", async () => {
  const kinds = new Map<string, number>();
  const count = (kind: string) => kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  await fc.assert(
    fc.asyncProperty(world, async (given) => {
      const { deps, call, records, texts } = setUp(given);
      const authorized = authorize(deps, call);
      if (authorized.verdict !== undefined) count("policy");
      if (authorized.verdict?.rule?.startsWith("hour") === true) count("scheduled");
      try {
        refuseBlocked(authorized);
        const decided = await choose(deps, authorized);
        for (const { state } of decided.explanation.candidates) count(state.strategy);
        if (decided.cheap === true) count("throttled");
        if (decided.explanation.smart !== undefined) count("smart");
        if (decided.explanation.probed !== undefined) count("probed");
        if (decided.explanation.affinity !== null) count("affinity");
        if (decided.plan.some(({ why }) => why !== "requested")) count("fallback");
        if (decided.plan[0]?.why === "context_window_fallback") count("larger");
        if (decided.explanation.candidates.some(({ by }) => by === "budget")) count("unaffordable");
        await recordDecision(deps, decided);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        count(error.kind);
        await recordRefusal(deps, authorized, error);
      }
      const [{ type, at, data }] = records as [AuditRecord];
      // Nothing of it is left out of the log for its form.
      dataSchema(type).parse(data);
      const record = JSON.parse(
        JSON.stringify({ event_type: type, timestamp: new Date(at).toISOString(), ...data }),
      ) as JsonObject;
      const parts = (record["policy"] ?? []) as unknown as PolicyPart[];
      const verdict =
        record["policy"] === undefined
          ? undefined
          : replay(
              parts.map((part) => ({
                ...part,
                linked: linkBundle(texts.find(({ hash }) => hash === part.hash)?.text ?? ""),
              })),
              {
                at: at,
                signals: record["signals"] as unknown as SignalsRead,
              },
              "global",
            );
      const again = compareReplay(record, verdict, replayOrder(record), replayRefusal(record));
      expect(again).toMatchObject({ same: true, differs: [], unknown: [] });
      if (type === "request.routed") expect(again.replayed["plan"]).toEqual(record["plan"]);
    }),
    { numRuns: RUNS },
  );
  expect(HAPPENED.filter((each) => !kinds.has(each))).toEqual([]);
}, 120_000);
