import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { modelFacts } from "../../worker/providers/models.ts";
import { text, tool, tools } from "../support/upstream/index.ts";
import { startGround, type Ground } from "./support/ground.ts";

/* Makers' models behind Bedrock, each with what its family can't do; the provider server checks every signature. */

const FAMILIES = [
  { model: "us.amazon.nova-pro-v1:0", lacks: [] },
  { model: "amazon.nova-micro-v1:0", lacks: ["images"] },
  { model: "amazon.titan-text-express-v1", lacks: ["system", "images", "tools"] },
  {
    model: "us.meta.llama3-3-70b-instruct-v1:0",
    lacks: [],
  },
  { model: "meta.llama3-70b-instruct-v1:0", lacks: ["images", "tools"] },
  {
    model: "mistral.mistral-7b-instruct-v0:2",
    lacks: ["system", "images", "tools"],
  },
  { model: "mistral.mistral-large-2402-v1:0", lacks: ["images", "streamed tools"] },
  { model: "ai21.jamba-1-5-large-v1:0", lacks: ["images"] },
  { model: "cohere.command-r-plus-v1:0", lacks: ["images"] },
  { model: "us.deepseek.r1-v1:0", lacks: [] },
];
const IMPORTED = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef";

let ground: Ground;
const add = (name: string, model: string, more: object = {}) =>
  ground.gw.admin("POST", "/model/new", {
    model_name: name,
    organization_id: ground.gw.tenant.organizationId,
    litellm_params: {
      model,
      api_base: ground.up.url,
      aws_region_name: "us-east-1",
      aws_access_key_id: "AKIDMATRIX",
      aws_secret_access_key: "not-a-real-key",
      ...more,
    },
  });
beforeAll(async () => {
  ground = await startGround();
  for (const { model } of FAMILIES) await add(model, `bedrock/${model}`);
  await add("imported", `bedrock_openai/${IMPORTED}`);
  await add("forged", "bedrock/amazon.forged-v1:0", { aws_secret_access_key: "another-key" });
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const CITY = { type: "object", properties: { city: { type: "string" } } };
const TOOLS = [{ type: "function", function: { name: "weather", parameters: CITY } }];
const hi = { role: "user", content: "hi" };
const picture = {
  role: "user",
  content: [{ type: "image_url", image_url: { url: "data:image/png;base64,MTIzNDU=" } }],
};
const NEEDS: Record<string, object> = {
  images: { messages: [picture] },
  tools: { messages: [hi], tools: TOOLS },
  "streamed tools": { messages: [hi], tools: TOOLS, stream: true },
  "json schema": {
    messages: [hi],
    response_format: { type: "json_schema", json_schema: { name: "city", schema: CITY } },
  },
};

describe.each(FAMILIES)("$model", ({ model, lacks }) => {
  test.each(Object.keys(NEEDS))("%s", async (need) => {
    const calls = need.includes("tools");
    ground.up.model(model, calls ? tools([tool("weather", { city: "Oslo" })]) : text("Hello."));
    const answer = await ground.post("openai", { model, ...NEEDS[need] });
    const said = await answer.text();
    // Who has no tools has none in streams.
    if (lacks.some((each) => need.endsWith(each))) {
      expect([answer.status, said]).toEqual([
        400,
        expect.stringContaining("capability_not_supported"),
      ]);
      expect(ground.up.calls.all).toEqual([]);
    } else {
      expect([answer.status, said]).toEqual([
        200,
        expect.stringContaining(calls ? "Oslo" : "Hello."),
      ]);
    }
  });

  test.each([false, true])(
    "text with system text and what it has no word for, streamed: %s",
    async (stream) => {
      ground.up.model(model, text("Hello there."));
      const messages = [{ role: "system", content: "Be brief." }, hi];
      const answer = await ground.post("openai", {
        model,
        messages,
        stream,
        reasoning_effort: "low",
      });
      expect([answer.status, await answer.text()]).toEqual([
        200,
        expect.stringContaining("there."),
      ]);
      const system = lacks.includes("system");
      const lost = (answer.headers.get("x-routero-degraded") ?? "").split(/, ?/);
      expect(lost.toSorted()).toEqual(["reasoning_effort", ...(system ? ["system"] : [])]);
      const { body } = ground.up.calls.of(model)[0]!;
      const user = [...(system ? [{ text: "Be brief." }] : []), { text: "hi" }];
      expect(body["messages"]).toEqual([{ role: "user", content: user }]);
      expect(body["system"]).toEqual(system ? undefined : [{ text: "Be brief." }]);
    },
  );
});

test.each([false, true])(
  "an imported model in OpenAI's form by invoke, streamed: %s",
  async (stream) => {
    ground.up.model(IMPORTED, tools([tool("weather", { city: "Oslo" })]));
    const answer = await ground.post("openai", {
      model: "imported",
      messages: [hi],
      tools: TOOLS,
      stream,
      ...(stream && { stream_options: { include_usage: true } }),
    });
    const said = await answer.text();
    expect([answer.status, said]).toEqual([200, expect.stringContaining("weather")]);
    expect(said).toMatch(/"prompt_tokens":[1-9]/);
    const [call] = ground.up.calls.of(IMPORTED);
    expect(call?.path).toBe(
      `/model/${encodeURIComponent(IMPORTED)}/invoke${stream ? "-with-response-stream" : ""}`,
    );
    expect(call?.body).not.toHaveProperty("model");
  },
);

test("a wrong secret key is noticed", async () => {
  const answer = await ground.post("openai", { model: "forged", messages: [hi] });
  expect([answer.status, await answer.text()]).toEqual([
    502,
    expect.stringContaining("upstream_auth"),
  ]);
});

test("what is known of a maker's model is its cloud's word, and Anthropic's own where it made it", () => {
  expect(modelFacts("bedrock", "us.amazon.nova-pro-v1:0").prices?.input).toBeGreaterThan(0);
  expect(modelFacts("bedrock", "anthropic.claude-opus-4-6-v1").capabilities.tools).toBe(true);
});
