import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATIONS } from "../../worker/admin/operations/index.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, text, type Behaviour, type Upstream } from "../support/upstream/index.ts";

// Everything that must show up nowhere but where it belongs: long enough to be no accident.
const PROVIDER = "sk-provider-canary-7d1f0c5b9a3e";
const NAMED = "sk-named-canary-3b8e6f2a1c94";
const PROMPT = "prompt-canary-51c2e9d7";
const ANSWER = "answer-canary-c0ffee42";

let gw: TestGateway;
let up: Upstream;
let virtual: string;
let master: string;

beforeAll(async () => {
  [gw, up] = await Promise.all([
    startGateway({ vars: { PROFILE: "self-hosted" } }),
    startUpstream(),
  ]);
  await gw.configure(gw.tenant.organizationId, { disable_cooldowns: true });
  virtual = gw.firstKey;
  master = gw.masterKey;
  for (const [name, provider] of [
    ["open", "openai"],
    ["anthro", "anthropic"],
  ] as const) {
    const { organizationId } = gw.tenant;
    await gw.newModel(name, { upstream: up, provider, organizationId }, { api_key: PROVIDER });
  }
});
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
});

/** The names of what is found in a text. Parts count too: half a secret is a leak. */
function found(haystack: string, allowed: string[] = []): string[] {
  const canaries: Record<string, string> = {
    provider: PROVIDER,
    named: NAMED,
    prompt: PROMPT,
    answer: ANSWER,
    master,
    virtual,
    virtual_secret: virtual.split("-")[4] ?? "",
  };
  return Object.entries(canaries)
    .filter(([name]) => !allowed.includes(name))
    .filter(([, canary]) => haystack.includes(canary) || haystack.includes(canary.slice(4, -4)))
    .map(([name]) => name);
}

/** What an answer shows beyond what it may. */
async function shown(answer: Response, allowed: string[] = []): Promise<string[]> {
  const head = JSON.stringify([...answer.headers]);
  return [...found(head), ...found(await answer.text(), allowed)];
}

const CHATS = [
  ["/v1/chat/completions", "open"],
  ["/v1/chat/completions", "anthro"],
  ["/v1/messages", "anthro"],
  ["/v1/messages", "open"],
] as const;

function chat(path: string, model: string, credential: string, more: object = {}) {
  return fetch(gw.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${credential}`, "content-type": "application/json" },
    body: JSON.stringify({
      model,
      max_tokens: 100,
      messages: [{ role: "user", content: PROMPT }],
      ...more,
    }),
  });
}

test("calls that work, fail, break off or are refused show no secret", async () => {
  const broken: [string, Behaviour, string[]][] = [
    ["works", text(`${ANSWER} and more`), ["answer"]],
    ["rejects the key", { failure: { kind: "invalid_key", message: `Bad key ${PROVIDER}` } }, []],
    [
      "quotes the key in a 500",
      { failure: { kind: "server_error", message: `Oops ${PROVIDER}` } },
      [],
    ],
    [
      "quotes the key in a 429",
      { failure: { kind: "rate_limit", message: `Slow ${PROVIDER}` } },
      [],
    ],
    [
      "quotes the key in a 400",
      { failure: { kind: "bad_request", message: `No ${PROVIDER}` } },
      [],
    ],
    [
      "quotes the key in its stream",
      {
        ...text(`${ANSWER} and more`),
        streamError: { at: { content: 1 }, failure: { kind: "server_error", message: PROVIDER } },
      },
      ["answer"],
    ],
    ["breaks off", { ...text(`${ANSWER} and more words`), cut: { content: 1 } }, ["answer"]],
    ["answers noise", { body: { text: `<html>${ANSWER} ${PROVIDER}</html>` } }, []],
    ["drops the line", { drop: true }, []],
    ["answers half", { ...text(ANSWER), eof: { bytes: 40 } }, ["answer"]],
  ];
  for (const [name, behaviour, allowed] of broken) {
    for (const model of ["open", "anthro"]) up.model(model, behaviour);
    for (const [path, model] of CHATS) {
      for (const stream of [false, true]) {
        const answer = await chat(path, model, virtual, { stream });
        expect(await shown(answer, allowed), `${name} ${path} ${model} ${stream}`).toEqual([]);
      }
    }
  }
  for (const [path, model] of CHATS) {
    const refused = [
      chat(path, model, `${virtual.slice(0, -1)}x`),
      chat(path, model, PROVIDER),
      chat(path, "unknown", virtual),
      chat(path, model, virtual, { messages: PROMPT }),
      chat(path, model, virtual, { guardrail_id: "x", metadata: { note: PROMPT } }),
      chat(`${path}?key=${virtual}`, model, master),
      fetch(gw.url + path, { method: "POST", body: `{"messages": "${PROMPT}` }),
    ];
    for (const answer of await Promise.all(refused)) expect(await shown(answer)).toEqual([]);
  }
}, 120_000);

