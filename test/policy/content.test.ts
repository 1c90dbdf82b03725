import { describe, expect, test } from "vitest";
import type { ChatRequest, Part, ProtocolName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { hasCode, languageOf, modalitiesOf, toolNames } from "../../worker/policy/content.ts";
import { decided } from "./documents.ts";

const chat = (...parts: (string | Part)[]): Pick<ChatRequest, "messages"> => ({
  messages: [
    { role: "system", parts: [{ type: "text", text: "You are helpful." }] },
    {
      role: "user",
      parts: parts.map((each) => (typeof each === "string" ? { type: "text", text: each } : each)),
    },
  ],
});

describe("the language of the last user message", () => {
  test.each([
    ["What is the capital of France, and how do I get there?", "en"],
    ["Wie lautet die Hauptstadt von Frankreich und wie komme ich dorthin?", "de"],
    ["Quelle est la capitale de la France et comment y aller avec les enfants ?", "fr"],
    ["¿Cuál es la capital de Francia y cómo llego con los niños?", "es"],
    ["Qual è la capitale della Francia e come ci arrivo con il treno?", "it"],
    ["Qual é a capital da França e como eu chego lá com uma criança?", "pt"],
    ["Wat is de hoofdstad van Frankrijk en hoe kom ik er met het kind?", "nl"],
    ["Jaka jest stolica Francji i jak się tam dostać z dzieckiem?", "pl"],
    ["Какая столица Франции и как туда доехать?", "ru"],
    ["法国的首都是哪里？我该怎么去？", "zh"],
    ["フランスの首都はどこですか。", "ja"],
    ["프랑스의 수도는 어디입니까?", "ko"],
    ["ما هي عاصمة فرنسا؟", "ar"],
    ["Translate to German: 東京はどこですか。日本語の文章です。", "ja"],
    ["12345 ???", null],
    ["", null],
  ])("%s", (text, language) => {
    expect(languageOf(chat(text))).toBe(language);
  });
});

describe("source code", () => {
  test.each([
    ["```\nls\n```", true],
    ["def add(a, b):\n    return a + b\n\nimport os  # ;\nfrom os import path;", true],
    ["const x = 1;\nlet y = x + 2;", true],
    ["SELECT name FROM users;\nUPDATE users SET name = 'x';", true],
    ["Please import the chairs; then return them.", false],
    ["Let us meet at 5; bring a pen (blue).\nThanks!", false],
    ["a\n".repeat(50), false],
  ])("in %j: %s", (text, code) => {
    expect(hasCode(chat(text))).toBe(code);
  });
});

test("messages are told apart by what they are made of, tool results included", () => {
  const image: Part = { type: "image", source: { type: "url", url: "https://x.example/a.png" } };
  expect(modalitiesOf(chat("hi"))).toEqual(["text"]);
  expect(modalitiesOf(chat("hi", { type: "toolResult", callId: "1", parts: [image] }))).toEqual([
    "text",
    "image",
  ]);
});

test.each<[JsonObject, string[]]>([
  [{ type: "image", source: { type: "base64" } }, ["image"]],
  [{ type: "video_url", video_url: { url: "https://x.example/a.mp4" } }, ["file"]],
  [
    { type: "document", source: { type: "content", content: [{ type: "image" }] } },
    ["image", "file"],
  ],
  [{ type: "computer_call_output", output: { type: "computer_screenshot" } }, ["image"]],
  [{ type: "file_search_call", queries: [] }, []],
])("what a part of one dialect's own is made of is told by its types: %j", (value, made) => {
  expect(modalitiesOf(chat({ type: "native", dialect: "anthropic", value }))).toEqual([
    "text",
    ...made,
  ]);
});

test("a prompt of megabytes is looked at in bounded time", () => {
  const long = chat("x = {y}; ".repeat(400_000), `${" ".repeat(1_000_000)}a`);
  const start = performance.now();
  languageOf(long);
  hasCode(long);
  modalitiesOf(long);
  expect(performance.now() - start).toBeLessThan(2_000);
});

test("a rule that throttles sends what no rule routes to the cheapest that can do it", () => {
  const yaml = "rules:\n  - { id: t, when: { budget.state: throttle }, throttle: true }\n";
  expect(decided(yaml, { "budget.state": "throttle" }).route).toBe("smart/cheap");
  expect(decided(yaml, { "budget.state": "ok" }).route).toBeUndefined();
});

describe("the tools that a request offers are listed by every name that they may be called by", () => {
  const native = (dialect: ProtocolName, value: JsonObject) =>
    toolNames({ tools: [{ type: "native", dialect, value }], extra: {} });
  test.each<[string, string[] | null, string[]]>([
    [
      "a function",
      toolNames({ tools: [{ type: "function", name: "shell" }], extra: {} }),
      ["shell"],
    ],
    [
      "a custom tool",
      native("openai-chat", { type: "custom", custom: { name: "shell" } }),
      ["shell"],
    ],
    [
      "a custom tool behind another name",
      native("openai-chat", { type: "custom", name: "search", custom: { name: "shell" } }),
      ["search", "shell"],
    ],
    [
      "a tool in a namespace",
      native("openai-responses", {
        type: "namespace",
        name: "crm",
        tools: [{ type: "function", name: "shell" }],
      }),
      ["crm", "shell"],
    ],
    [
      "a kind that is a tool, behind a name",
      native("openai-responses", { type: "shell", name: "search" }),
      ["shell", "search"],
    ],
    [
      "a tool of Anthropic's",
      native("anthropic", { type: "bash_20250124", name: "bash" }),
      ["bash"],
    ],
    ["a tool of Google's", native("gemini", { code_execution: {} }), ["codeExecution"]],
    [
      "a server of tools",
      toolNames({ tools: [], extra: { mcp_servers: [{ type: "url", name: "crm" }] } }),
      ["mcp", "crm"],
    ],
    [
      "a search that is no tool",
      toolNames({ tools: [], extra: { web_search_options: {} } }),
      ["web_search"],
    ],
  ])("%s", (_, names, expected) => expect(names).toEqual(expected));

  test("and there is none where none is offered", () =>
    expect(toolNames({ tools: [], extra: {} })).toBeNull());
});
