import { describe, expect, test } from "vitest";
import type { DialectName, ProtocolName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { modelFacts } from "../../worker/providers/models.ts";
import { hi, target } from "./translate.ts";

/* What providers demand of a request beyond its form: met here, where callers of other dialects could not know of it. */

function sent(to: ProtocolName, body: JsonObject, by: DialectName = "openai-chat") {
  const chat = dialectOf(by).client.parseRequest({ model: "a", ...body }, { model: "a" });
  return protocolOf(to).provider.buildRequest(chat, target());
}

describe("results of parallel calls of one tool, the last one first", () => {
  const call = (id: string, city: string) => ({
    id,
    type: "function",
    function: { name: "weather", arguments: JSON.stringify({ city }) },
  });
  const messages = [
    hi,
    { role: "assistant", content: null, tool_calls: [call("a", "Paris"), call("b", "Rome")] },
    { role: "tool", tool_call_id: "b", content: "hot" },
    { role: "tool", tool_call_id: "a", content: "cold" },
    { role: "user", content: "so?" },
    { role: "assistant", content: null, tool_calls: [call("c", "Oslo"), call("d", "Bergen")] },
    { role: "tool", tool_call_id: "d", content: "wet" },
    { role: "tool", tool_call_id: "c", content: "dry" },
  ];

  test("are told in the order of their calls to who knows no ids", () => {
    const gemini = JSON.stringify(sent("gemini", { messages }).body);
    const results = [...gemini.matchAll(/"response":\{"output":"(\w+)"/g)].map(([, said]) => said);
    expect(results).toEqual(["cold", "hot", "dry", "wet"]);
    expect(sent("ollama", { messages }).body["messages"]).toMatchObject([
      hi,
      { tool_calls: [{}, {}] },
      { role: "tool", content: "cold" },
      { role: "tool", content: "hot" },
      { role: "user" },
      { tool_calls: [{}, {}] },
      { role: "tool", content: "dry" },
      { role: "tool", content: "wet" },
    ]);
  });

  test("stay as they are for who knows them", () => {
    expect(sent("cohere", { messages }).body["messages"]).toMatchObject([
      {},
      {},
      { tool_call_id: "b", content: "hot" },
      { tool_call_id: "a", content: "cold" },
      {},
      {},
      {},
      {},
    ]);
  });

  test("what tools showed stands behind all results", () => {
    const png = {
      type: "image",
      source: { type: "base64", media_type: "image/png", data: "QQ==" },
    };
    const use = (id: string) => ({ type: "tool_use", id, name: "look", input: {} });
    const result = (id: string) => ({ type: "tool_result", tool_use_id: id, content: [png] });
    const { body } = sent(
      "gemini",
      {
        max_tokens: 9,
        messages: [
          hi,
          { role: "assistant", content: [use("a"), use("b")] },
          { role: "user", content: [result("a"), result("b")] },
        ],
      },
      "anthropic",
    );
    const [, , turn] = body["contents"] as { parts: object[] }[];
    expect(turn!.parts.map((part) => Object.keys(part)[0])).toEqual([
      "functionResponse",
      "functionResponse",
      "inlineData",
      "inlineData",
    ]);
  });
});

describe("instructions", () => {
  test.each([
    ["anthropic", { messages: [{ role: "user", content: "Greet." }] }],
    ["gemini", { contents: [{ role: "user", parts: [{ text: "Greet." }] }] }],
    ["bedrock-converse", { messages: [{ role: "user", content: [{ text: "Greet." }] }] }],
  ] as const)("alone are what %s is asked, and that is said", (to, expected) => {
    const { body, degraded } = sent(to, { messages: [{ role: "system", content: "Greet." }] });
    expect(body).toMatchObject(expected);
    expect(JSON.stringify(body).match(/Greet/g)).toHaveLength(1);
    expect(degraded).toContain("system");
  });

  test.each(["anthropic", "gemini", "bedrock-converse"] as const)(
    "in the middle go to the head at %s, and that is said",
    (to) => {
      const late = { role: "developer", content: "Late." };
      const first = { role: "system", content: "First." };
      expect(sent(to, { messages: [first, hi, late, hi] }).degraded).toContain("system");
      expect(sent(to, { messages: [first, late, hi] }).degraded).not.toContain("system");
    },
  );
});

describe("Converse", () => {
  const CALLED = [
    hi,
    {
      role: "assistant",
      content: null,
      tool_calls: ["f", "g", "f"].map((name, n) => ({
        id: `c${n}`,
        type: "function",
        function: { name, arguments: "{}" },
      })),
    },
    ...[0, 1, 2].map((n) => ({ role: "tool", tool_call_id: `c${n}`, content: "r" })),
  ];

  test("gets the tools of a history that offers none any more", () => {
    const inputSchema = { json: { type: "object" } };
    const { body, degraded } = sent("bedrock-converse", { messages: CALLED });
    expect(body["toolConfig"]).toEqual({
      tools: ["f", "g"].map((name) => ({ toolSpec: { name, inputSchema } })),
    });
    expect(degraded).toEqual(["tools"]);
    expect(sent("bedrock-converse", { messages: [hi] }).body).not.toHaveProperty("toolConfig");
  });

  test("gets a turn of the user before a greeting of the model's", () => {
    const greeting = { role: "assistant", content: "How can I help?" };
    const { body, degraded } = sent("bedrock-converse", { messages: [greeting, hi] });
    const said = (role: string, text: string) => ({ role, content: [{ text }] });
    expect(body["messages"]).toEqual([
      said("user", "(empty)"),
      said("assistant", "How can I help?"),
      said("user", "hi"),
    ]);
    expect(degraded).toEqual(["messages"]);
  });

  test("gets no two documents of one name", () => {
    const file = (filename?: string) => ({
      type: "file",
      file: { file_data: "data:application/pdf;base64,QQ==", ...(filename && { filename }) },
    });
    const turn = (...content: JsonObject[]) => ({ role: "user", content });
    const { body } = sent("bedrock-converse", {
      messages: [turn(file(), file("Plan.pdf")), turn(file(), file("plan.docx"), file("x.pdf"))],
    });
    const names = [...JSON.stringify(body).matchAll(/"name":"([^"]+)"/g)].map(([, name]) => name);
    expect(names).toEqual(["document", "Plan", "document (2)", "plan (2)", "x"]);
  });

  test("tells cache writes by how long they live", () => {
    const { usage } = protocolOf("bedrock-converse").provider.parseResponse({
      output: { message: { content: [{ text: "x" }] } },
      stopReason: "end_turn",
      usage: {
        inputTokens: 1,
        outputTokens: 2,
        cacheWriteInputTokens: 30,
        cacheDetails: [
          { ttl: "1h", inputTokens: 20 },
          { ttl: "5m", inputTokens: 10 },
        ],
      },
    });
    expect(usage).toMatchObject({ input: 1, output: 2, cacheWrite: 10, cacheWriteLong: 20 });
  });
});

describe("files", () => {
  const asks = (file: JsonObject) => ({
    messages: [{ role: "user", content: [{ type: "file", file }] }],
  });
  const note = asks({ filename: "note.md", file_data: "data:text/markdown;base64,IyBIaQ==" });

  test.each([
    ["openai-chat", { messages: [{ role: "user", content: "# Hi" }] }],
    ["cohere", { messages: [{ role: "user", content: "# Hi" }] }],
    ["ollama", { messages: [{ role: "user", content: "# Hi" }] }],
    [
      "anthropic",
      {
        messages: [
          {
            content: [
              {
                type: "document",
                source: { type: "text", media_type: "text/plain", data: "# Hi" },
              },
            ],
          },
        ],
      },
    ],
    ["gemini", { contents: [{ parts: [{ inlineData: { mimeType: "text/markdown" } }] }] }],
    ["bedrock-converse", { messages: [{ content: [{ document: { format: "md" } }] }] }],
  ] as const)("of text are read by %s", (to, expected) => {
    expect(sent(to, note).body).toMatchObject(expected);
  });

  test("of data are plain text where each kind has a name", () => {
    const data = asks({ filename: "a.json", file_data: "data:application/json;base64,e30=" });
    expect(JSON.stringify(sent("bedrock-converse", data).body)).toContain('"format":"txt"');
  });

  test("that are bare bytes are what their name says", () => {
    const bare = asks({ filename: "a.CSV", file_data: "YSxi" });
    expect(JSON.stringify(sent("gemini", bare).body)).toContain('"text/csv"');
  });

  test("a misspelled JPEG is one", () => {
    const image = { type: "image_url", image_url: { url: "data:image/jpg;base64,QQ==" } };
    const { body } = sent("anthropic", { messages: [{ role: "user", content: [image] }] });
    expect(JSON.stringify(body)).toContain('"media_type":"image/jpeg"');
  });
});

test.each(["gemini", "cohere"] as const)("%s takes five stop sequences and no more", (to) => {
  const stops = (n: number) => ({ messages: [hi], stop: [...Array(n).keys()].map(String) });
  expect(JSON.stringify(sent(to, stops(5)).body)).toContain('["0","1","2","3","4"]');
  expect(() => sent(to, stops(6))).toThrow(/More than 5 stop sequences/);
});

test("a choice of tools goes nowhere without tools", () => {
  const config = { functionCallingConfig: { mode: "AUTO" } };
  const asked = { contents: [{ parts: [{ text: "hi" }] }], toolConfig: config };
  expect(sent("openai-chat", asked, "gemini").body).not.toHaveProperty("tool_choice");
});

test("DeepSeek and its like get back the reasoning that they miss behind calls, empty where there is none", () => {
  const call = { id: "a", type: "function", function: { name: "f", arguments: "{}" } };
  const chat = dialectOf("openai-chat").client.parseRequest({
    model: "a",
    messages: [hi, { role: "assistant", content: null, tool_calls: [call] }],
  });
  const { provider } = protocolOf("openai-chat");
  const said = (echoesReasoning: boolean) =>
    JSON.stringify(provider.buildRequest(chat, target({}, { echoesReasoning })).body);
  expect(said(true)).toContain('"reasoning_content":""');
  expect(said(false)).not.toContain("reasoning_content");
});

test("what asks for nothing but what is always done is not told as lost", () => {
  const asked = {
    messages: [hi],
    store: false,
    service_tier: "auto",
    modalities: ["text"],
    prediction: null,
  };
  for (const to of [
    "openai-responses",
    "gemini",
    "cohere",
    "ollama",
    "bedrock-converse",
  ] as const) {
    expect(sent(to, asked).degraded, to).toEqual([]);
  }
  expect(sent("gemini", { ...asked, store: true, service_tier: "flex" }).degraded).toEqual([
    "store",
    "service_tier",
  ]);
});

test("what OpenAI's reasoning models refuse is left out by name, from callers of other dialects too", () => {
  const asked = { max_tokens: 99, messages: [hi], temperature: 0.5, stop_sequences: ["x"] };
  const chat = dialectOf("anthropic").client.parseRequest({ model: "a", ...asked });
  const at = (model: string) => {
    const to = target(modelFacts("openai", model));
    return protocolOf("openai-chat").provider.buildRequest(chat, to);
  };
  for (const model of ["o3", "o4-mini", "gpt-5", "gpt-5-mini"]) {
    expect(at(model).body, model).toEqual({
      model: "target",
      messages: [hi],
      max_completion_tokens: 99,
    });
    expect(at(model).degraded, model).toEqual(["temperature", "stop"]);
  }
  for (const model of ["gpt-5.2", "gpt-5-chat-latest", "gpt-4o"]) {
    expect(at(model), model).toMatchObject({
      body: { temperature: 0.5, stop: ["x"] },
      degraded: [],
    });
  }
});
