import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { text, thinking, type Behaviour } from "../support/upstream/index.ts";
import { startGround, type Ground } from "./support/ground.ts";

/* Signed state (PROTOCOLS 23): refused once, it is left out; encrypted, it goes back to the account that made it. */

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  const { gw, up } = ground;
  await gw.admin("POST", "/model/new", {
    model_name: "gemini-signed",
    organization_id: gw.tenant.organizationId,
    litellm_params: { model: "gemini/gemini-signs", api_base: up.url, api_key: "k" },
  });
  await gw.admin("POST", "/model/new", {
    model_name: "somewhere",
    organization_id: gw.tenant.organizationId,
    litellm_params: {
      model: "openai_compatible/somewhere",
      api_base: `${up.url}/v1`,
      api_key: "k",
    },
  });
  for (const [order, name] of ["first", "second"].entries()) {
    await gw.admin("POST", "/model/new", {
      model_name: "pair",
      organization_id: gw.tenant.organizationId,
      litellm_params: {
        model: `openai/pair-${name}`,
        api_base: `${up.url}/v1`,
        api_key: `key-of-${name}`,
        order: order + 1,
      },
      model_info: { mode: "responses" },
    });
  }
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const refusing = (message: string): Behaviour => ({ failure: { kind: "bad_request", message } });
const INVALID = "messages.1.content.0: Invalid `signature` in `thinking` block";

const ASK = { role: "user", content: "hi" };
const SIGNED = {
  model: "claude-test",
  max_tokens: 99,
  messages: [
    ASK,
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "of old", signature: "stale-signature" },
        { type: "text", text: "Once." },
      ],
    },
    ASK,
  ],
};

const sentTo = (model: string) =>
  ground.up.calls.of(model).map((call) => JSON.stringify(call.request.body));

describe.each([false, true])("streamed: %s", (stream) => {
  test("a signature that the provider does not take is left out, once, at the same deployment", async () => {
    ground.up.script("claude-test", [refusing(INVALID), text("Hello.")]);
    const answer = await ground.post("anthropic", { ...SIGNED, stream });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-routero-degraded")).toContain("thinking");
    expect(await answer.text()).toContain(stream ? "message_stop" : "Hello.");
    const [first, second, ...more] = sentTo("claude-test");
    expect(more).toEqual([]);
    expect(first).toContain("stale-signature");
    expect(second).not.toContain("stale-signature");
    expect(second).toContain("Once.");
  });

  test("a second refusal is the caller's, and so is one of something else", async () => {
    ground.up.script("claude-test", [refusing(INVALID), refusing(INVALID), text("Hello.")]);
    const twice = await ground.post("anthropic", { ...SIGNED, stream });
    expect([twice.status, sentTo("claude-test")]).toEqual([
      400,
      expect.objectContaining({ length: 2 }),
    ]);
    ground.up.reset();
    ground.up.script("claude-test", [
      refusing("max_tokens is not what it should be"),
      text("Hello."),
    ]);
    const other = await ground.post("anthropic", { ...SIGNED, stream });
    expect([other.status, sentTo("claude-test").length]).toEqual([400, 1]);
  });
});

test.each([
  ["a stale signature", { thoughtSignature: "c3RhbGU=" }, ["thought_signature"]],
  ["none", {}, []],
])(
  "a call of Google's with %s gets the value that asks not to look for one",
  async (_, signed, lost) => {
    const refusal = refusing("Function call is missing a thought_signature in functionCall parts.");
    ground.up.script("gemini-signs", [refusal, text("It rains.")]);
    const functionCall = { name: "weather", args: { city: "Oslo" } };
    const functionResponse = { name: "weather", response: { output: "rain" } };
    const body = {
      contents: [
        { role: "user", parts: [{ text: "hi" }] },
        { role: "model", parts: [{ functionCall, ...signed }] },
        { role: "user", parts: [{ functionResponse }] },
      ],
    };
    const path = "/v1beta/models/gemini-signed:generateContent";
    const answer = await ground.post("openai", body, { path });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("rains")]);
    const [first, second, ...more] = sentTo("gemini-signs");
    expect(more).toEqual([]);
    expect(JSON.parse(first!)).toEqual(body);
    expect(JSON.parse(second!)).toMatchObject({
      contents: [
        {},
        {
          parts: [{ functionCall, thoughtSignature: "skip_thought_signature_validator" }],
        },
        { parts: [{ functionResponse }] },
      ],
    });
    const degraded = (answer.headers.get("x-routero-degraded") ?? "").split(", ").filter(Boolean);
    expect(degraded).toEqual(lost);
  },
);

