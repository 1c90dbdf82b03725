import { afterAll, beforeAll, expect, test } from "vitest";
import { FAMILIES, SIGNAL_NAMES } from "../../worker/policy/signals.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";

/** A change counts everywhere after 5 s at most; reading of it takes a moment more. */
const SOON = { timeout: 20_000, interval: 100 };

/** Whoever asks: a person with a key of a team that has a budget. */
let gw: TestGateway;
let key = "";
const known = { team: "", user: "", keyId: "" };

beforeAll(async () => {
  gw = await startGateway({ vars: { PROFILE: "self-hosted" }, tenant: false });
  await gw.admin("POST", "/organization/new", {
    organization_alias: "acme",
    metadata: { plan: "Enterprise", residency: "eu-only" },
  });
  const team = await gw.admin<{ team_id: string }>("POST", "/team/new", {
    team_alias: "lab",
    max_budget: 100,
    budget_duration: "30d",
    metadata: { region: "EU", cost_center: "CC-7" },
  });
  const user = await gw.admin<{ user_id: string }>("POST", "/user/new", {
    user_id: "ada",
    user_role: "internal_user",
  });
  const made = await gw.admin<{ key: string }>("POST", "/key/generate", {
    team_id: team.team_id,
    user_id: user.user_id,
    metadata: { groups: ["red"] },
  });
  key = made.key;
  Object.assign(known, { team: team.team_id, user: user.user_id, keyId: key.split("-")[3] });
  const params = { model: "sim/echo", region_name: "eu-central-1" };
  await gw.admin("POST", "/model/new", { model_name: "open", litellm_params: params });
}, 60_000);
afterAll(() => gw?.stop());

interface Asked {
  headers?: Record<string, string>;
  body?: object;
}

async function ask(id: string, { headers = {}, body = {} }: Asked = {}) {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "x-ask": id, ...headers },
    body: JSON.stringify({ model: "open", messages: [{ role: "user", content: "hi" }], ...body }),
  });
  await answer.arrayBuffer();
  return {
    status: answer.status,
    rule: answer.headers.get("x-routero-policy-rule"),
    hash: answer.headers.get("x-routero-policy-hash"),
  };
}

/** Publishes rules that block when a request asks for them by `x-ask`, and waits until calls see them. */
async function publish(rules: string[], top = ""): Promise<void> {
  const yaml = `${top}rules:\n${rules.map((each) => `  - ${each}`).join("\n")}\n  - { id: rest, route: open }\n`;
  const answer = await fetch(`${gw.url}/policy/acme`, {
    method: "PUT",
    headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "text/yaml" },
    body: yaml,
  });
  const { hash, error } = (await answer.json()) as { hash?: string; error?: { message: string } };
  expect(error?.message).toBeUndefined();
  await expect.poll(async () => (await ask("none")).hash, SOON).toBe(hash);
}

const rule = (id: string, condition: string, more = "") =>
  `{ id: ${id}, when: { all: [{ header.x-ask: ${id} }, { ${condition} }] }, block: true${more} }`;

const says = (content: unknown): Asked => ({ body: { messages: [{ role: "user", content }] } });
const picture = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
const shell = { type: "function", function: { name: "shell", parameters: { type: "object" } } };

