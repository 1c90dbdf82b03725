import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../support/upstream/index.ts";

const SOON = { timeout: 7_000, interval: 100 };
const POLICY = `constraints:
  - { id: no-training, when: { content.data_class: secret }, forbid: { training: true } }
rules:
  - { id: blocked-team, when: { header.x-team: shadow }, block: { message: "Not you." } }
  - { id: eu, when: { identity.region: eu }, route: cheap }
  - { id: rest, route: dear }
`;

let gw: TestGateway;
let up: Upstream;
let key = "";

beforeAll(async () => {
  [gw, up] = await Promise.all([
    startGateway({ vars: { PROFILE: "self-hosted" }, tenant: false }),
    startUpstream(),
  ]);
  await gw.admin("POST", "/organization/new", { organization_alias: "acme" });
  key = (await gw.admin<{ key: string }>("POST", "/key/generate", {})).key;
  for (const [name, price] of [
    ["cheap", 0.000_001],
    ["dear", 0.000_01],
  ] as const) {
    await gw.admin("POST", "/model/new", {
      model_name: name,
      litellm_params: {
        model: "openai/gpt-test",
        api_base: `${up.url}/v1`,
        api_key: "sk-upstream-0123456789",
        input_cost_per_token: price,
        output_cost_per_token: price,
      },
    });
  }
  await gw.admin("PUT", "/policy/acme", { yaml: POLICY });
});
afterAll(() => Promise.all([gw.stop(), up.stop()]));

async function chat(headers: Record<string, string> = {}): Promise<Response> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({
      model: "dear",
      messages: [{ role: "user", content: "What is the capital of France?" }],
    }),
  });
  await answer.text();
  return answer;
}

