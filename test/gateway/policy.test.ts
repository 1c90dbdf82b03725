import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../support/upstream/index.ts";

/** A change counts everywhere after 5 s at most; reading of it takes a moment more. */
const SOON = { timeout: 7_000, interval: 100 };

/** The documented form of a policy document, as users know it. */
const DOCUMENTED = `workspace: finance
version: 18
rules:
  - when: { content.pii_detected: true }
    route: internal/redacted
    on_redaction_fail: block
  - when: { identity.region: eu }
    route: eu/frankfurt
    residency: eu-only
  - when: { budget.remaining_pct: { lt: 20 } }
    route: smart/cheap
    alert: { channel: slack, message: "below 20 %" }
  - route: smart/balanced              # no \`when\` = matches always
    audit: { log_inputs: true, retention_days: 365 }
`;

let gw: TestGateway;
let up: Upstream;
let key = "";
let org = "";

beforeAll(async () => {
  [gw, up] = await Promise.all([
    startGateway({ vars: { PROFILE: "self-hosted" }, tenant: false }),
    startUpstream(),
  ]);
  const made = await gw.admin<{ organization_id: string }>("POST", "/organization/new", {
    organization_alias: "finance",
  });
  org = made.organization_id;
  key = (await gw.admin<{ key: string }>("POST", "/key/generate", {})).key;
  await model("open", {});
});
afterAll(() => Promise.all([gw.stop(), up.stop()]));

async function model(name: string, params: object, info: object = {}): Promise<string> {
  const made = await gw.admin<{ model_id: string }>("POST", "/model/new", {
    model_name: name,
    litellm_params: {
      model: "openai/gpt-test",
      api_base: `${up.url}/v1`,
      api_key: "sk-upstream-0123456789",
      ...params,
    },
    model_info: info,
  });
  return made.model_id;
}

interface Answer {
  status: number;
  headers: Headers;
  body: {
    error?: { message: string; code: string; policy?: object; faults?: Fault[] };
    [name: string]: unknown;
  };
}
interface Fault {
  line: number;
  column: number;
  code: string;
  message: string;
}

