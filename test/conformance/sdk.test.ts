import type OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  bodyFor,
  DIALECTS,
  MODEL,
  startGround,
  type Dialect,
  type Ground,
} from "../gateway/support/ground.ts";
import {
  describesImages,
  mix,
  text,
  thinking,
  tool,
  tools,
  type Behaviour,
} from "../support/upstream/index.ts";
import { ask, ROUTES } from "./ask.ts";
import type { Told } from "./told.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const USER = { role: "user", content: "Say it in five words" };
const FIVE = "one two three four five";
const PNG = Buffer.from("12345").toString("base64");
const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const CALL = { city: "Oslo" };

/** One thing that both clients can ask for in their own words, and what both kinds of provider must then be told. */
interface Case {
  request: Record<Dialect, object>;
  behaviour: Behaviour;
  reaches: Record<Dialect, object>;
  told: Partial<Told>;
}

const openaiTool = (name: string) => ({
  type: "function",
  function: { name, description: `${name} of a city`, parameters: SCHEMA },
});
const anthropicTool = (name: string) => ({
  name,
  description: `${name} of a city`,
  input_schema: SCHEMA,
});
const TOOLS = {
  openai: { tools: [openaiTool("weather"), openaiTool("clock")] },
  anthropic: { tools: [anthropicTool("weather"), anthropicTool("clock")] },
};

const CASES: Record<string, Case> = {
  "plain text": {
    request: { openai: {}, anthropic: {} },
    behaviour: text(FIVE),
    reaches: {
      openai: { messages: [USER] },
      anthropic: { messages: [USER], max_tokens: expect.any(Number) },
    },
    told: { text: FIVE, reasoning: "", calls: [], finish: "stop" },
  },
  "a system text": {
    request: {
      openai: { messages: [{ role: "system", content: "Be brief." }, USER] },
      anthropic: { system: "Be brief." },
    },
    behaviour: text(FIVE),
    reaches: {
      openai: { messages: [{ role: "system", content: "Be brief." }, USER] },
      anthropic: { system: "Be brief.", messages: [USER] },
    },
    told: { text: FIVE },
  },
  "sampling and a limit": {
    request: {
      openai: { temperature: 0.5, max_tokens: 2 },
      anthropic: { temperature: 0.5, max_tokens: 2 },
    },
    behaviour: text(FIVE),
    reaches: {
      openai: { temperature: 0.5, max_tokens: 2 },
      anthropic: { temperature: 0.5, max_tokens: 2 },
    },
    told: { text: "one two", finish: "length" },
  },
  "an image": {
    request: {
      openai: {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "What is it?" },
              { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
            ],
          },
        ],
      },
      anthropic: {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "What is it?" },
              { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
            ],
          },
        ],
      },
    },
    behaviour: describesImages(),
    reaches: { openai: {}, anthropic: {} },
    told: { text: "I see 1 images: image/png of 5 bytes." },
  },
  "a tool call": {
    request: TOOLS,
    behaviour: tools([tool("weather", CALL)]),
    reaches: TOOLS,
    told: { text: "", calls: [{ name: "weather", input: CALL }], finish: "tool_calls" },
  },
  "parallel tool calls after a text": {
    request: TOOLS,
    behaviour: tools([tool("weather", CALL), tool("clock", { city: "Bergen" })], "Let me see."),
    reaches: TOOLS,
    told: {
      text: "Let me see.",
      calls: [
        { name: "weather", input: CALL },
        { name: "clock", input: { city: "Bergen" } },
      ],
      finish: "tool_calls",
    },
  },
  "a tool that must be called": {
    request: {
      openai: { ...TOOLS.openai, tool_choice: { type: "function", function: { name: "clock" } } },
      anthropic: { ...TOOLS.anthropic, tool_choice: { type: "tool", name: "clock" } },
    },
    behaviour: tools([tool("clock", CALL)]),
    reaches: {
      openai: { tool_choice: { type: "function", function: { name: "clock" } } },
      anthropic: { tool_choice: { type: "tool", name: "clock" } },
    },
    told: { calls: [{ name: "clock", input: CALL }] },
  },
  "an answer by a schema": {
    request: {
      openai: {
        response_format: { type: "json_schema", json_schema: { name: "place", schema: SCHEMA } },
      },
      anthropic: { output_config: { format: { type: "json_schema", schema: SCHEMA } } },
    },
    behaviour: text('{"city":"Oslo"}'),
    reaches: {
      openai: { response_format: { type: "json_schema", json_schema: { schema: SCHEMA } } },
      anthropic: { output_config: { format: { type: "json_schema", schema: SCHEMA } } },
    },
    told: { text: '{"city":"Oslo"}', finish: "stop" },
  },
  "a stop sequence": {
    request: { openai: { stop: ["four"] }, anthropic: { stop_sequences: ["four"] } },
    behaviour: text(FIVE),
    reaches: { openai: { stop: ["four"] }, anthropic: { stop_sequences: ["four"] } },
    told: { text: "one two three ", finish: "stop" },
  },
};

