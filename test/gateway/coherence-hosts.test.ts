import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, UPSTREAM_KEY, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../support/upstream/index.ts";

let gw: TestGateway;
let up: Upstream;
let thief: Upstream;

beforeAll(async () => {
  const vars = { PROFILE: "self-hosted", TRUSTED_PROXIES: "127.0.0.2", OPENAI_API_KEY: PLATFORM };
  [gw, up, thief] = await Promise.all([startGateway({ vars }), startUpstream(), startUpstream()]);
  await gw.configure(gw.tenant.organizationId, { disable_cooldowns: true });
});
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
  await thief?.stop();
});

const PLATFORM = "sk-platform-key-of-openai-000";
const org = () => ({ organization_id: gw.tenant.organizationId });

async function post(path: string, credential: string, body: object) {
  const answer = await fetch(gw.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${credential}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = (await answer.json()) as { error?: { code: string; param: string } };
  return { status: answer.status, code: said.error?.code, param: said.error?.param };
}
const chat = (model: string, stream = false) =>
  post("/v1/chat/completions", gw.firstKey, {
    model,
    stream,
    messages: [{ role: "user", content: "hello" }],
  });
const addModel = (model_name: string, litellm_params: object) =>
  post("/model/new", gw.masterKey, { ...org(), model_name, litellm_params });

test("link-local, metadata and reserved addresses are refused even where private ones are allowed", async () => {
  const never = [
    "http://169.254.169.254/latest",
    "http://169.254.1.1/v1",
    "http://[fe80::1]/v1",
    "http://[fd00:ec2::254]/v1",
    "http://metadata.google.internal/v1",
    "http://2852039166/v1",
    "http://0xa9fea9fe/v1",
    "http://[::ffff:169.254.169.254]/v1",
    "http://100.100.100.200/v1",
    "http://0.0.0.0/v1",
    "https://user:pass@api.example.com/v1",
    "file:///etc/passwd",
  ];
  for (const api_base of never) {
    const refused = await addModel("bad", {
      model: "openai/gpt-4o",
      api_key: "sk-x-1234567890",
      api_base,
    });
    expect([api_base, refused.status]).toEqual([api_base, 400]);
  }
  expect(await gw.sql("SELECT count(*) AS n FROM deployments")).toEqual([{ n: 0 }]);
});

test("a redirect is not followed: the credential reaches the host it was saved for and no other", async () => {
  await gw.newModel("moved", { upstream: up, organizationId: gw.tenant.organizationId });
  for (const status of [301, 302, 307, 308]) {
    up.model("moved", {
      body: { text: "", status },
      headers: { location: `${thief.url}/v1/chat/completions` },
    });
    expect((await chat("moved")).status).toBe(502);
  }
  expect(up.calls.all[0]?.headers.authorization).toBe(`Bearer ${UPSTREAM_KEY}`);
  expect(thief.calls.all).toEqual([]);
});

test("a credential serves no deployment of another host, and the platform's key only the catalog's", async () => {
  const [row] = await gw.sql("SELECT id FROM credentials LIMIT 1");
  await gw.sql(
    `INSERT INTO deployments (org_id, id, model_group, provider, model, protocol, base_url, credential_id, created_at, updated_at)
     SELECT org_id, 'stolen', 'stolen', 'openai', 'stolen', 'openai-chat', ?, ?, 1, 1 FROM credentials LIMIT 1`,
    `${thief.url}/v1`,
    row?.id,
  );
  await gw.sql(
    `INSERT INTO deployments (org_id, id, model_group, provider, model, protocol, base_url, created_at, updated_at)
     SELECT org_id, 'bare', 'bare', 'openai', 'bare', 'openai-chat', ?, 1, 1 FROM credentials LIMIT 1`,
    `${thief.url}/v1`,
  );
  // Any change of the organization makes every copy read its deployments again.
  await gw.newModel("fresh", { upstream: up, organizationId: gw.tenant.organizationId });
  await expect
    .poll(() => chat("stolen"), { timeout: 6_000 })
    .toMatchObject({ code: "upstream_auth" });
  expect(thief.calls.all).toEqual([]);
  await chat("bare");
  expect(thief.calls.all.map((call) => call.headers.authorization)).toEqual([undefined]);
});

/** A request from an address of the loopback net, with headers that a client may write. */
function from(localAddress: string, key: string, headers: Record<string, string> = {}) {
  return new Promise<number>((resolve, reject) => {
    const asked = request(
      `${gw.url}/v1/models`,
      { localAddress, headers: { ...headers, authorization: `Bearer ${key}` } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    asked.on("error", reject).end();
  });
}

test("a key's addresses are those of the socket, whatever the headers say", async () => {
  const { key = "" } = await gw.admin<Record<string, string>>("POST", "/key/generate", {
    ...org(),
    allowed_ips: ["127.0.0.5", "203.0.113.0/24"],
  });
  expect(await from("127.0.0.5", key)).toBe(200);
  for (const headers of [
    {},
    { "cf-connecting-ip": "127.0.0.5" },
    { "x-forwarded-for": "203.0.113.9" },
    { "x-real-ip": "127.0.0.5" },
    { forwarded: "for=127.0.0.5" },
    { "mf-cf-blob": '{"clientIp":"127.0.0.5"}' },
    { "cf-blob": '{"clientIp":"127.0.0.5"}', undefined: '{"clientIp":"127.0.0.5"}' },
  ]) {
    expect([headers, await from("127.0.0.1", key, headers as Record<string, string>)]).toEqual([
      headers,
      403,
    ]);
  }
  // The trusted proxy's word counts, and only its last one.
  expect(await from("127.0.0.2", key, { "x-forwarded-for": "203.0.113.9" })).toBe(200);
  expect(await from("127.0.0.2", key, { "x-forwarded-for": "203.0.113.9, 198.51.100.1" })).toBe(
    403,
  );
  expect(await from("127.0.0.2", key)).toBe(403);
});
