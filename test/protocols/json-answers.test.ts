import { describe, expect, test } from "vitest";
import type { ProtocolName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { modelFacts } from "../../worker/providers/models.ts";
import { assemble } from "./answers.ts";
import { hi, target } from "./translate.ts";

/* Answers in JSON at models that take no schema, or none beside tools: a tool stands in for it. */

describe("a JSON schema at models that take none", () => {
  const schema = { type: "object", properties: { city: { type: "string" } } };
  const response_format = { type: "json_schema", json_schema: { name: "answer", schema } };
  const asks = (provider: string, model: string, to: ProtocolName, more: JsonObject = {}) => {
    const { client } = dialectOf("openai-chat");
    const chat = client.parseRequest({ model: "a", messages: [hi], response_format, ...more });
    const facts = modelFacts(provider, model);
    return JSON.stringify(protocolOf(to).provider.buildRequest(chat, target(facts)).body);
  };

  test.each([
    ["anthropic", "claude-3-5-sonnet-20241022", "anthropic"],
    ["anthropic", "claude-sonnet-4-20250514", "anthropic"],
    ["anthropic", "claude-opus-4-1", "anthropic"],
    ["vertex_ai_anthropic", "claude-3-7-sonnet@20250219", "anthropic"],
    ["bedrock", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", "bedrock-converse"],
    ["bedrock_anthropic", "anthropic.claude-sonnet-4-20250514-v1:0", "anthropic"],
  ] as const)("is a tool's: %s/%s", (provider, model, to) => {
    const sent = asks(provider, model, to);
    expect(sent).toMatch(/"name":"json_answer".*"city"/);
    expect(sent).toMatch(/"(tool_choice|tool)":\{("type":"tool",)?"name":"json_answer"/);
    expect(sent).not.toMatch(/output_?config/i);
    const tools = [{ type: "function", function: { name: "f" } }];
    expect(asks(provider, model, to, { tools })).toMatch(/"any"/);
  });

  test.each([
    ["anthropic", "claude-sonnet-4-5", "anthropic"],
    ["anthropic", "claude-opus-4-5-20251101", "anthropic"],
    ["anthropic", "claude-haiku-4-5", "anthropic"],
    ["bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock-converse"],
    ["bedrock", "amazon.nova-pro-v1:0", "bedrock-converse"],
  ] as const)("is sent where it is taken or nobody knows: %s/%s", (provider, model, to) => {
    const sent = asks(provider, model, to);
    expect(sent).toMatch(/output_?config/i);
    expect(sent).not.toContain("json_answer");
  });

  test("is answered by text, at Converse too", () => {
    const { provider } = protocolOf("bedrock-converse");
    const call = { toolUseId: "t", name: "json_answer" };
    const whole = provider.parseResponse({
      output: { message: { content: [{ toolUse: { ...call, input: { city: "Oslo" } } }] } },
      stopReason: "tool_use",
    });
    const parts = [{ type: "text", text: '{"city":"Oslo"}' }];
    expect(whole.choices).toMatchObject([{ parts, finish: "stop" }]);
    const parser = provider.parseStream();
    const events = [
      { contentBlockStart: { contentBlockIndex: 0, start: { toolUse: call } } },
      { contentBlockDelta: { contentBlockIndex: 0, delta: { toolUse: { input: '{"city":' } } } },
      { contentBlockDelta: { contentBlockIndex: 0, delta: { toolUse: { input: '"Oslo"}' } } } },
      { contentBlockStop: { contentBlockIndex: 0 } },
      { messageStop: { stopReason: "tool_use" } },
    ].flatMap((event) => parser.push({ data: JSON.stringify(event) }));
    expect(assemble([...events, ...parser.end()]).choices.get(0)).toMatchObject({
      parts,
      finish: "stop",
    });
  });
});

describe("a JSON answer beside tools", () => {
  const { client } = dialectOf("openai-chat");
  const schema = { type: "object", properties: { city: { type: "string" } } };
  const asked = {
    model: "a",
    messages: [hi],
    tools: [{ type: "function", function: { name: "f" } }],
    response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
  };
  const { provider } = protocolOf("gemini");
  const at = (model: string, more: JsonObject = {}) => {
    const chat = client.parseRequest({ ...asked, ...more });
    return provider.buildRequest(chat, target(modelFacts("gemini", model))).body;
  };

  test("is one tool more at Gemini before 3, which takes only either", () => {
    for (const model of ["gemini-2.5-flash", "gemini-2.0-flash"]) {
      expect(at(model), model).toMatchObject({
        tools: [
          {
            functionDeclarations: [
              { name: "f" },
              { name: "json_answer", parametersJsonSchema: schema },
            ],
          },
        ],
        toolConfig: { functionCallingConfig: { mode: "ANY" } },
      });
      expect(JSON.stringify(at(model)), model).not.toContain("responseMimeType");
      const alone = JSON.stringify(at(model, { tools: [] }));
      expect(alone).toContain("responseMimeType");
      expect(alone).not.toContain("json_answer");
    }
    expect(JSON.stringify(at("gemini-3-pro"))).toContain("responseMimeType");
    expect(JSON.stringify(at("gemini-3-pro"))).not.toContain("json_answer");
  });

  test("is read as text, whole and streamed", () => {
    const functionCall = { name: "json_answer", args: { city: "Oslo" } };
    const candidate = { content: { parts: [{ functionCall }] }, finishReason: "STOP" };
    const answer = { responseId: "r", modelVersion: "m", candidates: [candidate] };
    const parts = [{ type: "text", text: '{"city":"Oslo"}' }];
    const whole = provider.parseResponse(answer);
    expect(whole.choices).toMatchObject([{ parts, finish: "stop" }]);
    const parser = provider.parseStream();
    const events = [...parser.push({ data: JSON.stringify(answer) }), ...parser.end()];
    expect(assemble(events).choices.get(0)).toMatchObject({ parts, finish: "stop" });
  });
});