const ANTHROPIC_TURNS = [
  USER,
  {
    role: "assistant",
    content: [{ type: "tool_use", id: "call_1", name: "weather", input: CALL }],
  },
  { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1", content: "rain" }] },
];
const OPENAI_TURNS = [
  USER,
  {
    role: "assistant",
    content: null,
    tool_calls: [
      {
        id: "call_1",
        type: "function",
        function: { name: "weather", arguments: '{"city":"Oslo"}' },
      },
    ],
  },
  { role: "tool", tool_call_id: "call_1", content: "rain" },
];
CASES["a tool's result"] = {
  request: {
    openai: { ...TOOLS.openai, messages: OPENAI_TURNS },
    anthropic: { ...TOOLS.anthropic, messages: ANTHROPIC_TURNS },
  },
  behaviour: text("It rains in Oslo."),
  reaches: { openai: { messages: OPENAI_TURNS }, anthropic: { messages: ANTHROPIC_TURNS } },
  told: { text: "It rains in Oslo.", finish: "stop" },
};

for (const [name, { request, behaviour, reaches, told }] of Object.entries(CASES)) {
  test.each(ROUTES)(
    `${name}: $client client, $provider provider, stream $stream`,
    async (route) => {
      ground.up.model(MODEL[route.provider], behaviour);
      const asked = await ask(ground, route, request[route.client]);
      expect(asked.told).toMatchObject(told);
      expect(ground.up.calls.all).toHaveLength(1);
      const [call] = ground.up.calls.all;
      expect(call?.body).toMatchObject(reaches[route.provider]);
      expect(call?.body["model"]).toBe(MODEL[route.provider]);
      expect(call?.body["stream"] ?? false).toBe(route.stream);
    },
  );
}

describe("only one dialect's own words", () => {
  test.each([false, true])("two choices for an OpenAI client, stream %s", async (stream) => {
    ground.up.model(MODEL.openai, text(FIVE));
    const { answer, parts } = await ask(
      ground,
      { client: "openai", provider: "openai", stream },
      { n: 2 },
    );
    const said = ["", ""];
    if (stream) {
      for (const { choices } of parts as OpenAI.ChatCompletionChunk[]) {
        for (const choice of choices) said[choice.index] += choice.delta.content ?? "";
      }
    } else {
      const { choices } = answer as OpenAI.ChatCompletion;
      for (const choice of choices) said[choice.index] = choice.message.content ?? "";
    }
    expect(said).toEqual([FIVE, `${FIVE} (2)`]);
  });

  test("two choices can't be had of an Anthropic provider, and it is not asked", async () => {
    const asked = ask(ground, { client: "openai", provider: "anthropic", stream: false }, { n: 2 });
    await expect(asked).rejects.toMatchObject({
      status: 400,
      code: "capability_not_supported",
      param: "n",
    });
    expect(ground.up.calls.all).toEqual([]);
  });

  test.each(DIALECTS)("usage in a stream only if asked for, %s provider", async (provider) => {
    const route = { client: "openai", provider, stream: true } as const;
    const without = await ask(ground, route);
    expect(JSON.stringify(without.parts)).not.toMatch(/"usage":\{|routero/);
    const asked = await ask(ground, route, { stream_options: { include_usage: true } });
    const last = asked.parts.at(-1);
    expect(last).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 },
      routero: { provider, model: MODEL[provider], fallbacks: 0, cost: "0.000046" },
    });
    expect(asked.parts.slice(0, -1).filter((chunk) => chunk["usage"])).toEqual([]);
  });

  test.each(DIALECTS)("usage always for an Anthropic client, %s provider", async (provider) => {
    for (const stream of [false, true]) {
      const { told } = await ask(ground, { client: "anthropic", provider, stream });
      expect(told.usage).toEqual({ prompt: 6, completion: 4, cached: 0 });
    }
  });

  test("the sequence that stopped the answer is named to an Anthropic client", async () => {
    ground.up.model(MODEL.anthropic, text(FIVE));
    for (const stream of [false, true]) {
      const { answer } = await ask(
        ground,
        { client: "anthropic", provider: "anthropic", stream },
        { stop_sequences: ["four"] },
      );
      expect(answer).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: "four" });
    }
  });
});

