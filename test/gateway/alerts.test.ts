import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSecrets } from "../../scripts/secrets.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { fails, startUpstream, text, type Upstream } from "../support/upstream/index.ts";

interface Received {
  headers: IncomingHttpHeaders;
  raw: string;
  event: Record<string, unknown>;
}

/** A subscriber's endpoint that can be told to fail. */
class Subscriber {
  /** Events of budgets, and all others. */
  readonly received: Received[] = [];
  readonly others: Received[] = [];
  status = 200;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let raw = "";
      request.setEncoding("utf8");
      request.on("data", (part: string) => (raw += part));
      request.on("end", () => {
        const event = JSON.parse(raw) as Record<string, unknown>;
        const ofBudget = String(event["event_type"]).startsWith("budget.");
        (ofBudget ? this.received : this.others).push({ headers: request.headers, raw, event });
        response.writeHead(this.status).end();
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook?token=t`;
  }

  of(scopeId: string): Received[] {
    return this.received.filter(({ event }) => event["scope_id"] === scopeId);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const SECRET = "a-secret-of-the-subscriber";
/** The same at both starts: what one sealed the other opens. */
const vars = { ...makeSecrets(), PROFILE: "self-hosted" };

let stateDir: string;
let gw: TestGateway;
let tenant: TestGateway["tenant"];
let up: Upstream;
let url: string;
const subscriber = new Subscriber();

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "routero-alerts-"));
  up = await startUpstream();
  url = await subscriber.listen();
  gw = await startGateway({ vars, stateDir });
  ({ tenant } = gw);
  up.model("m", text("word ".repeat(10)));
  await gw.newModel(
    "m",
    { upstream: up },
    { input_cost_per_token: 0, output_cost_per_token: 1e-5 },
  );
}, 60_000);
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
  subscriber.close();
  await rm(stateDir, { recursive: true, force: true });
});

function alerting(general_settings: object): Promise<Record<string, Record<string, unknown>>> {
  const { organizationId: organization_id } = tenant;
  return gw.admin("POST", "/config/update", { organization_id, general_settings });
}

async function newKey(limits: object): Promise<{ key: string; token_id: string }> {
  return gw.admin("POST", "/key/generate", { team_id: tenant.teamId, ...limits });
}

async function ask(key: string): Promise<number> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model: "m",
      max_tokens: 16,
      messages: [{ role: "user", content: "hi" }],
    }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** Asks until the budget is used up. */
async function spend(key: string): Promise<void> {
  for (let n = 0; n < 20 && (await ask(key)) === 200; n++);
}

const typesOf = (list: Received[]) =>
  list.map(({ event }) => `${String(event["event_type"])} ${String(event["threshold"])}`);

test("each threshold of a budget is told once, signed over the bytes that were sent", async () => {
  await alerting({ alerting_webhook_url: url, alerting_webhook_secret: SECRET });
  // Ten words are 0.0001 USD or somewhat more; the whole budget is used to the last.
  const { key } = await newKey({
    max_budget: 0.0005,
    budget_duration: "1mo",
    tiers: { warn: 0.5 },
  });
  await spend(key);
  await expect
    .poll(() => subscriber.received.length, { timeout: 10_000 })
    .toBeGreaterThanOrEqual(1);
  const [first] = subscriber.received;
  const { headers, raw, event } = first as Received;
  expect(headers["x-routero-signature"]).toBe(
    createHmac("sha256", SECRET).update(raw).digest("hex"),
  );
  expect(headers["x-routero-delivery"]).toBe(event["id"]);
  expect(Math.abs(Number(headers["x-routero-timestamp"]) - Date.now() / 1000)).toBeLessThan(15);
  expect(event).toMatchObject({
    event_type: "budget.threshold_reached",
    org_id: tenant.organizationId,
    team_id: tenant.teamId,
    request_id: expect.any(String),
    scope: "key",
    threshold: "warn",
    budget_max_usd: "0.0005",
  });
  expect(Number(event["budget_used_usd"])).toBeGreaterThanOrEqual(0.00025);
  const types = typesOf(subscriber.of(String(event["scope_id"])));
  expect(new Set(types).size).toBe(types.length);
});

test("a delivery that failed comes again under the same id, even after the gateway was stopped", async () => {
  subscriber.status = 503;
  const before = subscriber.received.length;
  const { key } = await newKey({ max_budget: 0.0005, tiers: { warn: 0.1 } });
  await ask(key);
  await expect.poll(() => subscriber.received.length, { timeout: 10_000 }).toBeGreaterThan(before);
  const told = subscriber.received[before] as Received;
  await gw.stop();
  subscriber.status = 200;
  const sofar = subscriber.received.length;
  gw = await startGateway({ vars, stateDir, tenant: false });
  await expect.poll(() => subscriber.received.length, { timeout: 15_000 }).toBeGreaterThan(sofar);
  const again = subscriber.received.at(-1) as Received;
  expect(again.raw).toBe(told.raw);
  expect(again.headers["x-routero-delivery"]).toBe(told.headers["x-routero-delivery"]);
}, 60_000);

test("what the endpoint does not take is listed with its last answer, and sent again when an administrator asks", async () => {
  interface Listed {
    deliveries: Record<string, unknown>[];
    waiting_count: number;
    dead_count: number;
  }
  const { organizationId: organization_id } = tenant;
  const listed = () =>
    gw.admin<Listed>("GET", `/webhooks/deliveries?organization_id=${organization_id}`);
  const resend = (body: object) =>
    gw.admin("POST", "/webhooks/deliveries/resend", { organization_id, ...body });
  await expect.poll(async () => (await listed()).waiting_count, { timeout: 10_000 }).toBe(0);
  subscriber.status = 503;
  const from = subscriber.received.length;
  const { key } = await newKey({ max_budget: 0.0005, tiers: { warn: 0.1 } });
  await ask(key);
  const mine = () => subscriber.received.slice(from);
  // Two attempts, then a pause of five seconds and one of thirty.
  await expect.poll(() => mine().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
  const id = mine()[0]?.event["id"];
  const shown = async () => (await listed()).deliveries.find((each) => each["delivery_id"] === id);
  await expect.poll(async () => (await shown())?.["attempts"], { timeout: 5_000 }).toBe(2);
  expect(await shown()).toMatchObject({
    event_type: "budget.threshold_reached",
    status: "waiting",
    last_status: 503,
    next_attempt_at: expect.stringMatching(/Z$/),
    team_id: tenant.teamId,
  });
  await expect(resend({ delivery_ids: [id, "evt_unknown"] })).rejects.toThrow("404");
  subscriber.status = 200;
  const sofar = mine().length;
  expect(await resend({ delivery_ids: [id] })).toEqual({ resent: 1 });
  await expect.poll(() => mine().length, { timeout: 3_000 }).toBeGreaterThan(sofar);
  expect(mine().at(-1)?.raw).toBe(mine()[0]?.raw);
  await expect.poll(shown, { timeout: 5_000 }).toBe(undefined);
  await expect(resend({ delivery_ids: [id] })).rejects.toThrow("404");
  const record = JSON.stringify(await gw.sql("select * from audit_events"));
  expect(record).toContain("webhook.resent");
}, 60_000);

test("a rule's alert is told once in its window, for refused requests too, and again by its next version", async () => {
  const alerts = () =>
    subscriber.others.filter((each) => each.event["event_type"] === "policy.alert");
  const publish = async (message: string) => {
    const answer = await fetch(`${gw.url}/policy/${tenant.organizationId}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "text/yaml" },
      body: `rules:
  - { id: shut, when: { header.x-shut: "yes" }, block: true, alert: { channel: webhook, message: refused } }
  - { id: quiet, when: { header.x-quiet: "yes" }, route: m, alert: { channel: slack, message: nobody } }
  - { id: open, route: m, alert: { channel: webhook, message: ${message} } }
`,
    });
    const body = (await answer.json()) as { version: number; warnings: { code: string }[] };
    // Only Slack's is not delivered.
    expect(body.warnings.map(({ code }) => code)).toEqual(["not_delivered"]);
    return body.version;
  };
  const call = async (headers: Record<string, string> = {}) => {
    const answer = await fetch(`${gw.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${tenant.key}`, ...headers },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }] }),
    });
    await answer.arrayBuffer();
    return [answer.status, answer.headers.get("x-routero-policy-version")];
  };
  const inForce = async (version: number) => {
    await expect
      .poll(() => call({ "x-quiet": "yes" }), { timeout: 10_000, interval: 100 })
      .toEqual([200, String(version)]);
  };
  const version = await publish("served");
  await inForce(version);
  for (let n = 0; n < 3; n++) {
    expect((await call())[0]).toBe(200);
    expect((await call({ "x-shut": "yes" }))[0]).toBe(403);
  }
  await expect.poll(() => alerts().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
  const next = await publish("served-differently");
  await inForce(next);
  await call();
  const served = () =>
    alerts().filter(({ event }) => event["message"] === "served-differently").length;
  await expect.poll(served, { timeout: 10_000 }).toBe(1);
  // A full hour may begin while this runs: then the first version's are told once more, each for its own window.
  const told = alerts().map(({ event }) =>
    [event["rule_id"], event["policy_version"], event["window_start"]].join(" "),
  );
  expect(new Set(told).size).toBe(told.length);
  expect(new Set(alerts().map(({ event }) => event["rule_id"]))).toEqual(new Set(["shut", "open"]));
  const shut = alerts().find(({ event }) => event["rule_id"] === "shut");
  expect(shut?.event).toMatchObject({
    message: "refused",
    blocked: true,
    policy_scope: "org",
    policy_version: version,
    org_id: tenant.organizationId,
    request_id: expect.stringMatching(/^req_/),
  });
}, 60_000);

