import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  cutAfter,
  endsAfter,
  errorAfter,
  hangs,
  mix,
  text,
  type Behaviour,
} from "../support/upstream/index.ts";
import { bodyFor, startGround, type Ground } from "./support/ground.ts";
import { requestRow } from "./support/rows.ts";

/* What else binds a continuation, and the clients that are no chat clients. */

const FIRST = "dies-early";
const SECOND = "goes-on";
const WORDS = "One two,  three\n\nfour 大🙂 five and six.";
const RETRIED = { "x-litellm-num-retries": "3" };
/** A revocation ends a running stream within this. */
const PROMISE = 5_000;

/** The first and the second provider, as /model/new names them. */
const PROVIDERS = ["openai", "anthropic", "gemini", "responses"] as const;
type Provider = (typeof PROVIDERS)[number];

const OLD = "claude-3-5-haiku";
/** What a model is called, what its model_info says, and how it is told to go on. */
const TOLD: [string, object, "native" | "instruction"][] = [
  [OLD, {}, "native"],
  [OLD, { prefill: "none" }, "instruction"],
  [OLD, { supports_assistant_prefill: false }, "instruction"],
  ["claude-unheard-of", {}, "instruction"],
  ["claude-unheard-of", { prefill: "assistant" }, "native"],
];

let ground: Ground;
let organization_id: string;

beforeAll(async () => {
  ground = await startGround();
  organization_id = ground.gw.tenant.organizationId;
  for (const second of PROVIDERS) {
    for (const first of ["own", "openai"] as const) {
      for (const client of ["gemini", "responses"] as const) {
        const group = groupOf(client, first, second);
        await newModel(group, first === "own" ? client : "openai", FIRST, { order: 1 });
        await newModel(group, second, SECOND, { order: 2 });
      }
    }
  }
  for (const [n, [model, info]] of TOLD.entries()) {
    await newModel(`told-${n}`, "openai", FIRST, { order: 1 });
    await newModel(`told-${n}`, "anthropic", model, { order: 2 }, info);
  }
  await newModel("begins", "openai", FIRST);
  await newModel("falls-back", "openai", SECOND);
}, 120_000);
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const groupOf = (client: string, first: string, second: string) => `${client}-${first}-${second}`;

function newModel(name: string, provider: Provider, model: string, params = {}, info = {}) {
  const { url } = ground.up;
  const plain = provider === "anthropic" || provider === "gemini";
  return ground.gw.admin("POST", "/model/new", {
    model_name: name,
    organization_id,
    litellm_params: {
      model: `${provider === "responses" ? "openai" : provider}/${model}`,
      api_base: plain ? url : `${url}/v1`,
      api_key: "k",
      input_cost_per_token: 1e-6,
      output_cost_per_token: 1e-5,
      ...params,
    },
    model_info: { ...(provider === "responses" && { mode: "responses" }), ...info },
  });
}

const cut = (first: Behaviour, second: Behaviour = {}) => {
  ground.up.model(FIRST, mix(text(WORDS), first));
  ground.up.model(SECOND, mix(text(WORDS), { continuation: "exact" }, second));
};
const BREAKS = [cutAfter, endsAfter, errorAfter];

/** What a client heard of one message. */
interface Heard {
  text: string;
  ids: Set<string>;
  finishes: string[];
}

async function google(model: string): Promise<Heard> {
  const client = new GoogleGenAI({
    apiKey: ground.key,
    httpOptions: { baseUrl: ground.gw.url, headers: RETRIED },
  });
  const heard: Heard = { text: "", ids: new Set(), finishes: [] };
  const ask = { model, contents: "Say it in five words" };
  for await (const chunk of await client.models.generateContentStream(ask)) {
    heard.text += chunk.text ?? "";
    heard.ids.add(chunk.responseId ?? "");
    const finish = chunk.candidates?.[0]?.finishReason;
    if (finish) heard.finishes.push(finish);
  }
  return heard;
}

async function responses(model: string): Promise<Heard> {
  const stream = ground
    .openai({ defaultHeaders: RETRIED })
    .responses.stream({ model, input: "Say it in five words" });
  const heard: Heard = { text: "", ids: new Set(), finishes: [] };
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") heard.text += event.delta;
    if (event.type === "response.output_item.done") heard.ids.add(event.item.id ?? "");
    if (event.type === "response.completed") heard.finishes.push(event.response.status ?? "");
  }
  const whole = await stream.finalResponse();
  expect(whole.output_text).toBe(heard.text);
  return heard;
}

