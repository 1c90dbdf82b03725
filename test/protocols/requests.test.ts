import { describe, expect, test } from "vitest";
import type { Quirks } from "../../worker/core/model.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { openai, anthropic, hi, target, toOpenai } from "./translate.ts";

describe("a wrong body is refused at its path", () => {
  const chat = (body: JsonObject) => () => openai.client.parseRequest(body);
  const message = (content: unknown) =>
    chat({ model: "a", messages: [hi, { role: "user", content } as JsonObject] });
  const claude = (body: JsonObject) => () =>
    anthropic.client.parseRequest({ model: "a", max_tokens: 1, messages: [hi], ...body });
  const turn = (content: unknown) =>
    claude({ messages: [{ role: "user", content } as JsonObject] });

  test.each<[string, () => unknown]>([
    ["model", chat({ messages: [hi] })],
    ["model", chat({ model: "", messages: [hi] })],
    ["messages", chat({ model: "a" })],
    ["messages", chat({ model: "a", messages: [] })],
    ["messages[0]", chat({ model: "a", messages: ["hi"] })],
    ["messages[0].role", chat({ model: "a", messages: [{ role: "robot", content: "" }] })],
    ["messages[1].content", message(5)],
    ["messages[1].content", message(null)],
    ["messages[1].content[0].type", message([{}])],
    ["messages[1].content[0].text", message([{ type: "text", text: 1 }])],
    [
      "messages[1].content[0].image_url.url",
      message([{ type: "image_url", image_url: { url: 7 } }]),
    ],
    [
      "messages[1].content[1].input_audio.format",
      message([
        { type: "text", text: "" },
        { type: "input_audio", input_audio: { data: "x" } },
      ]),
    ],
    ["messages[1].content[0].file", message([{ type: "file", file: {} }])],
    ["messages[0].tool_call_id", chat({ model: "a", messages: [{ role: "tool", content: "x" }] })],
    [
      "messages[0].tool_calls[0].function.name",
      chat({
        model: "a",
        messages: [{ role: "assistant", tool_calls: [{ id: "1", function: {} }] }],
      }),
    ],
    ["messages[0].content", chat({ model: "a", messages: [{ role: "assistant" }] })],
    ["temperature", chat({ model: "a", messages: [hi], temperature: "hot" })],
    ["max_tokens", chat({ model: "a", messages: [hi], max_tokens: 1.5 })],
    ["stream", chat({ model: "a", messages: [hi], stream: "yes" })],
    ["stop[1]", chat({ model: "a", messages: [hi], stop: ["a", 1] })],
    [
      "tools[0].function.name",
      chat({ model: "a", messages: [hi], tools: [{ type: "function", function: {} }] }),
    ],
    ["tool_choice", chat({ model: "a", messages: [hi], tool_choice: "maybe" })],
    [
      "response_format.json_schema.name",
      chat({
        model: "a",
        messages: [hi],
        response_format: { type: "json_schema", json_schema: {} },
      }),
    ],
    ["max_tokens", () => anthropic.client.parseRequest({ model: "a", messages: [hi] })],
    ["messages[0].role", claude({ messages: [{ role: "tool", content: "x" }] })],
    [
      "messages[0].content[0].source.data",
      turn([{ type: "image", source: { type: "base64", media_type: "image/png" } }]),
    ],
    ["messages[0].content[0].tool_use_id", turn([{ type: "tool_result" }])],
    [
      "messages[0].content[0].content[0].text",
      turn([{ type: "tool_result", tool_use_id: "t", content: [{ type: "text" }] }]),
    ],
    ["system[0].type", claude({ system: [{}] })],
    ["tools[0].input_schema", claude({ tools: [{ name: "t" }] })],
    ["thinking.budget_tokens", claude({ thinking: { type: "enabled" } })],
    ["tool_choice.name", claude({ tool_choice: { type: "tool" } })],
  ])("%s", (param, parse) => {
    expect(parse).toThrow(
      expect.objectContaining({
        kind: "invalid_request",
        detail: expect.objectContaining({ param }),
        message: expect.stringContaining(param),
      }),
    );
  });
});

