import { describe, expect, test } from "vitest";
import type { ModelFacts } from "../../worker/core/model.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { openai, anthropic, hi, target, toAnthropic } from "./translate.ts";

describe("from OpenAI to Anthropic", () => {
  test("system text is hoisted, tool results of one turn and the words after them are one user turn", () => {
    const call = (id: string) => ({
      id,
      type: "function",
      function: { name: "f", arguments: "{}" },
    });
    const { body } = toAnthropic({
      max_tokens: 9,
      messages: [
        { role: "system", content: "S" },
        { role: "developer", content: "D" },
        hi,
        { role: "assistant", content: null, tool_calls: [call("a"), call("b:1")] },
        { role: "tool", tool_call_id: "a", content: "1" },
        { role: "tool", tool_call_id: "b:1", content: [{ type: "text", text: "2" }] },
        { role: "user", content: "so?" },
      ],
    });
    expect(body).toEqual({
      model: "target",
      max_tokens: 9,
      system: [
        { type: "text", text: "S" },
        { type: "text", text: "D" },
      ],
      messages: [
        hi,
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: "a", name: "f", input: {} },
            { type: "tool_use", id: "b_1", name: "f", input: {} },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "a", content: "1" },
            { type: "tool_result", tool_use_id: "b_1", content: "2" },
            { type: "text", text: "so?" },
          ],
        },
      ],
    });
  });

  test("an invented token limit is the model's, within what is left, and named", () => {
    expect(toAnthropic({})).toMatchObject({
      body: { max_tokens: 64_000 },
      degraded: ["max_tokens"],
    });
    const chat = openai.client.parseRequest({ model: "a", messages: [hi] });
    expect(
      anthropic.provider.buildRequest(chat, { ...target(), outputLimit: 77 }).body["max_tokens"],
    ).toBe(77);
  });

  test("images, files, cache marks, tools and their choice find their forms", () => {
    const { body, degraded } = toAnthropic({
      max_tokens: 9,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "t", cache_control: { type: "ephemeral" } },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
            { type: "image_url", image_url: { url: "https://x/y.png" } },
            {
              type: "file",
              file: { filename: "a.pdf", file_data: "data:application/pdf;base64,BBBB" },
            },
          ],
        },
      ],
      tools: [{ type: "function", function: { name: "f", strict: true } }],
      tool_choice: "required",
      parallel_tool_calls: false,
      stop: "end",
      user: "u",
    });
    expect(degraded).toEqual([]);
    expect(body).toMatchObject({
      messages: [
        {
          content: [
            { type: "text", text: "t", cache_control: { type: "ephemeral" } },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
            { type: "image", source: { type: "url", url: "https://x/y.png" } },
            { type: "document", title: "a.pdf", source: { type: "base64", data: "BBBB" } },
          ],
        },
      ],
      tools: [{ name: "f", input_schema: { type: "object" }, strict: true }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      stop_sequences: ["end"],
      metadata: { user_id: "u" },
    });
  });

  test("arguments that are no JSON object are wrapped, not sent as arguments", () => {
    const { body } = toAnthropic({
      max_tokens: 9,
      messages: [
        hi,
        {
          role: "assistant",
          tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: '{"x":' } }],
        },
      ],
    });
    expect(body).toMatchObject({
      messages: [{}, { content: [{ input: { INVALID_JSON: '{"x":' } }] }],
    });
  });

  test("effort becomes what the model takes", () => {
    const effort = (facts: Partial<ModelFacts>, more: JsonObject = {}) => {
      const { body, degraded } = toAnthropic(
        { max_tokens: 50_000, reasoning_effort: "high", ...more },
        facts,
      );
      return { thinking: body["thinking"], output: body["output_config"], degraded };
    };
    expect(effort({ reasoning: "adaptive" })).toEqual({
      thinking: { type: "adaptive" },
      output: { effort: "high" },
      degraded: [],
    });
    expect(effort({ reasoning: "budget" }).thinking).toEqual({
      type: "enabled",
      budget_tokens: 16_384,
    });
    expect(effort({ reasoning: "budget" }, { max_tokens: 5000 })).toMatchObject({
      thinking: { budget_tokens: 4000 },
      degraded: ["reasoning_effort"],
    });
    expect(effort({ reasoning: "budget" }, { max_tokens: 1000 })).toEqual({
      thinking: undefined,
      output: undefined,
      degraded: ["reasoning_effort"],
    });
    expect(effort({ reasoning: "none" }).degraded).toEqual(["reasoning_effort"]);
    const forced = {
      tools: [{ type: "function", function: { name: "f" } }],
      tool_choice: "required",
    };
    expect(effort({ reasoning: "adaptive" }, forced)).toMatchObject({
      thinking: undefined,
      degraded: ["reasoning_effort"],
    });
    expect(effort({ reasoning: "adaptive" }, { temperature: 0.2 }).degraded).toEqual([
      "temperature",
    ]);
  });

  test("a schema goes native, closed and with refused keywords told; without support a tool stands in", () => {
    const schema = {
      type: "object",
      properties: { n: { type: "integer", minimum: 1 } },
      required: ["n"],
    };
    const asked = {
      max_tokens: 9,
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    };
    const native = toAnthropic(asked);
    expect(native.body["output_config"]).toEqual({
      format: {
        type: "json_schema",
        schema: {
          type: "object",
          properties: { n: { type: "integer", description: "{minimum: 1}" } },
          required: ["n"],
          additionalProperties: false,
        },
      },
    });
    expect(native.degraded).toEqual(["response_format"]);
    const { body } = toAnthropic(asked, { capabilities: { json_schema: false } });
    expect(body).toMatchObject({
      tools: [{ name: "json_answer", input_schema: schema }],
      tool_choice: { type: "tool", name: "json_answer" },
    });
    const answer = anthropic.provider.parseResponse({
      type: "message",
      content: [{ type: "tool_use", id: "1", name: "json_answer", input: { n: 2 } }],
      stop_reason: "tool_use",
    });
    expect(answer.choices[0]).toMatchObject({
      parts: [{ type: "text", text: '{"n":2}' }],
      finish: "stop",
    });
  });

  test("what must not be lost silently is refused, what may be is named", () => {
    const refused = (body: JsonObject) => () => toAnthropic({ max_tokens: 1, ...body });
    const unsupported = expect.objectContaining({ kind: "capability_not_supported" });
    expect(refused({ n: 2 })).toThrow(unsupported);
    expect(refused({ tools: [{ type: "web_search" }] })).toThrow(unsupported);
    const audio = { type: "input_audio", input_audio: { data: "x", format: "wav" } };
    expect(refused({ messages: [{ role: "user", content: [audio] }] })).toThrow(unsupported);
    expect(
      toAnthropic({
        max_tokens: 1,
        seed: 1,
        logprobs: true,
        service_tier: "flex",
        temperature: 1.5,
      }).degraded,
    ).toEqual(["service_tier", "temperature", "seed", "logprobs"]);
    expect(
      toAnthropic({ max_tokens: 1, temperature: 1 }, {}, { refuses: ["temperature"] }),
    ).toMatchObject({
      degraded: ["temperature"],
    });
  });

  test("signed thinking goes back, unsigned thinking stays here", () => {
    const assistant = (more: JsonObject) =>
      toAnthropic({
        max_tokens: 1,
        messages: [hi, { role: "assistant", content: "x", ...more }, hi],
      });
    const signed = assistant({
      reasoning_content: "why",
      thinking_blocks: [
        { type: "thinking", thinking: "why", signature: "s" },
        { type: "redacted_thinking", data: "d" },
      ],
    });
    expect(signed.degraded).toEqual([]);
    expect(signed.body).toMatchObject({
      messages: [
        {},
        {
          content: [
            { type: "thinking", thinking: "why", signature: "s" },
            { type: "redacted_thinking", data: "d" },
            { type: "text", text: "x" },
          ],
        },
        {},
      ],
    });
    expect(assistant({ reasoning_content: "why" }).degraded).toEqual(["thinking"]);
  });

  test("deprecated functions are read as tools and their results find their calls", () => {
    const { body } = toAnthropic({
      max_tokens: 1,
      functions: [{ name: "f", parameters: { type: "object" } }],
      function_call: { name: "f" },
      messages: [
        hi,
        { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
        { role: "function", name: "f", content: "1" },
      ],
    });
    expect(body).toMatchObject({
      tools: [{ name: "f" }],
      tool_choice: { type: "tool", name: "f" },
      messages: [
        {},
        { content: [{ type: "tool_use", id: "call_f_1" }] },
        { content: [{ type: "tool_result", tool_use_id: "call_f_1", content: "1" }] },
      ],
    });
  });
});
