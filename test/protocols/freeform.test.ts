import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChatEvent, ChatRequest, Part } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { freeformArguments, freeformInput } from "../../worker/protocols/freeform.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { narrowed } from "../../worker/protocols/allowed.ts";
import type { Loose } from "../support/loose.ts";
import { assemble, CONTEXT, encoded, readEvents, sseEvents } from "./answers.ts";
import { text } from "./arbitraries.ts";
import { target } from "./translate.ts";

/* Tools that take a text instead of JSON, as coding agents use them for patches. */

const responses = dialectOf("openai-responses");
const openai = dialectOf("openai-chat");
const PATCH = '*** Begin Patch\n-"old" \\ é\n+new';
const GRAMMAR = { syntax: "lark", definition: 'start: "x"' };

const BY_RESPONSES = {
  model: "m",
  input: [
    { type: "message", role: "user", content: "patch it" },
    { type: "custom_tool_call", call_id: "c1", name: "patch", input: PATCH },
    { type: "custom_tool_call_output", call_id: "c1", output: "done" },
  ],
  tools: [
    {
      type: "custom",
      name: "patch",
      description: "Patch.",
      format: { type: "grammar", ...GRAMMAR },
    },
  ],
  tool_choice: { type: "custom", name: "patch" },
};
const BY_CHAT = {
  model: "m",
  messages: [
    { role: "user", content: "patch it" },
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "c1", type: "custom", custom: { name: "patch", input: PATCH } }],
    },
    { role: "tool", tool_call_id: "c1", content: "done" },
  ],
  tools: [
    {
      type: "custom",
      custom: {
        name: "patch",
        description: "Patch.",
        format: { type: "grammar", grammar: GRAMMAR },
      },
    },
  ],
  tool_choice: { type: "custom", custom: { name: "patch" } },
};
const ASKED: [string, ChatRequest][] = [
  ["Responses", responses.client.parseRequest(BY_RESPONSES)],
  ["chat completions", openai.client.parseRequest(BY_CHAT)],
];

describe.each(ASKED)("asked by %s", (_, request) => {
  test("they are functions of one text where there are none, and their grammar is told", () => {
    const { body, degraded } = dialectOf("anthropic").provider.buildRequest(request, target());
    const [tool] = body["tools"] as Loose[];
    expect(tool).toMatchObject({
      name: "patch",
      input_schema: { properties: { input: { type: "string" } }, required: ["input"] },
    });
    expect(tool!["description"]).toMatch(/^Patch\.\n\n.*lark.*\nstart: "x"$/s);
    expect(body["tool_choice"]).toEqual({ type: "tool", name: "patch" });
    expect(degraded).toContain("grammar");
    expect(body["messages"]).toEqual([
      { role: "user", content: "patch it" },
      {
        role: "assistant",
        content: [{ type: "tool_use", id: "c1", name: "patch", input: { input: PATCH } }],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "done" }] },
    ]);
    for (const name of ["gemini", "bedrock-converse", "cohere", "ollama"] as const) {
      const built = protocolOf(name).provider.buildRequest(request, target());
      expect(built.degraded).toContain("grammar");
      expect(JSON.stringify(built.body)).toContain("Begin Patch");
    }
  });

  test("Responses has them, whoever asks", () => {
    const { body, degraded } = responses.provider.buildRequest(request, target());
    expect(body).toMatchObject({ ...BY_RESPONSES, model: "target" });
    expect(degraded).not.toContain("grammar");
  });
});

test("at chat completions they stay what they are for its own callers alone", () => {
  const [[, other], [, own]] = ASKED as [(typeof ASKED)[0], (typeof ASKED)[0]];
  expect(openai.provider.buildRequest(own, target())).toEqual({
    body: { ...BY_CHAT, model: "target" },
    degraded: [],
  });
  const { body } = openai.provider.buildRequest(other, target());
  expect(body["tools"]).toMatchObject([{ type: "function", function: { name: "patch" } }]);
  expect(body["tool_choice"]).toEqual({ type: "function", function: { name: "patch" } });
  expect((body["messages"] as Loose[])[1]!["tool_calls"]).toMatchObject([
    { type: "function", function: { arguments: JSON.stringify({ input: PATCH }) } },
  ]);
});

const CALL: Part = {
  type: "toolCall",
  id: "c1",
  name: "patch",
  arguments: freeformArguments(PATCH),
  freeform: true,
};

/** The call as it is streamed by a maker that knows only functions, in pieces that break anywhere. */
const EVENTS: ChatEvent[] = [
  { type: "start", id: "1", model: "m", created: 1 },
  { type: "open", choice: 0, part: 0, value: { ...CALL, arguments: "" } },
  ...CALL.arguments.match(/.{1,3}/gs)!.map((piece): ChatEvent => {
    return { type: "delta", choice: 0, part: 0, delta: { type: "arguments", text: piece } };
  }),
  { type: "close", choice: 0, part: 0 },
  { type: "finish", choice: 0, reason: "tool_calls" },
  { type: "done" },
];
const ANSWER = {
  id: "1",
  created: 1,
  model: "m",
  choices: [{ index: 0, parts: [CALL], finish: "tool_calls" as const }],
  extra: {},
  dialect: "anthropic" as const,
};
const OPTIONS = { ...CONTEXT, includeUsage: true };