async function put(
  yaml: string,
  headers: Record<string, string> = {},
  query = "",
): Promise<Answer> {
  const answer = await fetch(`${gw.url}/policy/finance${query}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "text/yaml", ...headers },
    body: yaml,
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Answer["body"],
  };
}

async function chat(headers: Record<string, string> = {}, more: object = {}): Promise<Answer> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "open", messages: [{ role: "user", content: "hi" }], ...more }),
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Answer["body"],
  };
}

/** Publishes and waits until the calls see it. */
async function inForce(yaml: string): Promise<number> {
  const published = await put(yaml);
  expect(published.body.error?.message).toBeUndefined();
  const version = published.body["version"] as number;
  await expect
    .poll(async () => (await chat()).headers.get("x-routero-policy-version"), SOON)
    .toBe(String(version));
  return version;
}

describe("the documented policy", () => {
  it("is refused naming the first missing group, then the next, until all exist", async () => {
    for (const name of ["internal/redacted", "eu/frankfurt"]) {
      const refused = await put(DOCUMENTED);
      expect(refused.status).toBe(422);
      const [first] = refused.body.error?.faults ?? [];
      expect(first?.message).toContain(`'${name}'`);
      const line = DOCUMENTED.split("\n").findIndex((each) => each.includes(`route: ${name}`)) + 1;
      expect([first?.line, first?.code]).toEqual([line, "missing_target"]);
      expect(refused.body.error?.message).toContain("^");
      await model(name, name === "eu/frankfurt" ? { region_name: "eu-central-1" } : {});
    }
    const published = await put(DOCUMENTED);
    expect([published.status, published.body["version"], published.body["changed"]]).toEqual([
      200,
      1,
      true,
    ]);
    // What is accepted and does nothing yet is said where it stands.
    const told = published.body["warnings"] as { code: string; line: number }[];
    expect(told.map(({ code, line }) => [code, line])).toEqual(
      expect.arrayContaining([["not_delivered", 12]]),
    );
    const again = await put(DOCUMENTED);
    expect([again.body["version"], again.body["changed"]]).toEqual([1, false]);
  });

  it("sends everything to the redacting group while nothing detects personal data, and says so", async () => {
    await expect
      .poll(async () => (await chat()).headers.get("x-routero-policy-version"), SOON)
      .toBe("1");
    const answer = await chat();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-routero-route")).toBe("internal/redacted");
    expect(answer.headers.get("x-routero-policy-rule")).toBe("rule-1");
    const published = await put(DOCUMENTED);
    expect(JSON.stringify(published.body["warnings"])).toContain("detector 'pii' is off");
  });

  it("pins requests from the EU to the EU and routes the rest by its last rule", async () => {
    const rest = DOCUMENTED.replace(/ {2}- when: \{ content.*\n.*\n.*\n/, "");
    await inForce(rest);
    const eu = await chat({ "x-routero-region": "eu" });
    expect([eu.status, eu.headers.get("x-routero-route")]).toEqual([200, "eu/frankfurt"]);
    expect(eu.headers.get("x-routero-model-region")).toBe("eu-central-1");
    const other = await chat({ "x-routero-region": "us" });
    // The smart alias of the last rule needs no group: the router chooses among those that there are.
    expect([other.status, other.headers.get("x-routero-policy-rule")]).toEqual([200, "rule-3"]);
    expect(other.headers.get("x-routero-task")).not.toBeNull();
  });
});

describe("a policy", () => {
  it("blocks with its name, version and rule", async () => {
    const version = await inForce(`rules:
  - id: no-secrets
    when: { header.X-Class: secret }
    block: { message: "Secret data stays here." }
  - id: rest
    route: open
`);
    const blocked = await chat({ "x-class": "secret" });
    expect(blocked.status).toBe(403);
    expect(blocked.body.error).toMatchObject({
      code: "policy_blocked",
      message: `Secret data stays here. (policy 'finance', version ${version}, rule 'no-secrets')`,
      policy: { name: "finance", version, rule: "no-secrets" },
    });
    expect(blocked.headers.get("x-routero-policy-rule")).toBe("no-secrets");
    expect((await chat()).status).toBe(200);
  });

  it("leaves no target rather than a forbidden one, and names what removed each", async () => {
    await model("mixed", { region_name: "us-east-1" }, { training: false, retention_days: 30 });
    await inForce(`constraints:
  - { id: stays-in-eu, require: { residency: eu-only } }
  - { id: no-training, when: 'header["x-class"] == "secret"', forbid: { training: true } }
`);
    const none = await chat({}, { model: "mixed" });
    expect([none.status, none.body.error?.code]).toEqual([403, "policy_no_candidate"]);
    expect(none.body.error?.message).toContain("constraint 'stays-in-eu'");
    expect((await chat({}, { model: "eu/frankfurt" })).status).toBe(200);
    // Nobody said that this deployment is not trained on: unknown is not good enough.
    const unknown = await chat({ "x-class": "secret" }, { model: "eu/frankfurt" });
    expect(unknown.body.error?.message).toContain("constraint 'no-training'");
  });

  it("keeps the groups that it routes to: their last deployment can't go", async () => {
    const id = await model("kept", {});
    await inForce("rules: [{ id: to-kept, route: kept }]");
    const refused = await gw
      .admin("POST", "/model/delete", { id })
      .then(() => null)
      .catch((cause: unknown) => cause as { status: number; message: string });
    expect(refused).toMatchObject({ status: 409 });
    expect(String(refused?.message)).toContain("'to-kept'");
    await inForce("rules: [{ route: open }]");
    await gw.admin("POST", "/model/delete", { id });
  });

  it("is guarded against lost updates, tried without effect, and rolled back", async () => {
    const current = await inForce("rules: [{ id: a, route: open }]");
    const stale = await put("rules: [{ id: b, route: open }]", { "if-match": String(current - 1) });
    expect([stale.status, stale.body.error?.code]).toEqual([412, "conflict"]);
    const dry = await put("rules: [{ id: b, route: open }]", {}, "?dry_run");
    expect([dry.status, dry.body["version"], dry.body["dry_run"]]).toEqual([
      200,
      current + 1,
      true,
    ]);
    const next = await put("rules: [{ id: b, route: open }]", { "if-match": `"${current}"` });
    expect([next.status, next.body["version"]]).toEqual([200, current + 1]);
    const back = await gw.admin<{ version: number; restores: number }>(
      "POST",
      "/policy/finance/rollback",
      { version: current },
    );
    expect([back.version, back.restores]).toEqual([current + 2, current]);
    const shown = await gw.admin<{ yaml: string }>("GET", `/policy/ws_${org.replace("org_", "")}`);
    expect(shown.yaml).toBe("rules: [{ id: a, route: open }]");
    const versions = await gw.admin<{ total: number }>("GET", "/policy/finance/versions");
    expect(versions.total).toBe(current + 2);
  });

  it("is published only by a call that says so, whatever form its body has", async () => {
    const current = await inForce("rules: [{ id: stands, route: open }]");
    const send = async (path: string, sent: object | string, type: string) => {
      const method = path.startsWith("/rollback") ? "POST" : "PUT";
      const body = typeof sent === "string" ? sent : JSON.stringify(sent);
      const headers = { authorization: `Bearer ${gw.masterKey}`, "content-type": type };
      const answer = await fetch(`${gw.url}/policy/finance${path}`, { method, headers, body });
      const told = (await answer.json()) as Answer["body"];
      return { status: answer.status, dry: told["dry_run"], message: told.error?.message ?? "" };
    };
    const [json, form] = ["application/json", "application/x-www-form-urlencoded"];
    const yaml = "rules: [{ id: tried, route: open }]";
    expect(await send("?dry_run=true", { yaml }, json)).toMatchObject({ status: 200, dry: true });
    expect(await send("?team=no-such-team", { yaml }, json)).toMatchObject({ status: 404 });
    expect(await send("/rollback?dry_run", { version: 1 }, json)).toMatchObject({
      status: 200,
      dry: true,
    });
    // What a client takes for a form by itself is YAML as well.
    expect(await send("?dry_run", yaml, form)).toMatchObject({ status: 200, dry: true });
    // Ignored, this would publish.
    for (const [query, body, type] of [
      ["?dryrun=true", yaml, "text/yaml"],
      ["", { yaml, dry_rum: true }, json],
    ] as const) {
      const refused = await send(query, body, type);
      expect([refused.status, refused.message]).toEqual([
        422,
        expect.stringContaining("did you mean 'dry_run'?"),
      ]);
    }
    const shown = await gw.admin<{ version: number }>("GET", "/policy/finance");
    expect(shown.version).toBe(current);
  });

  it("is published once by calls that are repeated or come at once, and by each of those that differ", async () => {
    const before = await inForce("rules: [{ id: before, route: open }]");
    const next = "rules: [{ id: next, route: open }]";
    const guarded = { "if-match": String(before) };
    expect((await put(next, guarded)).body["version"]).toBe(before + 1);
    // Its answer was lost, and the caller sends it again.
    const again = await put(next, guarded);
    expect([again.status, again.body["version"], again.body["changed"]]).toEqual([
      200,
      before + 1,
      false,
    ]);
    const many = Array.from({ length: 4 }, (_, n) => `rules: [{ id: at-once-${n}, route: open }]`);
    const all = await Promise.all([...many, ...many].map((each) => put(each)));
    expect(all.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const { versions } = await gw.admin<{ versions: { version: number; hash: string }[] }>(
      "GET",
      "/policy/finance/versions?page_size=20",
    );
    const published = versions.filter(({ version }) => version > before + 1);
    expect(new Set(published.map(({ hash }) => hash))).toEqual(
      new Set(all.map(({ body }) => body["hash"])),
    );
  });

  it("is refused where a case of its tests fails, and says which rules no case comes to", async () => {
    const policy =
      "rules:\n  - { id: eu, when: { identity.region: eu }, route: open }\n  - { id: rest, block: true }\n";
    const wrong = `${policy}---\ncases:\n  - name: from the EU\n    given: { identity.region: eu }\n    expect: { rule: rest }\n`;
    const refused = await put(wrong);
    expect(refused.status).toBe(422);
    expect(refused.body.error?.message).toContain(
      "policy.yaml:8:21: case 'from the EU' fails: expected rule rest, got eu",
    );
    const right = await put(wrong.replace("rule: rest }", "rule: eu, route: open }"));
    expect(right.status).toBe(200);
    expect(right.body["coverage"]).toMatchObject({
      cases: 1,
      passed: 1,
      covered: ["eu"],
      uncovered: ["rest"],
    });
    await inForce("rules: [{ route: open }]");
  });
});

describe("a team's document", () => {
  it("narrows under the organization's, and chooses only what that left open", async () => {
    const team = await gw.admin<{ team_id: string }>("POST", "/team/new", { team_alias: "lab" });
    const of = await gw.admin<{ key: string }>("POST", "/key/generate", { team_id: team.team_id });
    const call = (headers: Record<string, string> = {}) =>
      chat({ authorization: `Bearer ${of.key}`, ...headers });
    await model("lab-group", {});
    await inForce(`rules:
  - { id: pinned, when: { identity.region: eu }, route: eu/frankfurt }
  - { id: usual, route: open }
`);
    const own = await put(
      "constraints: [{ id: lab-eu, when: { header.x-eu: 'yes' }, require: { residency: eu-only } }]\nrules: [{ id: lab, route: lab-group }]",
      {},
      "?team=lab",
    );
    expect([own.status, own.body["scope"]]).toEqual([200, team.team_id]);
    await expect
      .poll(async () => (await call()).headers.get("x-routero-route"), SOON)
      .toBe("lab-group");
    const pinned = await call({ "x-routero-region": "eu" });
    expect(pinned.headers.get("x-routero-route")).toBe("eu/frankfurt");
    expect((await call({ "x-eu": "yes" })).body.error?.message).toContain(
      "constraint 'lab-eu' (team policy",
    );
    expect((await chat()).headers.get("x-routero-route")).toBe("open");
  });
});

it("a document also comes with POST /config/update, and a broken one changes nothing", async () => {
  const rules = [{ id: "by-config", route: "open" }];
  const done = await gw.admin<{ policy: { version: number; changed: boolean } }>(
    "POST",
    "/config/update",
    {
      policy: { workspace: "finance", rules },
    },
  );
  expect(done.policy.changed).toBe(true);
  const list = await gw.admin<{ policies: { version: number }[] }>("GET", "/policy/list");
  expect(list.policies[0]?.version).toBe(done.policy.version);
  const refused = await gw
    .admin("POST", "/config/update", {
      policy: "rules: [{ rout: open }]",
      router_settings: { num_retries: 1 },
    })
    .then(() => null)
    .catch((cause: unknown) => cause as { status: number });
  expect(refused).toMatchObject({ status: 422 });
  const settings = await gw.admin<{ router_settings: object }>("GET", "/config/list");
  expect(settings.router_settings).not.toHaveProperty("num_retries");
});

it("a budget that is nearly spent moves requests, as far as the isolate knows of it", async () => {
  const price = { input_cost_per_token: 0.000_001, output_cost_per_token: 0.000_01 };
  await model("usual", price);
  await model("cheaper", price);
  const team = await gw.admin<{ team_id: string }>("POST", "/team/new", {
    team_alias: "poor",
    max_budget: 0.01,
  });
  const of = await gw.admin<{ key: string }>("POST", "/key/generate", { team_id: team.team_id });
  await inForce(`rules:
  - { id: nearly-spent, when: { budget.remaining_pct: { lt: 97 }, budget.scope: team }, route: cheaper }
  - { id: rest, route: usual }
`);
  const call = () =>
    chat({ authorization: `Bearer ${of.key}` }, { model: "usual", max_tokens: 5 }).then(
      (answer) => [
        answer.status,
        answer.headers.get("x-routero-policy-rule"),
        answer.headers.get("x-routero-route"),
      ],
    );
  expect(await call()).toEqual([200, "rest", "usual"]);
  await expect
    .poll(call, { timeout: 20_000, interval: 50 })
    .toEqual([200, "nearly-spent", "cheaper"]);
  // Without a budget nothing is nearly spent.
  expect((await chat({}, { model: "usual" })).headers.get("x-routero-policy-rule")).toBe("rest");
});
