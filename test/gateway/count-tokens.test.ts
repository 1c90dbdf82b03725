import { GoogleGenAI } from "@google/genai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { UPSTREAM_KEY } from "../support/cluster/client.ts";
import { startGround, type Ground } from "./support/ground.ts";

/* Counts of tokens go to a provider of the caller's own protocol: permitted and routed like a call, for nothing. */

let ground: Ground;
let narrow = "";
beforeAll(async () => {
  ground = await startGround();
  const { gw, up } = ground;
  const add = (group: string, model: string, api_base: string, order = 1, more = {}) =>
    gw.admin("POST", "/model/new", {
      model_name: group,
      organization_id: gw.tenant.organizationId,
      litellm_params: { model, api_base, api_key: UPSTREAM_KEY, order, ...more },
    });
  const project = { vertex_project: "p", vertex_location: "us-east5" };
  await add("vertex-gemini", "vertex_ai/gemini-cloud", up.url, 1, project);
  await add("vertex-claude", "vertex_ai_anthropic/claude-cloud", up.url, 1, project);
  await add("gemini-group", "gemini/gemini-counts", up.url);
  await add("two", "anthropic/claude-down", up.url);
  await add("two", "anthropic/claude-up", up.url, 2);
  const made = await gw.admin("POST", "/key/generate", {
    organization_id: gw.tenant.organizationId,
    models: ["gpt-test"],
  });
  narrow = (made as { key: string }).key;
});
beforeEach(() => ground.up.reset());
afterAll(() => ground?.stop());

const ASK = {
  model: "claude-test",
  messages: [{ role: "user" as const, content: "one two three" }],
};

test("Anthropic's client counts; the deployment's model is asked and nothing is charged", async () => {
  const { data, response } = await ground.anthropic().messages.countTokens(ASK).withResponse();
  expect(data.input_tokens).toBeGreaterThan(0);
  expect(response.headers.get("x-routero-provider")).toBe("anthropic");
  expect(response.headers.get("x-routero-response-cost")).toBeNull();
  const [asked] = ground.up.calls.all;
  expect(asked?.request.operation).toBe("count");
  expect(asked?.request.body).toEqual(ASK);
  const { info } = await ground.gw.admin<{ info: { spend: number } }>(
    "GET",
    `/key/info?key=${ground.key}`,
  );
  expect(info.spend).toBe(0);
});

test("a count that is none is another deployment's to give; where all fail so it is told", async () => {
  const { up } = ground;
  const page = { body: { text: "<html>Sign in</html>", type: "text/html" } };
  up.model("claude-down", page);
  const { input_tokens } = await ground.anthropic().messages.countTokens({ ...ASK, model: "two" });
  expect(input_tokens).toBeGreaterThan(0);
  up.model("claude-up", page);
  const asked = ground.anthropic().messages.countTokens({ ...ASK, model: "two" });
  await expect(asked).rejects.toMatchObject({ status: 502 });
});

test("Google's client counts", async () => {
  const google = new GoogleGenAI({ apiKey: ground.key, httpOptions: { baseUrl: ground.gw.url } });
  const counted = await google.models.countTokens({ model: "gemini-group", contents: "one two" });
  expect(counted.totalTokens).toBeGreaterThan(0);
});

test("Vertex AI counts for both clients, each at its place", async () => {
  const google = new GoogleGenAI({ apiKey: ground.key, httpOptions: { baseUrl: ground.gw.url } });
  const counted = await google.models.countTokens({ model: "vertex-gemini", contents: "one two" });
  expect(counted.totalTokens).toBeGreaterThan(0);
  const asked = { ...ASK, model: "vertex-claude" };
  expect((await ground.anthropic().messages.countTokens(asked)).input_tokens).toBeGreaterThan(0);
  expect(ground.up.calls.all.map(({ path, model }) => [path, model])).toEqual([
    [
      "/v1/projects/p/locations/us-east5/publishers/google/models/gemini-cloud:countTokens",
      "gemini-cloud",
    ],
    [
      "/v1/projects/p/locations/us-east5/publishers/anthropic/models/count-tokens:rawPredict",
      "claude-cloud",
    ],
  ]);
});

test("a deployment that is down is passed over", async () => {
  ground.up.script("claude-down", [{ failure: { kind: "unavailable" } }]);
  const { data, response } = await ground
    .anthropic()
    .messages.countTokens({ ...ASK, model: "two" })
    .withResponse();
  expect(data.input_tokens).toBeGreaterThan(0);
  expect(response.headers.get("x-routero-attempted-retries")).toBe("1");
});

test("where nobody can count, the caller is told for which models somebody can", async () => {
  const asked = ground.anthropic().messages.countTokens({ ...ASK, model: "gpt-test" });
  await expect(asked).rejects.toMatchObject({ status: 400 });
  await expect(asked).rejects.toThrow("'claude-test'");
  const smart = ground.anthropic().messages.countTokens({ ...ASK, model: "smart/balanced" });
  await expect(smart).rejects.toMatchObject({ status: 400 });
  await expect(smart).rejects.toThrow("'claude-test'");
});

test("a wrong body, a model that is not allowed and an unknown one are refused like a call", async () => {
  const path = "/v1/messages/count_tokens";
  const wrong = await ground.post("anthropic", { model: "claude-test" }, { path });
  expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining("messages")]);
  const headers = { "x-api-key": narrow };
  const barred = await ground.post("anthropic", ASK, { path, headers });
  expect([barred.status, await barred.text()]).toEqual([
    403,
    expect.stringContaining("claude-test"),
  ]);
  const unknown = await ground.post("anthropic", { ...ASK, model: "nope" }, { path });
  expect(unknown.status).toBe(404);
  expect(ground.up.calls.all).toEqual([]);
});

test.each([
  ["POST", "/v1/messages/count_tokens"],
  ["POST", "/v1beta/models/gemini-group:countTokens"],
  ["GET", "/v1/responses/resp_1"],
  ["GET", "/v1/messages/batches"],
  ["POST", "/v1/threads"],
  ["GET", "/assistants/a"],
])("%s %s: an unknown key hears 401 and nothing else", async (method, path) => {
  const asked = (key: string) =>
    fetch(ground.gw.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(method === "POST" && { body: "{}" }),
    });
  const unknown = await asked("sk-unknown");
  expect([unknown.status, await unknown.text()]).toEqual([
    401,
    expect.not.stringContaining("OpenAI"),
  ]);
  expect((await asked(ground.key)).status).toBe(400);
});
