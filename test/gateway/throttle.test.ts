import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, UPSTREAM_KEY, type TestGateway } from "../support/cluster/index.ts";
import { fails, startUpstream, text, type Upstream } from "../support/upstream/index.ts";

/** USD of a prompt token; an answer's costs the same. */
const PRICES = { dear: 1e-5, middle: 5e-6, low: 1e-6 };
/** Nothing fits into the budget, and all into the hard cap. */
const USED_UP = { max_budget: 1e-9, hard_cap: 10 };
const SOON = { timeout: 10_000, interval: 100 };

let gw: TestGateway;
let up: Upstream;
let organization_id = "";

beforeAll(async () => {
  [up, gw] = await Promise.all([
    startUpstream(),
    startGateway({ vars: { PROFILE: "self-hosted" } }),
  ]);
  organization_id = gw.tenant.organizationId;
  for (const [model, price] of Object.entries(PRICES)) {
    up.model(model, text("hello"));
    await newModel(model, price);
  }
  await gw.admin("POST", "/model/new", {
    organization_id,
    model_name: "desk",
    litellm_params: {
      model: "auto_router/helpdesk",
      auto_router_default_model: "dear",
      auto_router_config: JSON.stringify({
        routes: [{ name: "middle", utterances: ["tell me a joke"] }],
      }),
    },
  });
  const answer = await fetch(`${gw.url}/policy/${organization_id}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "text/yaml" },
    body: `rules:
  - { id: up, when: { header.x-route: dear }, route: dear }
  - { id: near, when: { header.x-near: "yes" }, residency: eu-only }
`,
  });
  if (!answer.ok) throw new Error(await answer.text());
}, 120_000);
afterAll(() => Promise.all([gw?.stop(), up?.stop()]));

/** The cheapest lies in no region and sees no images. */
function newModel(model: string, price: number): Promise<unknown> {
  const isLow = model === "low";
  return gw.admin("POST", "/model/new", {
    organization_id,
    model_name: model,
    litellm_params: {
      model: `openai/${model}`,
      api_base: `${up.url}/v1`,
      api_key: UPSTREAM_KEY,
      input_cost_per_token: price,
      output_cost_per_token: price,
      ...(!isLow && { region_name: "eu-west-1" }),
    },
    model_info: { supports_vision: !isLow },
  });
}

async function newKey(more: object = {}): Promise<string> {
  const team_id = gw.tenant.teamId;
  const made = await gw.admin<{ key: string }>("POST", "/key/generate", {
    organization_id,
    team_id,
    ...USED_UP,
    ...more,
  });
  return made.key;
}

/** Which group served, or the refusal's code; with the provider's own word on it. */
async function servedBy(
  key: string,
  model: string,
  headers: Record<string, string> = {},
  content: unknown = "hi",
) {
  const from = up.calls.all.length;
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify({ model, max_tokens: 20, messages: [{ role: "user", content }] }),
  });
  const { error } = (await answer.json()) as { error?: { code: string } };
  if (error !== undefined) return `${answer.status} ${error.code}`;
  return up.calls.all.slice(from).at(-1)?.model;
}

const REFUSED = "429 insufficient_quota";

test("a used-up budget that throttles sends each request to the cheapest group, and refuses where none is cheaper", async () => {
  const key = await newKey();
  await expect.poll(() => servedBy(key, "dear"), SOON).toBe("low");
  expect(await servedBy(key, "middle")).toBe("low");
  expect(await servedBy(key, "smart/quality")).toBe("low");
  expect(await servedBy(key, "low")).toBe(REFUSED);
  expect(await servedBy(await newKey({ hard_cap: null }), "dear")).toBe(REFUSED);
});

test("what is compared is the group that would serve: a rule's or a router's, not the name that was asked for", async () => {
  const key = await newKey();
  await expect.poll(() => servedBy(key, "low", { "x-route": "dear" }), SOON).toBe("low");
  expect(await servedBy(key, "desk")).toBe("low");
});

test("allowlists and a rule's constraints beat the swap", async () => {
  const some = await newKey({ models: ["dear", "middle"] });
  await expect.poll(() => servedBy(some, "dear"), SOON).toBe("middle");
  expect(await servedBy(some, "middle")).toBe(REFUSED);
  expect(await servedBy(await newKey({ models: ["dear"] }), "dear")).toBe(REFUSED);
  const key = await newKey();
  expect(await servedBy(key, "dear", { "x-near": "yes" })).toBe("middle");
  expect(await servedBy(key, "middle", { "x-near": "yes" })).toBe(REFUSED);
});

test("what can't do what the request needs is passed over, however cheap", async () => {
  const key = await newKey();
  const url = "data:image/png;base64,iVBORw0KGgo=";
  const image = [{ type: "image_url", image_url: { url } }];
  await expect.poll(() => servedBy(key, "dear", {}, image), SOON).toBe("middle");
  expect(await servedBy(key, "middle", {}, image)).toBe(REFUSED);
});

test("the next cheaper group takes over where the cheapest fails, and never one as dear as before", async () => {
  const key = await newKey();
  await gw.configure(organization_id, {
    disable_cooldowns: true,
    num_retries: 0,
    fallbacks: [{ low: ["dear"] }],
  });
  up.model("low", fails("server_error"));
  await expect.poll(() => servedBy(key, "dear"), SOON).toBe("middle");
  up.model("middle", fails("server_error"));
  const from = up.calls.all.length;
  expect(await servedBy(key, "dear")).toMatch(/^5/);
  expect(up.calls.all.slice(from).map((call) => call.model)).toEqual(["low", "middle"]);
  up.model("low", text("hello"));
  up.model("middle", text("hello"));
});

test("a group of the name smart/cheap serves whatever its price, by its own name too, where the key may call it", async () => {
  up.model("own", text("hello"));
  const prices = { input_cost_per_token: PRICES.middle, output_cost_per_token: PRICES.middle };
  const target = { upstream: up, organizationId: organization_id, model: "own" };
  await gw.newModel("smart/cheap", target, prices);
  const key = await newKey();
  await expect.poll(() => servedBy(key, "dear"), SOON).toBe("own");
  expect(await servedBy(key, "low")).toBe("own");
  expect(await servedBy(key, "smart/cheap")).toBe("own");
  expect(await servedBy(await newKey({ models: ["dear", "low"] }), "dear")).toBe("low");
});