test("no operation shows a secret, whoever asks for whatever", async () => {
  const fields = {
    key: virtual,
    keys: [virtual],
    api_key: NAMED,
    organization_alias: 5,
    model_name: "with-key",
    litellm_params: { model: "openai/gpt-4o", api_key: NAMED, api_base: `${up.url}/v1` },
    credential_values: { api_key: NAMED },
    credential_name: "named",
    credential_info: {},
    metadata: { a: 1 },
  };
  const paths = [
    ...OPERATIONS.flatMap(({ http }) => http),
    { method: "GET", path: "/v1/models" },
    { method: "GET", path: `/v1/models/x` },
    { method: "POST", path: "/nowhere" },
    { method: "GET", path: "/openapi.json" },
    { method: "GET", path: "/health/readiness" },
  ];
  for (const { method, path } of paths) {
    for (const credential of [master, virtual, `${master}x`, null]) {
      // Deletions would take the ground from under the other calls.
      if (/delete|regenerate|block|rotate$/.test(path) && credential !== null) continue;
      const query = method === "GET" ? `?key=${virtual}&api_key=${NAMED}&q=${PROMPT}` : "";
      const answer = await fetch(gw.url + path + query, {
        method,
        headers: {
          "content-type": "application/json",
          ...(credential !== null && { authorization: `Bearer ${credential}` }),
        },
        ...(method === "GET" ? {} : { body: JSON.stringify(fields) }),
      });
      expect(await shown(answer), `${method} ${path} ${answer.status}`).toEqual([]);
    }
  }
}, 120_000);

test("nothing of it is in the record, in the log of requests, or in any line that was written", async () => {
  up.model("open", text(ANSWER));
  const published = await fetch(`${gw.url}/policy/${gw.tenant.organizationId}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${master}`, "content-type": "text/yaml" },
    body: "rules: [{ id: logging, route: open, audit: { log_inputs: true } }]",
  });
  expect(await published.json()).toMatchObject({ changed: true, warnings: [] });
  const asked = () => chat("/v1/chat/completions", "open", virtual);
  await expect
    .poll(async () => (await asked()).headers.get("x-routero-policy-rule"), { timeout: 10_000 })
    .toBe("logging");
  // Messages are on record by their hashes, and the same text has the same one.
  const { organizationId } = gw.tenant;
  await (await asked()).text();
  const log = await gw.admin<{ data: { inputs?: { messages: { hash: string }[] } }[] }>(
    "GET",
    `/audit-log?organization_id=${organizationId}&event_type=request.routed&limit=1000`,
  );
  expect(found(JSON.stringify(log))).toEqual([]);
  const inputs = log.data.flatMap((record) => record.inputs?.messages ?? []);
  expect(inputs.length).toBeGreaterThanOrEqual(2);
  expect(inputs[0]).toEqual({
    role: "user",
    bytes: PROMPT.length,
    hash: expect.stringMatching(/^[\w-]{43}$/),
  });
  expect(new Set(inputs.map(({ hash }) => hash)).size).toBe(1);
  await expect
    .poll(async () => (await gw.sql("SELECT count(*) AS n FROM usage_rows"))[0]?.n)
    .toBeGreaterThan(10);
  const tables = await gw.sql(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
  );
  expect(tables.length).toBeGreaterThan(5);
  for (const name of tables.map((row) => String(row.name))) {
    const rows = await gw.sql(`SELECT * FROM "${name}"`);
    expect(found(JSON.stringify(rows)), `table ${name}`).toEqual([]);
  }
  expect(gw.logs.length).toBeGreaterThan(10);
  const written = gw.logs.filter((line) => found(JSON.stringify(line)).length > 0);
  expect(written).toEqual([]);
});