test("refused signatures, and ids of what is kept no more, take no deployment out of rotation", async () => {
  const { gw, up } = ground;
  await gw.configure(gw.tenant.organizationId, { disable_cooldowns: false });
  try {
    for (let n = 0; n < 6; n++) {
      up.script("claude-test", [refusing(INVALID), refusing(INVALID)]);
      const answer = await ground.post("anthropic", SIGNED);
      expect(answer.status).toBe(400);
      await answer.text();
      const message = "File not found: file_011";
      up.script("claude-test", [{ failure: { kind: "model_not_found", message } }]);
      const missing = await ground.post("anthropic", SIGNED);
      expect([missing.status, await missing.text()]).toEqual([
        404,
        expect.stringContaining(message),
      ]);
    }
    up.script("claude-test", [text("Hello.")]);
    const answer = await ground.post("anthropic", SIGNED);
    expect(answer.status).toBe(200);
  } finally {
    await gw.configure(gw.tenant.organizationId, { disable_cooldowns: true });
  }
});

describe("encrypted reasoning of Responses through its own client, in a group of two accounts", () => {
  interface Sent {
    input: { type?: string; encrypted_content?: string }[];
  }
  const PATH = { path: "/v1/responses", headers: { "x-litellm-num-retries": "1" } };
  const statesAt = (model: string) =>
    ground.up.calls
      .of(model)
      .map(({ request }) =>
        (request.body as Sent).input.flatMap((item) => item.encrypted_content ?? []),
      );
  const ask = (model: string, input: object[]) =>
    ground.post(
      "openai",
      { model, store: false, include: ["reasoning.encrypted_content"], input },
      PATH,
    );

  test("goes back to its maker and not to the other, whose answer names the loss", async () => {
    const answers = thinking("because", "It is so.");
    for (const model of ["pair-first", "pair-second"]) ground.up.model(model, answers);
    const first = await ask("pair", [ASK]);
    const { output } = (await first.json()) as { output: Sent["input"] };
    const [made] = output.flatMap((item) => item.encrypted_content ?? []);
    expect(made).toBeTypeOf("string");

    const again = await ask("pair", [ASK, ...output, ASK]);
    await again.text();
    expect(statesAt("pair-first")).toEqual([[], [made]]);
    expect(again.headers.get("x-routero-degraded") ?? "").toBe("");

    ground.up.script("pair-first", [{ failure: { kind: "unavailable" } }]);
    const moved = await ask("pair", [ASK, ...output, ASK]);
    expect(await moved.text()).toContain("It is so.");
    expect(statesAt("pair-second")).toEqual([[]]);
    expect(JSON.stringify(ground.up.calls.of("pair-second")[0]!.request.body)).toContain(
      "It is so.",
    );
    expect(moved.headers.get("x-routero-degraded")).toBe("thinking");
  });

  test("of a maker that nobody knows goes to neither; another family's to none", async () => {
    ground.up.model("pair-first", text("Hello."));
    for (const state of ["gAAAA-from-elsewhere", "anthropic:c2ln"]) {
      ground.up.calls.clear();
      const item = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: state };
      const answer = await ask("pair", [ASK, item, ASK]);
      expect(await answer.text()).toContain("Hello.");
      expect(statesAt("pair-first")).toEqual([[]]);
      expect(answer.headers.get("x-routero-degraded")).toBe("thinking");
    }
  });

  test("reasoning that nobody signed is no item that OpenAI could look for", async () => {
    ground.up.model("somewhere", thinking("because", "It is so."));
    ground.up.model("pair-first", text("Hello."));
    const first = await ask("somewhere", [ASK]);
    const { output } = (await first.json()) as { output: { type: string }[] };
    expect(output.map(({ type }) => type)).toEqual(["reasoning", "message"]);
    const answer = await ask("pair", [ASK, ...output, ASK]);
    expect(await answer.text()).toContain("Hello.");
    const [sent] = sentTo("pair-first");
    expect(sent).toContain("It is so.");
    expect(sent).not.toContain('"reasoning"');
    expect(answer.headers.get("x-routero-degraded")).toBe("thinking");
  });
});