describe("from Anthropic to OpenAI", () => {
  test("results become tool messages; what a tool showed follows as the user's", () => {
    const image = {
      type: "image",
      source: { type: "base64", media_type: "image/png", data: "AA" },
    };
    const { body, degraded } = toOpenai({
      system: [{ type: "text", text: "S", cache_control: { type: "ephemeral" } }],
      stream: true,
      messages: [
        hi,
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature: "s" },
            { type: "text", text: "go" },
            { type: "tool_use", id: "t1", name: "f", input: { a: 1 } },
          ],
        },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "t1",
              is_error: true,
              content: [{ type: "text", text: "r" }, image],
            },
            { type: "text", text: "so?" },
          ],
        },
      ],
    });
    expect(body["messages"]).toEqual([
      { role: "system", content: "S" },
      hi,
      {
        role: "assistant",
        content: "go",
        tool_calls: [{ id: "t1", type: "function", function: { name: "f", arguments: '{"a":1}' } }],
      },
      { role: "tool", tool_call_id: "t1", content: "r" },
      {
        role: "user",
        content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA" } }],
      },
      { role: "user", content: "so?" },
    ]);
    expect(body["stream_options"]).toEqual({ include_usage: true });
    expect(degraded).toEqual(["thinking", "tool_result.is_error", "cache_control"]);
  });

  test("limits, choices and formats take the target's names", () => {
    const asked = {
      tools: [{ name: "f", input_schema: { type: "object" } }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      output_config: { effort: "max", format: { type: "json_schema", schema: { type: "object" } } },
      metadata: { user_id: "u" },
      stop_sequences: ["x"],
      top_k: 5,
      container: "c",
    };
    const { body, degraded } = toOpenai(
      asked,
      { reasoning: "effort" },
      { tokenLimit: "max_completion_tokens" },
    );
    expect(body).toMatchObject({
      max_completion_tokens: 100,
      tool_choice: "required",
      parallel_tool_calls: false,
      reasoning_effort: "max",
      response_format: { type: "json_schema", json_schema: { schema: { type: "object" } } },
      user: "u",
      stop: ["x"],
    });
    expect(body).not.toHaveProperty("max_tokens");
    expect(degraded).toEqual(["container", "top_k"]);
  });

  test("server tools and cited documents are refused; their leftovers in the history are dropped by name", () => {
    const unsupported = expect.objectContaining({ kind: "capability_not_supported" });
    expect(() =>
      toOpenai({ tools: [{ type: "web_search_20260318", name: "web_search" }] }),
    ).toThrow(unsupported);
    const document = {
      type: "document",
      source: { type: "text", media_type: "text/plain", data: "héllo" },
    };
    const turn = (block: JsonObject) => ({ messages: [{ role: "user", content: [block] }] });
    expect(() => toOpenai(turn({ ...document, citations: { enabled: true } }))).toThrow(
      unsupported,
    );
    expect(toOpenai(turn(document)).body["messages"]).toEqual([{ role: "user", content: "héllo" }]);
    const history = [
      hi,
      { role: "assistant", content: [{ type: "server_tool_use", id: "s", name: "w", input: {} }] },
    ];
    expect(toOpenai({ messages: history }).degraded).toEqual(["server_tool_use"]);
  });
});

describe("home again", () => {
  test("what only Anthropic knows goes back to Anthropic", () => {
    const sent: JsonObject = {
      model: "target",
      max_tokens: 2000,
      system: "S",
      messages: [
        hi,
        {
          role: "assistant",
          content: [{ type: "server_tool_use", id: "s", name: "w", input: {} }],
        },
        { role: "system", content: "mind" },
        hi,
      ],
      tools: [{ type: "web_search_20260318", name: "web_search" }],
      tool_choice: { type: "auto", disable_parallel_tool_use: true },
      thinking: { type: "adaptive", display: "omitted" },
      output_config: { effort: "low", task_budget: { total: 1 } },
      container: "c",
      metadata: { user_id: "u" },
    };
    const chat = anthropic.client.parseRequest({ ...sent, tags: ["x"] });
    expect(anthropic.provider.buildRequest(chat, target())).toEqual({ body: sent, degraded: [] });
    for (const thinking of [
      { type: "disabled" },
      { type: "enabled", budget_tokens: 1024 },
      { type: "between_tools" },
    ]) {
      const { output_config: _, ...plain } = sent;
      const body = { ...plain, thinking };
      expect(
        anthropic.provider.buildRequest(anthropic.client.parseRequest(body), target()).body,
      ).toEqual(body);
    }
  });

  test("what only OpenAI knows goes back to OpenAI", () => {
    const sent: JsonObject = {
      model: "target",
      messages: [
        { role: "system", content: "S" },
        {
          role: "user",
          content: [
            { type: "video_url", video_url: { url: "u" } },
            { type: "text", text: "t" },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "1", type: "custom", custom: { name: "c", input: "i" } }],
        },
        { role: "tool", tool_call_id: "1", content: "r" },
      ],
      max_completion_tokens: 10,
      tools: [{ type: "custom", custom: { name: "c" } }],
      tool_choice: { type: "allowed_tools", allowed_tools: {} },
      n: 2,
      top_k: 3,
      logprobs: true,
      reasoning_effort: "xhigh",
      response_format: { type: "grammar", value: "x" },
      verbosity: "low",
      stream: true,
      stream_options: { include_obfuscation: false, include_usage: true },
    };
    const chat = openai.client.parseRequest({ ...sent, guardrail_id: "g", metadata: { a: 1 } });
    expect(openai.provider.buildRequest(chat, target())).toEqual({ body: sent, degraded: [] });
  });

  test("reasoning is echoed only where it is taken", () => {
    const chat = openai.client.parseRequest({
      model: "a",
      messages: [hi, { role: "assistant", content: "x", reasoning_content: "why" }],
    });
    const sent = (quirks: Quirks) => openai.provider.buildRequest(chat, target({}, quirks));
    expect(sent({ echoesReasoning: true }).body).toMatchObject({
      messages: [{}, { reasoning_content: "why" }],
    });
    expect(sent({}).degraded).toEqual(["thinking"]);
  });
});