/** Each signal with a condition that holds for a request, and one that does not; detectors that are off have a table of their own. */
const READ: [signal: string, holds: string, fails: string, asked?: Asked][] = [
  ["identity.workspace", "acme", "other"],
  ["identity.team_id", "TEAM", "other"],
  ["identity.user_id", "ada", "bob"],
  ["identity.key_id", "{ exists: true }", "other"],
  ["identity.customer_id", "c-9", "c-8", { body: { user: "c-9" } }],
  ["identity.role", "[developer, member]", "auditor"],
  ["identity.groups", "lab", "blue"],
  ["identity.plan", "Enterprise", "free"],
  ["identity.cost_center", "CC-7", "CC-8", { headers: { "x-routero-cost-center": "CC-8" } }],
  ["identity.auth_method", "key", "session"],
  ["content.has_code", "true", "false", says("```py\nprint(1)\n```")],
  ["content.language", "de", "en", says("Was ist das und wie kann ich es mit dir machen?")],
  ["content.input_tokens", "{ gt: 50 }", "{ lt: 50 }", says("word ".repeat(100))],
  ["content.data_class", "PII", "public", { headers: { "x-routero-data-class": "Pii" } }],
  ["content.modalities", "image", "audio", says([{ type: "text", text: "look" }, picture])],
  ["content.tools", "shell", "search", { body: { tools: [shell] } }],
  ["content.task", "math", "translate", says("What is 17 * 23 + 5? Solve the equation x^2 = 9.")],
  ["content.difficulty", "{ in: [LIGHT, STANDARD] }", "REASONING"],
  ["content.model", "{ starts_with: op }", "{ starts_with: gpt }"],
  ["content.endpoint", "chat", "{ exists: false }"],
  ["identity.region", "EU", "us", { headers: { "x-routero-region": "us" } }],
  ["region.country", "{ exists: false }", "DE"],
  ["region.residency", "eu-only", "us-only"],
  ["region.fedramp", "false", "true"],
  ["region.gateway", "global", "eu"],
  ["budget.remaining_pct", "{ gt: 50 }", "{ lt: 50 }"],
  ["budget.remaining_usd", "{ between: [50, 100] }", "{ lt: 50 }"],
  ["budget.state", "ok", "warn"],
  ["budget.scope", "team", "org"],
  ["budget.estimated_cost_usd", "{ gt: 0 }", "{ exists: false }"],
  ["budget.resets_in_s", "{ gte: 1 }", "{ exists: false }"],
  ["schedule.business_hours", "true", "false"],
  ["schedule.overnight", "true", "false"],
  ["schedule.weekend", "{ ne: WEEKDAY }", "WEEKDAY"],
  ["schedule.weekday", "TODAY", "YESTERDAY"],
  ["schedule.hour", "NOW", "{ not_in: NOW }"],
  ["header.X-Foo", "Bar", "bar", { headers: { "x-foo": "Bar" } }],
  ["header.constructor", "{ exists: false }", "{ exists: true }"],
  ["metadata.project", "apollo", "gemini", { body: { metadata: { project: "apollo" } } }],
];

test("each signal is read of a real request, and by no other value", async () => {
  const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  const day = new Date().getUTCDay();
  const hour = (from: number) =>
    `${String((new Date().getUTCHours() + from + 24) % 24).padStart(2, "0")}:00`;
  // The test may run over the end of an hour or day.
  const hours = [0, 1].map((later) => (new Date().getUTCHours() + later) % 24);
  const around = `${hour(-1)}-${hour(3)}`;
  const filled = (text: string) =>
    text
      .replace("TEAM", known.team)
      .replace("NOW", `[${hours.join(", ")}]`)
      .replace("TODAY", `[${days[day]}, ${days[(day + 1) % 7]}]`)
      .replace("YESTERDAY", String(days[(day + 6) % 7]))
      .replace("WEEKDAY", String(day !== 0 && day !== 6));
  const conditions = READ.map(([signal, holds, fails]) => [
    `${signal}: ${filled(holds)}`,
    `${signal}: ${filled(fails)}`,
  ]);
  await publish(
    conditions.flatMap(([holds = "", fails = ""], n) => [
      rule(`holds-${n}`, holds),
      rule(`fails-${n}`, fails),
    ]),
    `schedule: { business_hours: "${around}", business_days: mon-sun, overnight: "${around}" }\n`,
  );
  // Budgets are known to an isolate once money was lent to it.
  const scope = READ.findIndex(([signal]) => signal === "budget.scope");
  await expect.poll(async () => (await ask(`holds-${scope}`)).status, SOON).toBe(403);
  const seen: Record<string, unknown> = {};
  for (const [n, [signal, , , asked]] of READ.entries()) {
    const [right, wrong] = [await ask(`holds-${n}`, asked), await ask(`fails-${n}`, asked)];
    seen[signal] = [right.status, right.rule, wrong.status, wrong.rule];
  }
  const expected = READ.map(([signal], n) => [signal, [403, `holds-${n}`, 200, "rest"]] as const);
  expect(seen).toEqual(Object.fromEntries(expected));
}, 90_000);