describe("thinking goes round", () => {
  const signed = { type: "thinking", thinking: "hm, well", signature: "c2lnbmF0dXJl" };

  test.each([false, true])("at an Anthropic client, stream %s", async (stream) => {
    ground.up.model(MODEL.anthropic, thinking("hm, well", "so it is"));
    const route = { client: "anthropic", provider: "anthropic", stream } as const;
    const { answer } = await ask(ground, route);
    expect(answer["content"]).toMatchObject([signed, { type: "text", text: "so it is" }]);
    const turns = [USER, { role: "assistant", content: answer["content"] as unknown }, USER];
    await ask(ground, route, { messages: turns });
    expect(ground.up.calls.all.at(-1)?.body["messages"]).toEqual(
      JSON.parse(JSON.stringify(turns)) as unknown,
    );
  });

  test.each([false, true])("at an OpenAI client, with its proof, stream %s", async (stream) => {
    ground.up.model(MODEL.anthropic, thinking("hm, well", "so it is"));
    const route = { client: "openai", provider: "anthropic", stream } as const;
    const { answer, parts, told } = await ask(ground, route);
    expect(told).toMatchObject({ reasoning: "hm, well", text: "so it is" });
    const blocks = stream
      ? (parts.flatMap((chunk) => chunk["choices"][0]?.delta.thinking_blocks ?? []) as unknown[])
      : (answer["choices"][0].message.thinking_blocks as unknown[]);
    expect(JSON.stringify(blocks)).toContain(signed.signature);
    const turn = { role: "assistant", content: "so it is", thinking_blocks: [signed] };
    await ask(ground, route, { messages: [USER, turn, USER] });
    expect(ground.up.calls.all.at(-1)?.body["messages"]).toEqual([
      USER,
      { role: "assistant", content: [signed, { type: "text", text: "so it is" }] },
      USER,
    ]);
  });

  test("another family's thinking does not reach an OpenAI provider, and that is said", async () => {
    const turns = [
      USER,
      { role: "assistant", content: [signed, { type: "text", text: "so" }] },
      USER,
    ];
    const route = { client: "anthropic", provider: "openai", stream: false } as const;
    const { headers } = await ask(ground, route, { messages: turns });
    expect(ground.up.calls.all[0]?.body["messages"]).toEqual([
      USER,
      { role: "assistant", content: "so" },
      USER,
    ]);
    expect(headers.get("x-routero-degraded")).toContain("thinking");
  });
});

describe("streams split anywhere", () => {
  const said = "größer 🙂 — 日本";
  const behaviour = mix(thinking("hm, — well", said), { finish: "tools" });
  behaviour.parts?.push(tool("weather", { city: "Tromsø" }));

  test.each(ROUTES.filter((route) => route.stream))(
    "give the same chunks: $client client, $provider provider",
    async ({ client, provider }) => {
      const ways: Behaviour[] = [
        {},
        { split: "bytes" },
        { split: [1, 7, 300, 301] },
        { lineEnd: "\r\n" },
        { before: ": keepalive\n\n" },
        { gzip: true },
      ];
      const received: string[] = [];
      for (const way of ways) {
        ground.up.model(MODEL[provider], mix(behaviour, way));
        const answer = await ground.post(
          client,
          bodyFor(client, { stream: true }, MODEL[provider]),
        );
        const body = await answer.text();
        received.push(
          body
            .replaceAll("\r\n", "\n")
            .replaceAll(": keepalive\n\n", "")
            .replaceAll(/up\d+|"created":\d+|(call|toolu)_\d+/g, "·"),
        );
      }
      expect(received[0]).toContain("Tromsø".slice(0, 4));
      expect(received).toEqual(ways.map(() => received[0]));
    },
  );
});

test("the official clients list what the key may call", async () => {
  for (const client of [ground.openai(), ground.anthropic()]) {
    const ids = (await client.models.list()).data.map((model) => model.id);
    expect(ids).toEqual(expect.arrayContaining(Object.values(MODEL)));
  }
  expect(await ground.openai().models.retrieve(MODEL.openai)).toMatchObject({
    id: MODEL.openai,
    object: "model",
  });
  await expect(ground.openai().models.retrieve("nobody/none")).rejects.toMatchObject({
    status: 404,
    code: "model_not_found",
  });
});