describe.each([
  ["gemini", google, "STOP"],
  ["responses", responses, "completed"],
] as const)("the official client of %s", (client, listen, finish) => {
  test.each(PROVIDERS.flatMap((second) => ["own", "openai"].map((first) => [first, second])))(
    "hears one whole message where %s dies and %s goes on",
    async (first = "", second = "") => {
      for (let content = 0; content <= 8; content += 2) {
        ground.up.reset();
        cut(BREAKS[content % BREAKS.length]!({ content }));
        const heard = await listen(groupOf(client, first, second));
        expect(heard.text, `after ${content}`).toBe(WORDS);
        expect(heard.ids.size).toBe(1);
        expect(heard.finishes).toEqual([finish]);
      }
    },
  );

  test("throws where nobody goes on", async () => {
    cut(cutAfter({ content: 3 }), { failure: { kind: "unavailable" } });
    const error = await listen(groupOf(client, "own", "openai")).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(client === "responses" ? OpenAI.OpenAIError : Error);
    if (client === "responses")
      expect((error as Error).message).toMatch(/broke off and is not whole/);
  });
});

async function stream(group: string, more: object = {}, key = ground.key) {
  const answer = await ground.post("openai", bodyFor("openai", { stream: true, ...more }, group), {
    headers: { ...RETRIED, authorization: `Bearer ${key}` },
  });
  return { callId: answer.headers.get("x-routero-call-id") ?? "", answer };
}

test("disable_fallbacks binds in the middle of a stream", async () => {
  const fallbacks = ["falls-back"];
  cut(cutAfter({ content: 3 }));
  const gone = await (await stream("begins", { fallbacks, num_retries: 0 })).answer.text();
  expect(gone).toMatch(/\[DONE\]\n\n$/);
  expect(ground.up.calls.of(SECOND)).toHaveLength(1);
  ground.up.calls.clear();
  const held = { fallbacks, num_retries: 0, disable_fallbacks: true };
  const told = await (await stream("begins", held)).answer.text();
  expect(told).toMatch(/broke off and is not whole/);
  expect(told).not.toMatch(/\[DONE\]|"finish_reason":"/);
  expect(ground.up.calls.of(SECOND)).toHaveLength(0);
});

test("a revocation in the middle of a continuation ends it within 5 s, and both attempts are charged", async () => {
  const { teamId } = ground.gw.tenant;
  const made = await ground.gw.admin<{ key: string }>("POST", "/key/generate", {
    organization_id,
    team_id: teamId,
  });
  cut(cutAfter({ content: 3 }), hangs({ content: 2 }));
  const { answer, callId } = await stream("gemini-openai-openai", {}, made.key);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("大")) said += (await reader.read()).value ?? "";
  await ground.gw.admin("POST", "/key/delete", { organization_id, keys: [made.key] });
  const revokedAt = performance.now();
  for (let next = await reader.read(); !next.done; next = await reader.read()) said += next.value;
  expect(performance.now() - revokedAt).toBeLessThan(PROMISE);
  expect(said).toMatch(/data: \{"error":.*"code":"invalid_api_key"/);
  expect(said).not.toMatch(/\[DONE\]|"finish_reason":"/);
  await ground.up.calls.of(SECOND)[0]?.aborted;
  const row = await requestRow(ground.gw, callId);
  expect(row).toMatchObject({ outcome: "failure", status: 401 });
  expect(row.attempts).toHaveLength(2);
  expect(row.attempts.every(({ cost }) => cost > 0)).toBe(true);
  expect(row.costNano).toBe(row.attempts[0]!.cost + row.attempts[1]!.cost);
});

test("model_info says whether a model goes on from the beginning of its answer, whatever is known of it", async () => {
  for (const [n, [model, info, form]] of TOLD.entries()) {
    ground.up.reset();
    ground.up.model(FIRST, mix(text(WORDS), cutAfter({ content: 3 })));
    ground.up.model(model, mix(text(WORDS), { continuation: "exact" }));
    expect(await (await stream(`told-${n}`)).answer.text()).toMatch(/\[DONE\]\n\n$/);
    const { messages } = ground.up.calls.of(model)[0]!.body as { messages: { role: string }[] };
    expect(messages.at(-1)?.role, `${model} ${JSON.stringify(info)}`).toBe(
      form === "native" ? "assistant" : "user",
    );
  }
});