test("the day's checkpoint of a log leaves for the webhook", async () => {
  const made = await gw.admin<{ organization_id: string }>("POST", "/organization/new", {
    organization_alias: "sealed",
  });
  const { organization_id } = made;
  const general_settings = { alerting_webhook_url: url, alerting_webhook_secret: SECRET };
  await gw.admin("POST", "/config/update", { organization_id, general_settings });
  const of = () => subscriber.others.filter(({ event }) => event["org_id"] === organization_id);
  await expect.poll(() => of().length, { timeout: 30_000 }).toBeGreaterThan(0);
  const event = of()[0]?.event ?? {};
  expect(event).toMatchObject({ event_type: "audit.checkpoint", size: expect.any(Number) });
  const shown = await gw.admin<{ checkpoint: string }>(
    "GET",
    `/audit-log/checkpoint?organization_id=${organization_id}`,
  );
  // The log goes on from it: its first lines are the same log's.
  const origin = (text: unknown) => String(text).split("\n")[0];
  expect(origin(event["checkpoint"])).toBe(origin(shown.checkpoint));
}, 60_000);

test("a provider that refuses a credential is told of once in a cooldown, and is on record", async () => {
  const { organizationId, key } = await gw.newTenant("refused");
  await gw.admin("POST", "/config/update", {
    organization_id: organizationId,
    general_settings: { alerting_webhook_url: url, alerting_webhook_secret: SECRET },
  });
  up.model("shut", fails("invalid_key"));
  up.model("spent", fails("quota"));
  up.model("lost", fails("model_not_found"));
  for (const model of ["shut", "spent", "lost"]) {
    await gw.newModel(model, { upstream: up, organizationId });
  }
  // Every request is sent on to its deployment, and a window is an hour.
  await gw.configure(organizationId, { cooldown_time: 3_600, disable_cooldowns: true });
  const call = async (model: string) => {
    const answer = await fetch(`${gw.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  expect(await call("lost")).not.toBe(200);
  for (let n = 0; n < 4; n++) expect(await call("shut")).toBe(502);
  expect(await call("spent")).toBe(502);
  const told = () =>
    subscriber.others
      .map(({ event }) => event)
      .filter((event) => event["event_type"] === "credential.refused");
  const recorded = async () => {
    const query = `organization_id=${organizationId}&event_type=credential.refused`;
    const { data } = await gw.admin<{ data: Record<string, unknown>[] }>(
      "GET",
      `/audit-log?${query}`,
    );
    return data;
  };
  // The last one is told behind those before it.
  const groups = (events: Record<string, unknown>[]) => [
    ...new Set(events.map((event) => String(event["group"]))),
  ];
  const both = expect.arrayContaining(["shut", "spent"]);
  await expect.poll(() => groups(told()), { timeout: 20_000 }).toEqual(both);
  await expect.poll(async () => groups(await recorded()), { timeout: 20_000 }).toEqual(both);
  const records = await recorded();
  for (const events of [told(), records]) {
    expect(groups(events)).toHaveLength(2);
    // A full hour may begin while this runs.
    const windows = events.map((event) => [event["group"], event["window_start"]].join(" "));
    expect(new Set(windows).size).toBe(windows.length);
  }
  const shut = told().find((event) => event["group"] === "shut");
  expect(shut).toMatchObject({
    org_id: organizationId,
    provider: "openai",
    model: "shut",
    status: 401,
    code: "invalid_api_key",
    request_id: expect.stringMatching(/^req_/),
  });
  expect(told().find((event) => event["group"] === "spent")).toMatchObject({ status: 429 });
  expect(records.map((record) => record["event_id"])).toContain(shut?.["id"]);
}, 90_000);

test("a budget that begins anew says so, with what was spent before; events that nobody wants are not sent", async () => {
  await alerting({ alerting_events: ["budget.reset"] });
  const from = subscriber.received.length;
  const { key } = await newKey({
    max_budget: 1,
    budget_duration: "2s",
    tiers: { warn: 0.0001 },
  });
  await expect
    .poll(
      async () => {
        await ask(key);
        return subscriber.received.slice(from).map(({ event }) => event["event_type"]);
      },
      { timeout: 15_000, interval: 500 },
    )
    .toContain("budget.reset");
  const sent = subscriber.received.slice(from);
  expect(new Set(sent.map(({ event }) => event["event_type"]))).toEqual(new Set(["budget.reset"]));
  expect(Number(sent[0]?.event["budget_used_usd"])).toBeGreaterThan(0);
}, 60_000);

test("a secret that the gateway makes is shown once, and a webhook that moves to another host gets another", async () => {
  const made = await alerting({ alerting_webhook_url: "http://localhost:9/path-token" });
  const { organizationId } = tenant;
  const secret = String(made["general_settings"]?.["alerting_webhook_secret"]);
  expect(secret).toMatch(/^whsec_[\w-]{43}$/);
  const listed = await gw.admin<typeof made>(
    "GET",
    `/config/list?organization_id=${organizationId}`,
  );
  expect(listed["general_settings"]).toEqual({
    alerting: ["webhook"],
    alerting_webhook_url: "http://localhost:9/path-token",
    alerting_webhook_secret: `…${secret.slice(-4)}`,
    alerting_events: ["budget.reset"],
  });
  const record = JSON.stringify(await gw.sql("select * from audit_events"));
  expect(record).toContain("localhost:9");
  expect(record).not.toContain(secret);
  expect(record).not.toContain("path-token");
  await alerting({ alerting_webhook_url: null });
  const gone = await gw.admin<typeof made>("GET", `/config/list?organization_id=${organizationId}`);
  expect(gone["general_settings"]).toEqual({});
});
