import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startGround, type Ground } from "../gateway/support/ground.ts";
import {
  errorAfter,
  filtered,
  mix,
  slow,
  text,
  type Behaviour,
} from "../support/upstream/index.ts";
import { PROVIDERS } from "./matrix/providers.ts";
import { BECOMES, LEAKED, REFUSALS, type Refusal } from "./refusals.ts";

/* What providers refuse in their own words reaches callers in the closed table's. */

const TESTED = PROVIDERS.filter(({ name }) => Object.hasOwn(REFUSALS, name));

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  const { gw, up } = ground;
  for (const { name, params, info } of TESTED) {
    await gw.admin("POST", "/model/new", {
      model_name: name,
      organization_id: gw.tenant.organizationId,
      litellm_params: params(up),
      ...(info && { model_info: info }),
    });
  }
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const saying = ({ status, headers, body }: Refusal): Behaviour => ({
  body: { text: JSON.stringify(body), status, type: "application/json" },
  ...(headers && { headers }),
});

const ask = (model: string, stream: boolean, headers: Record<string, string> = {}) =>
  ground.post(
    "openai",
    { model, stream, messages: [{ role: "user", content: "hi" }] },
    { headers },
  );

interface Said {
  error: {
    message: string;
    type: string;
    code: string;
    upstream: { status: number; attempts: { status: number; error: string }[] };
  };
}

const CASES = TESTED.flatMap((provider) =>
  (Object.keys(BECOMES) as (keyof typeof BECOMES)[]).flatMap((kind) => {
    const refusal = REFUSALS[provider.name]?.[kind];
    return refusal === undefined ? [] : [{ provider, kind, name: provider.name, refusal }];
  }),
);

describe.each([false, true])("streamed: %s", (stream) => {
  test.each(CASES)("$name, $kind", async ({ provider, kind, name, refusal }) => {
    ground.up.script(provider.model, [saying(refusal)]);
    const answer = await ask(name, stream);
    const { class: fault, status, type, code } = BECOMES[kind];
    const said = await answer.text();
    expect(said).not.toContain(LEAKED);
    const { error } = JSON.parse(said) as Said;
    expect(error).toMatchObject({ type, code });
    expect(answer.status).toBe(status);
    expect(error.upstream.attempts).toMatchObject([{ error: fault }]);
    // A wrong key of Google's is a 400 that means 401.
    const means = refusal.status === 400 && kind === "credential" ? 401 : refusal.status;
    expect(error.upstream.status).toBe(means);
    const wait = kind === "limit" ? REFUSALS[name]?.wait : undefined;
    const told = answer.headers.get("retry-after-ms");
    if (wait !== undefined) {
      expect(told).toBe(String(wait));
      expect(answer.headers.get("retry-after")).toBe(String(Math.ceil(wait / 1000)));
    } else if (fault === "deployment" || status === 400) expect(told).toBeNull();
    expect(ground.up.calls.of(provider.model)).toHaveLength(1);
  });
});

describe("after content", () => {
  test.each(TESTED)("$name's error event ends the stream as one", async ({ name, model }) => {
    const breaks = errorAfter({ content: 2 }, "unavailable", `Out of breath, sk-${LEAKED}.`);
    ground.up.model(model, mix(text("one two three four five"), slow(25), breaks));
    const answer = await ask(name, true);
    expect(answer.status).toBe(200);
    const events = (await answer.text()).trim().split("\n\n");
    expect(events.join("")).not.toContain(LEAKED);
    expect(events.join("")).not.toContain('finish_reason":"');
    const last = JSON.parse(events.at(-1)!.replace(/^data: /, "")) as Said;
    expect(last.error).toMatchObject({
      type: "upstream_error",
      code: "no_healthy_deployment",
      upstream: { attempts: [{ error: "transient" }] },
    });
    expect(last.error.message).toContain("Out of breath");
  });
});

/** Providers whose filters speak by how an answer ends. */
const FILTERS = ["azure", "gemini", "vertex_ai", "bedrock"];

describe.each([false, true])("a filter that ends the answer, streamed: %s", (stream) => {
  test.each(TESTED.filter(({ name }) => FILTERS.includes(name)))("$name", async (provider) => {
    ground.up.model(provider.model, filtered("So far"));
    const answer = await ask(provider.name, stream);
    expect(answer.status).toBe(200);
    const said = await answer.text();
    expect(said).toContain("So");
    expect(said).toContain('"finish_reason":"content_filter"');
  });
});

/** Reasons to end that say that the answer is of no use. */
const FAULTY = [
  ["gemini", "MALFORMED_FUNCTION_CALL"],
  ["bedrock", "malformed_tool_use"],
  ["cohere", "ERROR"],
] as const;

describe.each(FAULTY)("%s that ends with %s", (name, finish) => {
  const { model } = PROVIDERS.find((each) => each.name === name)!;

  test.each([false, true])("is asked again, streamed: %s", async (stream) => {
    ground.up.script(model, [{ parts: [], finish }, text("It rains.")]);
    const answer = await ask(name, stream, { "x-litellm-num-retries": "1" });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("rains")]);
    expect(ground.up.calls.of(model)).toHaveLength(2);
  });

  test("has failed where nobody else answers, to every client", async () => {
    ground.up.model(model, text("So far", { finish }));
    const whole = await ask(name, false);
    expect(whole.status).toBe(502);
    expect(((await whole.json()) as Said).error).toMatchObject({
      code: "upstream_bad_response",
      upstream: { attempts: [{ error: "transient" }] },
    });
    const said = await (await ask(name, true)).text();
    expect(said).toContain('"error":{');
    expect(said).not.toContain('"finish_reason":"');
    const message = { model: name, max_tokens: 9, messages: [{ role: "user", content: "hi" }] };
    const told = await (await ground.post("anthropic", { ...message, stream: true })).text();
    expect(told).toContain('"type":"error"');
    expect(told).not.toContain('"stop_reason":"');
  });
});

test.each(["gemini", "vertex_ai"])(
  "%s that blocks the prompt says so as a finish",
  async (name) => {
    const { model } = TESTED.find((each) => each.name === name)!;
    const body = { promptFeedback: { blockReason: "SAFETY" }, modelVersion: model };
    ground.up.model(model, saying({ status: 200, body }));
    const answer = await ask(name, false);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      choices: [{ message: { role: "assistant" }, finish_reason: "content_filter" }],
    });
  },
);

/** What AWS says with a status that says something else. */
const NAMED = [
  ["ModelNotReadyException", 429, "transient", 503],
  ["ModelErrorException", 424, "transient", 503],
  ["ServiceQuotaExceededException", 400, "deployment", 502],
] as const;

describe.each(["bedrock", "bedrock_anthropic"])("%s", (name) => {
  test.each(NAMED)("%s (%i) is %s", async (kind, status, fault, told) => {
    const headers = { "x-amzn-errortype": `${kind}:http://x/` };
    const body = { message: "Not now." };
    const { model } = TESTED.find((each) => each.name === name)!;
    ground.up.script(model, [saying({ status, headers, body })]);
    const answer = await ask(name, false);
    expect(answer.status).toBe(told);
    const { error } = (await answer.json()) as Said;
    expect(error.upstream.attempts).toMatchObject([{ error: fault }]);
  });
});