test("what no detector tells matches a rule that blocks, and is skipped by one that says so", async () => {
  const detected = {
    "content.pii_detected": "true",
    "content.pii_entities": "email",
    "content.secrets_detected": "true",
    "content.injection_detected": "true",
  };
  const all = Object.entries(detected);
  await publish(
    all.flatMap(([signal, value], n) => [
      rule(`match-${n}`, `${signal}: ${value}`),
      rule(`skip-${n}`, `${signal}: ${value}`, ", on_unknown: skip"),
    ]),
  );
  for (const n of all.keys()) {
    expect(await ask(`match-${n}`)).toMatchObject({ status: 403, rule: `match-${n}` });
    expect(await ask(`skip-${n}`)).toMatchObject({ status: 200, rule: "rest" });
  }
  const families = Object.keys(FAMILIES);
  const named = [...READ.map(([signal]) => signal), ...Object.keys(detected)].map(
    (signal) => families.find((family) => signal.startsWith(family)) ?? signal,
  );
  expect([...new Set(named)].toSorted()).toEqual([...SIGNAL_NAMES, ...families].toSorted());
}, 60_000);

/** Each operator, with a value of `metadata.v` for which it holds and one for which it does not. */
const OPERATORS: [operator: string, holds: unknown, fails: unknown][] = [
  ["a", "a", "b"],
  ["[a, b]", "b", "c"],
  ["{ eq: 3 }", 3, 4],
  ["{ ne: a }", "b", "a"],
  ["{ gt: 3 }", 4, 3],
  ["{ gte: 3 }", 3, 2],
  ["{ lt: 3 }", 2, 3],
  ["{ lte: 3 }", 3, 4],
  ["{ between: [3, 5] }", 5, 6],
  ["{ in: [a, b] }", "a", "c"],
  ["{ not_in: [a, b] }", "c", "a"],
  ["{ contains: ell }", "hello", "halo"],
  ["{ starts_with: he }", "hello", "halo"],
  ["{ matches: '^h.l{2}o$' }", "hullo", "halo"],
  ["{ exists: true }", "x", undefined],
  ["{ exists: false }", undefined, "x"],
];
const GROUPS: [group: string, holds: unknown, fails: unknown][] = [
  ["all: [{ metadata.v: { gt: 1 } }, { metadata.v: { lt: 3 } }]", 2, 3],
  ["any: [{ metadata.v: a }, { metadata.v: b }]", "b", "c"],
  ["not: { metadata.v: a }", "b", "a"],
];

test("each operator and group decides about a real request", async () => {
  const all = [
    ...OPERATORS.map(([text, ...values]) => [`metadata.v: ${text}`, ...values] as const),
    ...GROUPS,
  ];
  await publish(all.map(([condition], n) => rule(`op-${n}`, condition)));
  const valued = (v: unknown): Asked => ({ body: { metadata: { v } } });
  const seen = [];
  for (const [n, [condition, holds, fails]] of all.entries()) {
    const right = await ask(`op-${n}`, valued(holds));
    const wrong = await ask(`op-${n}`, valued(fails));
    seen.push([condition, right.rule, wrong.rule]);
  }
  expect(seen).toEqual(all.map(([condition], n) => [condition, `op-${n}`, "rest"]));
}, 60_000);