test("Responses' callers see their own form again, whole and streamed", () => {
  const whole = responses.client.encodeResponse(ANSWER, CONTEXT) as Loose;
  const item = { type: "custom_tool_call", call_id: "c1", name: "patch", input: PATCH };
  expect(whole["output"]).toMatchObject([item]);
  expect(responses.provider.parseResponse(whole as JsonObject).choices[0]).toMatchObject({
    parts: [CALL],
    finish: "tool_calls",
  });
  const wire = encoded(responses.client.encodeStream(OPTIONS), EVENTS);
  const said = sseEvents(wire).map(({ data }) => JSON.parse(data) as Loose);
  const typed = (type: string) => said.filter((event) => event["type"] === `response.${type}`);
  expect(typed("output_item.added")).toMatchObject([{ item: { ...item, input: "" } }]);
  expect(typed("custom_tool_call_input.delta")).toMatchObject([{ delta: PATCH }]);
  expect(typed("custom_tool_call_input.done")).toMatchObject([{ input: PATCH }]);
  expect(typed("output_item.done")).toMatchObject([{ item }]);
  expect(typed("function_call_arguments.delta")).toEqual([]);
  const read = assemble(readEvents(responses.provider.parseStream(), sseEvents(wire)));
  expect(read.choices.get(0)).toMatchObject({ parts: [CALL], finish: "tool_calls" });
});

test("and so do those of chat completions", () => {
  const whole = openai.client.encodeResponse(ANSWER, CONTEXT) as Loose;
  const call = { id: "c1", type: "custom", custom: { name: "patch", input: PATCH } };
  expect(whole["choices"][0]["message"]["tool_calls"]).toEqual([call]);
  const wire = encoded(openai.client.encodeStream(OPTIONS), EVENTS);
  const pieces = sseEvents(wire)
    .filter(({ data }) => data !== "[DONE]")
    .flatMap(({ data }) => {
      const { choices } = JSON.parse(data) as Loose;
      return ((choices as Loose[])[0]?.["delta"]["tool_calls"] ?? []) as Loose[];
    });
  expect(pieces).toEqual([
    { ...call, index: 0, custom: { name: "patch", input: "" } },
    { index: 0, custom: { input: PATCH } },
  ]);
});

test("every text survives as arguments, and what is none stays as it was written", () => {
  fc.assert(
    fc.property(text, (input) => {
      expect(freeformInput(freeformArguments(input))).toBe(input);
    }),
  );
  for (const written of ["", "*** Begin", '{"patch":"x"}', "[1]", '{"input":1}']) {
    expect(freeformInput(written)).toBe(written);
  }
});

describe("a choice among some of the tools", () => {
  const named = (name: string) => ({ type: "function", name, parameters: { type: "object" } });
  const tools = ["a", "b", "c"].map(named);
  const some = [
    { type: "function", name: "a" },
    { type: "function", name: "b" },
  ];
  const functions = some.map(({ name }) => ({ type: "function", function: { name } }));
  test.each([
    [
      "Responses",
      responses.client.parseRequest({
        model: "m",
        input: "x",
        tools,
        tool_choice: { type: "allowed_tools", mode: "required", tools: some },
      }),
    ],
    [
      "chat completions",
      openai.client.parseRequest({
        model: "m",
        messages: [{ role: "user", content: "x" }],
        tools: tools.map(({ name }) => ({ type: "function", function: { name } })),
        tool_choice: {
          type: "allowed_tools",
          allowed_tools: { mode: "required", tools: functions },
        },
      }),
    ],
    [
      "Google",
      dialectOf("gemini").client.parseRequest(
        {
          contents: [{ role: "user", parts: [{ text: "x" }] }],
          tools: [{ functionDeclarations: tools.map(({ name }) => ({ name })) }],
          toolConfig: {
            functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["a", "b"] },
          },
        },
        { model: "m" },
      ),
    ],
  ])("by %s leaves the others out where it can't be said", (_, asked) => {
    const { body } = dialectOf("anthropic").provider.buildRequest(narrowed(asked), target());
    expect((body["tools"] as Loose[]).map(({ name }) => name as string)).toEqual(["a", "b"]);
    expect(body["tool_choice"]).toEqual({ type: "any" });
  });
});

test("reasoning that OpenAI keeps is left out elsewhere, and its reference goes home", () => {
  const asked = responses.client.parseRequest({
    model: "m",
    input: [
      { role: "user", content: "x" },
      { type: "item_reference", id: "rs_1" },
      { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "c1", output: "y" },
    ],
    tools: [{ type: "function", name: "f", parameters: {} }],
  });
  expect(asked.bound).toBeUndefined();
  for (const name of ["anthropic", "gemini", "bedrock-converse", "cohere", "ollama"] as const) {
    const { body, degraded } = protocolOf(name).provider.buildRequest(asked, target());
    expect(degraded).toContain("thinking");
    expect(JSON.stringify(body)).not.toMatch(/rs_1|redacted/);
  }
  const { body } = responses.provider.buildRequest(asked, target());
  expect((body["input"] as Loose[])[1]).toEqual({ type: "item_reference", id: "rs_1" });
});