describe("encrypted reasoning of Responses through a client of OpenAI's chat", () => {
  const add = async (group: string, key: string) => {
    const { gw, up } = ground;
    await gw.admin("POST", "/model/new", {
      model_name: group,
      organization_id: gw.tenant.organizationId,
      litellm_params: { model: `openai/${group}`, api_base: `${up.url}/v1`, api_key: key },
      model_info: { mode: "responses" },
    });
  };

  test("goes back to the account that made it, and to no other", async () => {
    await add("account-one", "key-of-one");
    await add("account-two", "key-of-two");
    const known = async () => (await ground.openai().models.list()).data.map(({ id }) => id);
    await expect.poll(known, { timeout: 5000 }).toContain("account-two");
    const answers = thinking("because", "It is so.");
    for (const model of ["account-one", "account-two"]) ground.up.model(model, answers);
    const first = await ground.post("openai", { model: "account-one", messages: [ASK] });
    const { choices } = (await first.json()) as { choices: { message: object }[] };
    const served = ground.up.calls.of("account-one")[0]!.sent.toString();
    const [, state] = /"encrypted_content": ?"([^"]+)"/.exec(served)!;
    const messages = [ASK, choices[0]!.message, ASK];

    const again = await ground.post("openai", { model: "account-one", messages });
    await again.text();
    expect(sentTo("account-one")[1]).toContain(state);
    expect(again.headers.get("x-routero-degraded") ?? "").not.toContain("thinking");
    const other = await ground.post("openai", { model: "account-two", messages });
    await other.text();
    expect(other.status).toBe(200);
    expect(sentTo("account-two")[0]).not.toContain(state);
    expect(sentTo("account-two")[0]).toContain("It is so.");
    expect(other.headers.get("x-routero-degraded")).toContain("thinking");
  });
});

describe("a conversation that another maker's model began", () => {
  // As an OpenAI client sends it back: Claude's thinking, Gemini's call, and marks for Anthropic's cache.
  const cache_control = { type: "ephemeral" };
  const call = { id: "call_1", type: "function", function: { name: "weather", arguments: "{}" } };
  const thought = { type: "thinking", thinking: "hm", signature: "of-claude" };
  const messages = [
    { role: "user", content: [{ type: "text", text: "hi", cache_control }] },
    { role: "assistant", content: "Once.", thinking_blocks: [thought], reasoning_content: "hm" },
    {
      role: "assistant",
      content: null,
      tool_calls: [{ ...call, extra_content: { google: { thought_signature: "of-gemini" } } }],
    },
    { role: "tool", tool_call_id: "call_1", content: "rain", cache_control },
  ];
  const foreign = /cache_control|thinking_blocks|reasoning_content|extra_content|of-/;
  const lost = "cache_control, thinking, thought_signature";

  test.each([false, true])(
    "goes on at OpenAI without what it refuses, streamed: %s",
    async (stream) => {
      ground.up.model("gpt-test", text("It rains."));
      const answer = await ground.post("openai", { model: "gpt-test", messages, stream });
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("rains")]);
      const [sent, ...more] = sentTo("gpt-test");
      expect([more, sent]).toEqual([[], expect.not.stringMatching(foreign)]);
      expect(JSON.parse(sent!)).toMatchObject({
        messages: [{}, { content: "Once." }, { tool_calls: [call] }, {}],
      });
      expect(answer.headers.get("x-routero-degraded")).toBe(lost);
    },
  );

  test.each([
    [400, "'messages.0' : property 'cache_control' is unsupported"],
    [422, "Extra inputs are not permitted: body.messages[1].reasoning_content"],
  ])("goes on where nobody knew that it is refused (%i %s)", async (status, message) => {
    ground.up.script("somewhere", [
      { failure: { kind: "bad_request", status, message } },
      text("It rains."),
    ]);
    const answer = await ground.post("openai", { model: "somewhere", messages });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("rains")]);
    const [first, second, ...more] = sentTo("somewhere");
    expect([more, first, second]).toEqual([
      [],
      expect.stringMatching(foreign),
      expect.not.stringMatching(foreign),
    ]);
    const told = new Set(answer.headers.get("x-routero-degraded")?.split(", "));
    expect(told).toEqual(new Set(lost.split(", ")));
  });

  test("goes on at Anthropic without state and thinking of others", async () => {
    ground.up.model("claude-test", text("It rains."));
    const mine = { type: "thinking", thinking: "hm", signature: "of-claude" };
    const said = { type: "text", text: "Once." };
    const others = [
      { type: "redacted_thinking", data: "google:of-gemini" },
      { type: "redacted_thinking", data: "openai:of-openai" },
      { type: "thinking", thinking: "of another", signature: "" },
    ];
    const turns = (content: object[]) => [ASK, { role: "assistant", content }, ASK];
    const answer = await ground.post("anthropic", {
      ...SIGNED,
      messages: turns([others[2]!, ...others, mine, said]),
    });
    expect(answer.status, await answer.text()).toBe(200);
    const [sent, ...more] = sentTo("claude-test");
    expect([more, JSON.parse(sent!)]).toMatchObject([[], { messages: turns([mine, said]) }]);
    expect(answer.headers.get("x-routero-degraded")).toBe("thinking");
  });
});
