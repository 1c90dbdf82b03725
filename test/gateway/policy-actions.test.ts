import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { fails, startUpstream, text, type Upstream } from "../support/upstream/index.ts";

/** A change counts everywhere after 5 s at most; reading of it takes a moment more. */
const SOON = { timeout: 10_000, interval: 100 };

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
  up.model("open", text("hello"));
  up.model("broken", fails("server_error"));
  await gw.newModel("open", { upstream: up }, { region_name: "us-east-1" });
}, 60_000);
afterAll(() => Promise.all([gw?.stop(), up?.stop()]));

interface Asked {
  status: number;
  code: string | undefined;
  message: string;
  route: string | null;
  rule: string | null;
}

async function ask(headers: Record<string, string> = {}, more: object = {}): Promise<Asked> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "open", messages: [{ role: "user", content: "hi" }], ...more }),
  });
  const { error } = (await answer.json()) as { error?: { code: string; message: string } };
  return {
    status: answer.status,
    code: error?.code,
    message: error?.message ?? "",
    route: answer.headers.get("x-routero-route"),
    rule: answer.headers.get("x-routero-policy-rule"),
  };
}

async function publish(yaml: string, team?: string): Promise<string> {
  const answer = await fetch(`${gw.url}/policy/acme${team === undefined ? "" : `?team=${team}`}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "text/yaml" },
    body: yaml,
  });
  const body = (await answer.json()) as { hash?: string; error?: { message: string } };
  return body.error?.message ?? String(body.hash);
}

/** What each snippet needs, and what requests then come to; `g<n>` are groups that do not exist before. */
const SNIPPETS: [
  string,
  string,
  { group?: string; model?: string; prices?: object }[],
  [Record<string, string>, object, Partial<Asked>][],
][] = [
  [
    "business hours that are always",
    `schedule: { timezone: UTC, business_hours: "00:00-24:00", business_days: [mon, tue, wed, thu, fri, sat, sun] }
rules:
  - { id: open, when: { schedule.business_hours: true }, route: g1 }
  - { id: shut, block: true }`,
    [{ group: "g1" }],
    [[{}, {}, { status: 200, rule: "open", route: "g1" }]],
  ],
  [
    "metadata, tags and headers",
    `rules:
  - { id: tagged, when: { metadata.tags: { contains: vip } }, route: g2 }
  - { id: meta, when: { metadata.project: apollo }, route: g2 }
  - { id: head, when: 'header["x-team"] == "red"', block: { message: "Not red." } }
  - { id: rest, route: open }`,
    [{ group: "g2" }],
    [
      [{}, { metadata: { tags: ["vip"] } }, { status: 200, rule: "tagged", route: "g2" }],
      [{}, { metadata: { project: "apollo" } }, { status: 200, rule: "meta", route: "g2" }],
      [{ "x-team": "red" }, {}, { status: 403, code: "policy_blocked", rule: "head" }],
      [{}, {}, { status: 200, rule: "rest", route: "open" }],
    ],
  ],
  [
    "a ceiling of cost",
    `rules:
  - { id: dear, when: { header.x-dear: "yes" }, route: g5, max_cost_usd: 0.000001 }
  - { id: rest, route: g5, max_cost_usd: 10 }`,
    [
      {
        group: "g5",
        prices: { input_cost_per_token: 0.001, output_cost_per_token: 0.001 },
      },
    ],
    [
      [{ "x-dear": "yes" }, { max_tokens: 10 }, { status: 403, rule: "dear" }],
      [{}, { max_tokens: 10 }, { status: 200, rule: "rest" }],
    ],
  ],
  [
    "residency, which the region of g6 is not in",
    `rules:
  - { id: eu, when: 'identity.region == "eu"', route: g6, residency: eu-only }
  - { id: us, route: g6, residency: us-only }`,
    [{ group: "g6" }],
    [
      [{ "x-routero-region": "eu" }, {}, { status: 403, code: "policy_no_candidate", rule: "eu" }],
      [{}, {}, { status: 200, rule: "us", route: "g6" }],
    ],
  ],
  [
    "throttle",
    `rules:
  - { id: throttled, when: { header.x-slow: "yes" }, throttle: true }
  - { id: rest, route: g7 }`,
    [{ group: "g7" }],
    [
      [{ "x-slow": "yes" }, {}, { status: 200, rule: "throttled" }],
      [{}, {}, { status: 200, rule: "rest", route: "g7" }],
    ],
  ],
];

test.each(SNIPPETS)(
  "%s: refused for the first missing group, then published, then in force",
  async (_, yaml, groups, asked) => {
    for (const { group = "", model = "open", prices = {} } of groups) {
      expect(await publish(yaml)).toContain(`'${group}'`);
      await gw.newModel(group, { upstream: up, model }, { region_name: "us-east-1", ...prices });
    }
    const hash = await publish(yaml);
    expect(hash).toMatch(/^[0-9a-f]{64}$|^sha256:/);
    await expect.poll(() => inForce(), SOON).toBe(hash);
    for (const [headers, more, expected] of asked)
      expect(await ask(headers, more)).toMatchObject(expected);
  },
  40_000,
);

test("the rule's retries, fallbacks, strategy and timeout are what a request then goes by", async () => {
  const groups = ["failing", "failing", "priced", "priced", "hanging"];
  const models = ["broken", "broken-too", "dear", "cheap", "hangs"];
  for (const [n, group] of groups.entries()) {
    const price = models[n] === "dear" ? 1e-3 : 1e-6;
    const prices = { input_cost_per_token: price, output_cost_per_token: price };
    await gw.newModel(group, { upstream: up, model: models[n] ?? "" }, prices);
  }
  up.model("broken-too", fails("server_error"));
  for (const model of ["dear", "cheap"]) up.model(model, text("hello"));
  up.model("hangs", { hang: "headers" });
  await gw.admin("POST", "/config/update", {
    router_settings: {
      disable_cooldowns: true,
      num_retries: 1,
      routing_strategy: "simple-shuffle",
    },
  });
  const rule = (id: string, action: string) =>
    `  - { id: ${id}, when: { header.x-rule: ${id} }, ${action} }`;
  const hash = await publish(
    [
      "rules:",
      rule("never-again", "route: failing, num_retries: 0"),
      rule("thrice-again", "route: failing, num_retries: 3"),
      rule("onward", "route: failing, num_retries: 0, fallbacks: [priced], strategy: lowest_cost"),
      rule("cheapest", "route: priced, strategy: lowest_cost"),
      rule("impatient", "route: hanging, num_retries: 0, timeout: 1"),
      "  - { id: rest, route: open }",
    ].join("\n"),
  );
  await expect.poll(() => inForce(), SOON).toBe(hash);
  const asked = async (id: string) => {
    up.calls.clear();
    const { status, rule: by } = await ask({ "x-rule": id });
    expect(by).toBe(id);
    return [status, up.calls.all.map((call) => call.model.replace("-too", ""))];
  };
  expect(await asked("never-again")).toEqual([503, ["broken"]]);
  expect(await asked("thrice-again")).toEqual([503, Array(4).fill("broken")]);
  expect(await asked("onward")).toEqual([200, ["broken", "cheap"]]);
  // By chance alone this would come out so once in a thousand times.
  for (let n = 0; n < 10; n++) expect(await asked("cheapest")).toEqual([200, ["cheap"]]);
  const began = Date.now();
  expect(await asked("impatient")).toEqual([504, ["hangs"]]);
  expect(Date.now() - began).toBeGreaterThanOrEqual(900);
  expect(Date.now() - began).toBeLessThan(20_000);
}, 60_000);

test("a document with constraints, and a team's, is refused for the first missing group, and publishes once all are there", async () => {
  const { team_id } = await gw.admin<{ team_id: string }>("POST", "/team/new", { team_alias: "t" });
  const constrained = `constraints:
  - { id: only, when: { header.x-only: "yes" }, require: { model: [c2, c3] } }
rules: [{ id: all, route: c1, fallbacks: [c2] }]`;
  const own = `constraints: [{ id: near, require: { region: us-east-1 } }]
rules: [{ id: own, route: t1, fallbacks: [t2] }]`;
  const cases: [string, string[], string | undefined][] = [
    [constrained, ["c1", "c2"], undefined],
    [own, ["t1", "t2"], team_id],
  ];
  for (const [yaml, groups, team] of cases) {
    for (const group of groups) {
      const said = await publish(yaml, team);
      expect(said).toContain(`'${group}'`);
      expect(said.indexOf(`'${group}'`)).toBe(said.search(/'[ct][12]'/));
      await gw.newModel(group, { upstream: up, model: "open" });
    }
    expect(await publish(yaml, team)).toMatch(/^[0-9a-f]{64}$|^sha256:/);
  }
}, 40_000);

test("an alias that a rule routes to stays, and so does what it stands for", async () => {
  const aliases = (model_group_alias: object) =>
    gw.admin("POST", "/config/update", { router_settings: { model_group_alias } });
  const made = (await gw.newModel("behind", { upstream: up, model: "open" })) as {
    model_id: string;
  };
  const id = made.model_id;
  await aliases({ front: "behind", unused: "open" });
  const told = (call: Promise<unknown>) =>
    call.then(
      () => "done",
      (cause: unknown) => `${(cause as { status: number }).status}: ${(cause as Error).message}`,
    );
  expect(await publish("rules: [{ id: to-front, route: front }]")).toMatch(/^sha256:/);
  const taken = await told(gw.admin("POST", "/model/delete", { id }));
  expect(taken).toContain("409");
  expect(taken).toContain("Rule 'to-front'");
  expect(taken).toContain("'front', which stands for 'behind'");
  expect(await told(aliases({ unused: "open" }))).toContain("this takes that alias away");
  expect(await told(aliases({ front: "open" }))).toBe("done");
  expect(await told(gw.admin("POST", "/model/delete", { id }))).toBe("done");
  expect(await publish("rules: [{ route: open }]")).toMatch(/^sha256:/);
  expect(await told(aliases({}))).toBe("done");
}, 40_000);

/** The hash of the document that calls are judged by now. */
async function inForce(): Promise<string | null> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "open", messages: [{ role: "user", content: "hi" }] }),
  });
  await answer.arrayBuffer();
  return answer.headers.get("x-routero-policy-hash");
}

test("a team that is deleted takes its policy out of the list, and no group is kept for it", async () => {
  const { team_id } = await gw.admin<{ team_id: string }>("POST", "/team/new", {
    team_alias: "gone",
  });
  const made = (await gw.newModel("gone-group", { upstream: up, model: "open" })) as {
    model_id: string;
  };
  expect(await publish("rules: [{ id: own, route: gone-group }]", team_id)).toMatch(/^sha256:/);
  const drop = () => gw.admin("POST", "/model/delete", { id: made.model_id });
  await expect(drop()).rejects.toMatchObject({ status: 409 });
  await gw.admin("POST", "/team/delete", { team_ids: [team_id] });
  const { policies } = await gw.admin<{ policies: { scope: string }[] }>("GET", "/policy/list");
  expect(policies.map(({ scope }) => scope)).not.toContain(team_id);
  await drop();
});

test("a request can't have its provider answer with models that nothing here can hold to a rule", async () => {
  const hash = await publish(
    "constraints: [{ id: c, when: { header.x-hard: 'yes' }, require: { region: us-east-1 } }]\nrules: [{ id: r, route: open }]",
  );
  await expect.poll(() => inForce(), SOON).toBe(hash);
  const narrow = await gw.admin<{ key: string }>("POST", "/key/generate", {
    models: ["open", "mate"],
  });
  const as = { authorization: `Bearer ${narrow.key}` };
  const hard = { "x-hard": "yes" };
  const elsewhere = { models: ["vendor/dear"] };
  const objects = { fallbacks: [{ model: "dear" }] };
  for (const more of [elsewhere, objects]) {
    up.calls.clear();
    expect(await ask(hard, more)).toMatchObject({ status: 403, code: "policy_no_candidate" });
    expect(await ask(as, more)).toMatchObject({ status: 403, code: "model_not_allowed" });
    expect(up.calls.all).toEqual([]);
    expect((await ask({}, more)).status).toBe(200);
  }
  expect((await ask(as, { models: ["mate"] })).status).toBe(200);
  expect((await ask(hard, {})).status).toBe(200);
}, 40_000);