/** Targets with what was said of each, USD per token, and the demands that each of them meets. */
const TARGETS = {
  none: [{ training: false, retention_days: 0 }, "eu-central-1", 1e-6],
  month: [{ training: false, retention_days: 30 }, "eu-west-3", 1e-5],
  trains: [{ training: true, retention_days: 0 }, "eu-central-1", 1e-6],
  unsaid: [{}, "eu-central-1", 1e-6],
} as const;
const DEMANDS: [demand: string, ...met: (keyof typeof TARGETS)[]][] = [
  ["forbid: { training: true }", "none", "month"],
  ["require: { training: false }", "none", "month"],
  ["require: { retention: none }", "none", "trains"],
  ["require: { retention: { lte: 30 } }", "none", "month", "trains"],
  ["forbid: { retention: { gt: 0 } }", "none", "trains"],
  ["require: { price: { input: { lte: 5 } } }", "none", "trains", "unsaid"],
  ["require: { region: eu-west-3 }", "month"],
  ["require: { residency: [eu-central-1, eu-north-1] }", "none", "trains", "unsaid"],
  ["require: { residency: us-only }"],
  ["forbid: { residency: cn-only }", "none", "month", "trains", "unsaid"],
  ["require: { model: [none, unsaid] }", "none", "unsaid"],
  ["forbid: { model: { starts_with: un } }", "none", "month", "trains"],
  ["require: { provider: sim, model: sim/echo }", "none", "month", "trains", "unsaid"],
  ["forbid: { provider: sim }"],
];

test("a constraint goes by what an administrator said of a target, and what nobody said is in nobody's favour", async () => {
  for (const [model_name, [model_info, region_name, price]] of Object.entries(TARGETS)) {
    const prices = { input_cost_per_token: price, output_cost_per_token: price };
    const litellm_params = { model: "sim/echo", region_name, ...prices };
    await gw.admin("POST", "/model/new", { model_name, litellm_params, model_info });
  }
  const rules = Object.keys(TARGETS).map(
    (name) => `{ id: ${name}, when: { header.x-ask: ${name} }, route: ${name} }`,
  );
  const constraints = DEMANDS.map(
    ([demand], n) => `  - { id: d${n}, when: { header.x-demand: d${n} }, ${demand} }\n`,
  );
  await publish(rules, `constraints:\n${constraints.join("")}`);
  const seen = [];
  for (const [n, [demand]] of DEMANDS.entries()) {
    const met = [];
    for (const name of Object.keys(TARGETS)) {
      const { status, rule: by } = await ask(name, { headers: { "x-demand": `d${n}` } });
      expect([by, [200, 403].includes(status)]).toEqual([name, true]);
      if (status === 200) met.push(name);
    }
    seen.push([demand, ...met]);
  }
  expect(seen).toEqual(DEMANDS);
}, 90_000);

test("Anthropic's callers are routed, pinned and refused by the same rules, in their own form", async () => {
  await publish([
    "{ id: no, when: { header.x-ask: no }, block: { message: Not here. } }",
    "{ id: us, when: { header.x-ask: us }, route: open, residency: us-only }",
  ]);
  const send = async (id: string, stream = false) => {
    const answer = await fetch(`${gw.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": key, "x-ask": id },
      body: JSON.stringify({
        model: "open",
        max_tokens: 8,
        stream,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
    const text = await answer.text();
    return [answer.status, answer.headers.get("x-routero-policy-rule"), text] as const;
  };
  for (const stream of [false, true]) {
    const [status, by, text] = await send("no", stream);
    expect([status, by]).toEqual([403, "no"]);
    expect(JSON.parse(text)).toMatchObject({
      type: "error",
      error: { type: "permission_error", policy: { name: "acme", rule: "no" } },
    });
    expect(text).toContain("Not here.");
  }
  const [status, by, text] = await send("us");
  expect([status, by]).toEqual([403, "us"]);
  expect(text).toContain("pins residency to us-only");
  const [served, rest, answer] = await send("yes", true);
  expect([served, rest]).toEqual([200, "rest"]);
  expect(answer).toContain("message_stop");
}, 60_000);