interface Explained {
  decision: { rule: string; route?: string; block: { message: string } | null };
  signals: Record<string, unknown>;
  refused?: { code: string; message: string };
  documents: {
    version: number;
    rules: { id: string; when: string | null; answer: string; matched: boolean }[];
  }[];
}
const explain = (body: object, as?: string) =>
  fetch(`${gw.url}/policy/explain`, {
    method: "POST",
    headers: { authorization: `Bearer ${as ?? gw.masterKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** Waits until the calls see the policy. */
async function inForce(): Promise<void> {
  await expect
    .poll(async () => (await chat()).headers.get("x-routero-policy-version"), SOON)
    .not.toBeNull();
}

describe("an explanation", () => {
  it("of a call that was made shows each rule that was asked, and no value of a header", async () => {
    await inForce();
    const answer = await chat({ "x-routero-region": "eu", "x-team": "tigers-9" });
    expect(answer.headers.get("x-routero-policy-rule")).toBe("eu");
    const call_id = answer.headers.get("x-routero-call-id");
    await expect.poll(async () => (await explain({ call_id })).status, SOON).toBe(200);
    const text = await (await explain({ call_id })).text();
    expect(text).not.toContain("tigers-9");
    const { decision, documents, signals } = JSON.parse(text) as Explained;
    expect(decision).toMatchObject({ rule: "eu", route: "cheap", block: null });
    expect(signals).toMatchObject({ "identity.region": "eu" });
    expect(documents[0]?.rules.map(({ id, answer: said, matched }) => [id, said, matched])).toEqual(
      [
        ["blocked-team", "no", false],
        ["eu", "yes", true],
      ],
    );
    expect(documents[0]?.rules[1]?.when).toBe('identity.region == "eu"');
  });

  it("of a refusal names the rule, though a later version would let it pass", async () => {
    const refused = await chat({ "x-team": "shadow" });
    expect(refused.status).toBe(403);
    const call_id = refused.headers.get("x-routero-call-id");
    await gw.admin("PUT", "/policy/acme", { yaml: "rules: [{ route: cheap }]" });
    await expect.poll(async () => (await explain({ call_id })).status, SOON).toBe(200);
    const found = (await (await explain({ call_id })).json()) as Explained;
    expect(found.decision).toMatchObject({ rule: "blocked-team", block: { message: "Not you." } });
    expect(found.documents[0]?.version).toBe(1);
    await gw.admin("POST", "/policy/acme/rollback", { version: 1 });
  });

  it("of a request that was not made calls no model", async () => {
    const before = up.calls.all.length;
    const request = {
      model: "dear",
      messages: [{ role: "user", content: "hi" }],
      headers: { "X-Team": "shadow" },
    };
    const found = (await (await explain({ request })).json()) as Explained;
    expect(found.decision).toMatchObject({ rule: "blocked-team" });
    expect(found.signals).toMatchObject({ "header.x-team": "shadow" });
    // Nobody said of these targets that they are not trained on.
    const secret = { model: "dear", messages: [], headers: { "X-Routero-Data-Class": "secret" } };
    const shut = (await (await explain({ request: secret })).json()) as Explained;
    expect(shut.refused?.code).toBe("policy_no_candidate");
    expect(shut.refused?.message).toContain("constraint 'no-training' (policy version");
    expect(up.calls.all.length).toBe(before);
  });

  it("of a request shows what it reads of budgets, and what would be decided if they stood otherwise", async () => {
    const yaml = `rules:
  - { id: poor, when: { budget.remaining_pct: { lt: 20 } }, route: cheap, on_unknown: skip }
  - { id: rest, route: dear }
`;
    const user = await gw.admin<{ user_id: string }>("POST", "/user/new", {
      user_alias: "reads",
      user_role: "developer",
    });
    const own = await gw.admin<{ key: string }>("POST", "/key/generate", {
      user_id: user.user_id,
      max_budget: 10,
    });
    expect((await chat({ authorization: `Bearer ${own.key}` })).status).toBe(200);
    await gw.admin("PUT", "/policy/acme", { yaml });
    const request = { model: "dear", messages: [{ role: "user", content: "hi" }] };
    const decidedWith = async (signals?: object) => {
      const body = { request: { ...request, ...(signals && { signals }) } };
      const answer = await explain(body);
      const text = await answer.text();
      expect(answer.status, text).toBe(200);
      const { decision, signals: read } = JSON.parse(text) as Explained;
      return [decision.rule, read["budget.remaining_pct"]];
    };
    // No budget applies to who asks: the signal is absent, and equals nothing.
    expect(await decidedWith()).toEqual(["rest", null]);
    expect(await decidedWith({ "budget.remaining_pct": 10 })).toEqual(["poor", 10]);
    expect(await decidedWith({ "budget.remaining_pct": 60 })).toEqual(["rest", 60]);
    const misspelt = await explain({ request: { ...request, signals: { "budget.remaining": 1 } } });
    expect([misspelt.status, await misspelt.text()]).toEqual([
      422,
      expect.stringContaining("there is no signal 'budget.remaining'"),
    ]);
    // A key with a budget is told how that stands, since its isolate knows by its call.
    const left = async () => {
      const answer = await explain({ request }, own.key);
      const found = (await answer.json()) as Partial<Explained>;
      return found.signals?.["budget.remaining_pct"];
    };
    await expect.poll(left, SOON).toBeGreaterThan(90);
    await gw.admin("POST", "/policy/acme/rollback", { version: 1 });
  });

  it("of another key's call is not given to a developer", async () => {
    const user = await gw.admin<{ key: string }>("POST", "/user/new", {
      user_id: "dev",
      user_role: "internal_user",
    });
    const call_id = (await chat()).headers.get("x-routero-call-id");
    await expect.poll(async () => (await explain({ call_id })).status, SOON).toBe(200);
    expect((await explain({ call_id }, user.key)).status).toBe(404);
    expect((await explain({ call_id: "req_none" }, user.key)).status).toBe(404);
  });
});

interface Simulation {
  decisions: number;
  unasked: number;
  changed: number;
  undetermined: number;
  missing: string[];
  changes: { from: object; to: object; requests: number }[];
  blocks: { before: number; after: number };
  cost_usd: { before: number; after: number; requests: number };
}

describe("a simulation", () => {
  it("tells from recorded signals which routes and blocks change and what it costs, never from content", async () => {
    const narrow = await gw.admin<{ key: string }>("POST", "/key/generate", { models: ["cheap"] });
    expect((await chat({ authorization: `Bearer ${narrow.key}` })).status).toBe(403);
    for (let i = 0; i < 3; i++) await chat({ "x-routero-region": "eu" });
    for (let i = 0; i < 2; i++) await chat({ "x-routero-region": "us" });
    const simulate = (yaml: string) =>
      gw.admin<Simulation>("POST", "/policy/simulate", { workspace: "acme", yaml });
    await expect
      .poll(async () => (await simulate(POLICY)).decisions, SOON)
      .toBeGreaterThanOrEqual(8);
    // Under its own document nothing changes.
    await expect.poll(async () => (await simulate(POLICY)).changed, SOON).toBe(0);
    // What no policy was asked about is none of its decisions.
    await expect.poll(async () => (await simulate(POLICY)).unasked, SOON).toBe(1);
    const swapped = POLICY.replace("region: eu }, route: cheap", "region: us }, route: cheap");
    await expect
      .poll(async () => (await simulate(swapped)).changes, SOON)
      .toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            from: { rule: "rest", route: "dear", blocked: false },
            to: { rule: "eu", route: "cheap", blocked: false },
            requests: 2,
          }),
        ]),
      );
    // A header that this policy asks is known where the same was asked before; another one is not on record.
    const other = await simulate(POLICY.replace("x-team: shadow", "x-squad: shadow"));
    expect(other.undetermined).toBe(other.decisions);
    expect(other.missing).toEqual(["header.x-squad"]);
    // Nothing is known of these targets' regions: after it everything would be refused.
    const shut = await simulate(
      "constraints: [{ require: { residency: us-only } }]\nrules: [{ id: r, route: cheap }]",
    );
    expect(shut.blocks.after).toBe(shut.decisions);
    expect(shut.cost_usd.after).toBe(0);
    expect(shut.changes).toContainEqual(
      expect.objectContaining({ to: { rule: "r", route: "cheap", blocked: true } }),
    );
    const open = await simulate("rules: [{ route: cheap }]");
    expect(open.blocks.before).toBeGreaterThan(open.blocks.after);
    await expect
      .poll(async () => (await simulate("rules: [{ route: cheap }]")).cost_usd.requests, SOON)
      .toBeGreaterThan(3);
    const { cost_usd: cost } = await simulate("rules: [{ route: cheap }]");
    expect(cost.after).toBeLessThan(cost.before);
  });
});

it("what a role may do can be asked", async () => {
  const asked = await gw.admin<{ actions: Record<string, { effect: string }> }>(
    "POST",
    "/authz/check",
    {
      principal: { role: "developer" },
      resource: { kind: "policy" },
      actions: ["read", "write"],
    },
  );
  expect(asked.actions).toMatchObject({
    read: { effect: "EFFECT_ALLOW" },
    write: { effect: "EFFECT_DENY" },
  });
});
