import { setTimeout as wait } from "node:timers/promises";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../support/cluster/index.ts";
import { fails, startUpstream, text, type Upstream } from "../support/upstream/index.ts";

// What OpenAI's client is told when no deployment of a group may, can or is able to serve, and that router settings
// hold on every worker within 5 s.

let cluster: Cluster;
let up: Upstream;
let organization_id: string;

beforeAll(async () => {
  up = await startUpstream();
  cluster = await startCluster({ workers: 3, vars: { PROFILE: "self-hosted" } });
  organization_id = cluster.tenant.organizationId;
  const target = { upstream: up, organizationId: organization_id };
  const made = (group: string, params: object, model_info: object = {}) =>
    cluster.admin("POST", "/model/new", {
      organization_id,
      model_name: group,
      litellm_params: {
        model: `openai/${group}`,
        api_base: `${up.url}/v1`,
        api_key: "k",
        ...params,
      },
      model_info,
    });
  await made("placed", { region_name: "us-east-1" });
  await made("placed", { model: "openai/placed-eu", region_name: "eu-central-1" });
  await made("blind", {}, { supports_vision: false });
  await made("sees", {}, { supports_vision: true });
  await made("small", {}, { max_input_tokens: 100 });
  await cluster.newModel("dies", target);
  for (const model of ["placed", "placed-eu", "blind", "sees", "small"])
    up.model(model, text("ok"));
});
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
});

const client = (n = 0) =>
  new OpenAI({
    baseURL: `${cluster.workers[n]?.url}/v1`,
    apiKey: cluster.tenant.key,
    maxRetries: 0,
    defaultHeaders: { "x-litellm-num-retries": "0" },
  });

type Content = OpenAI.ChatCompletionUserMessageParam["content"];

async function refused(model: string, content: Content, more: object = {}) {
  const before = up.calls.all.length;
  const messages = [{ role: "user" as const, content }];
  const error: unknown = await client()
    .chat.completions.create({
      model,
      messages,
      ...more,
    } as OpenAI.ChatCompletionCreateParamsNonStreaming)
    .then(
      () => null,
      (cause: unknown) => cause,
    );
  if (!(error instanceof OpenAI.APIError)) throw new Error(`not refused: ${String(error)}`);
  return { error, asked: up.calls.all.length - before };
}

test("an image for a group that can't see: the ability is named, and who has it", async () => {
  const image: Content = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
  ];
  for (const stream of [false, true]) {
    const { error, asked } = await refused("blind", image, { stream });
    expect([error.status, error.code, error.param]).toEqual([
      400,
      "capability_not_supported",
      "model",
    ]);
    expect(error.message).toMatch(/openai: lacks images.*'sees'/);
    expect(asked).toBe(0);
  }
});

test("a prompt beyond every window: both lengths are named", async () => {
  const { error, asked } = await refused("small", "word ".repeat(2_000));
  expect([error.status, error.code, error.param]).toEqual([
    400,
    "context_length_exceeded",
    "messages",
  ]);
  expect(error.message).toMatch(/has a window of 100 tokens, this request needs about \d+/);
  expect(asked).toBe(0);
});

test("nobody is left in rotation: 503 with the time after which to come again", async () => {
  up.model("dies", fails("invalid_key"));
  expect((await refused("dies", "hello")).error.status).toBe(502);
  const { error, asked } = await refused("dies", "hello");
  expect([error.status, error.code]).toEqual([503, "no_healthy_deployment"]);
  expect(error.message).toMatch(
    /openai: cools down for \d+ s after its provider refused the credential, account or model/,
  );
  const seconds = Number(error.headers?.get("retry-after"));
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(60);
  expect(asked).toBe(0);
  // What serves instead is a fallback, though nothing else was tried; a name that is none is told.
  const { response } = await client()
    .chat.completions.create({
      model: "dies",
      messages: [{ role: "user", content: "hello" }],
      fallbacks: ["nowhere", "sees"],
    } as OpenAI.ChatCompletionCreateParamsNonStreaming)
    .withResponse();
  expect(response.headers.get("x-routero-attempted-fallbacks")).toBe("1");
  expect(response.headers.get("x-routero-degraded")).toBe("fallbacks[0]");
  const query = `organization_id=${organization_id}&event_type=request.fallback_triggered`;
  const logged = () =>
    cluster.admin<{ data: { fallback_count: number }[] }>(
      "GET",
      `/audit-log?${query}&request_id=${response.headers.get("x-routero-call-id")}`,
    );
  await expect
    .poll(async () => (await logged()).data[0]?.fallback_count, { timeout: 5_000 })
    .toBe(1);
});

test("where nothing may serve each is named with its reason, on all workers within 5 s of the setting", async () => {
  const statuses = () =>
    Promise.all(
      cluster.workers.map((_, n) =>
        client(n)
          .chat.completions.create({
            model: "placed",
            messages: [{ role: "user", content: "hello" }],
          })
          .then(
            () => 200,
            (cause: unknown) => (cause instanceof OpenAI.APIError ? cause.status : 0),
          ),
      ),
    );
  expect(await statuses()).toEqual([200, 200, 200]);
  await cluster.configure(organization_id, { residency: ["ap-south-1"] });
  const until = Date.now() + 5_000;
  let seen = await statuses();
  while (!seen.every((status) => status === 403) && Date.now() < until) {
    await wait(100);
    seen = await statuses();
  }
  expect(seen).toEqual([403, 403, 403]);
  const { error, asked } = await refused("placed", "hello");
  expect([error.status, error.code]).toEqual([403, "policy_no_candidate"]);
  const { candidates } = error.error as { candidates: { dropped_by: string; reason: string }[] };
  expect(candidates.map((each) => each.dropped_by)).toEqual(["residency", "residency"]);
  expect(
    candidates
      .map((each) => each.reason)
      .toSorted()
      .join(" "),
  ).toMatch(/eu-central-1.*us-east-1/);
  expect(asked).toBe(0);
  await cluster.configure(organization_id, { residency: null });
  await expect.poll(statuses, { timeout: 5_000, interval: 100 }).toEqual([200, 200, 200]);
}, 20_000);
