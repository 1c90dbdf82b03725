import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { CONTEXT, encoded } from "./answers.ts";
import { target } from "./translate.ts";
import type { Loose } from "../support/loose.ts";

const gemini = dialectOf("gemini");
const openai = dialectOf("openai-chat");
const anthropic = dialectOf("anthropic");

describe("signed state comes home through clients of other families", () => {
  const answer = gemini.provider.parseResponse({
    responseId: "r1",
    modelVersion: "gemini-3",
    candidates: [
      {
        content: {
          role: "model",
          parts: [
            { text: "thinking", thought: true },
            { text: "I look.", thoughtSignature: "c2lnLXRleHQ=" },
            { functionCall: { name: "f", args: { x: 1 } }, thoughtSignature: "c2lnLWNhbGw=" },
            { functionCall: { id: "own", name: "g", args: {} } },
          ],
        },
        finishReason: "STOP",
      },
    ],
  });
  const sentBack = (messages: JsonObject[], by: "openai" | "anthropic") => {
    const dialect = by === "openai" ? openai : anthropic;
    const request = dialect.client.parseRequest({ model: "m", max_tokens: 9, messages });
    const { body } = gemini.provider.buildRequest(request, target());
    return body["contents"] as Loose[];
  };
  const expected = [
    { text: "I look." },
    { functionCall: { name: "f", args: { x: 1 } }, thoughtSignature: "c2lnLWNhbGw=" },
    { functionCall: { id: "own", name: "g", args: {} } },
  ];

  test("OpenAI's", () => {
    const whole = openai.client.encodeResponse(answer, CONTEXT) as Loose;
    const { message } = whole["choices"][0];
    const calls = message["tool_calls"] as Loose[];
    const contents = sentBack(
      [
        { role: "user", content: "hi" },
        message,
        { role: "tool", tool_call_id: calls[1]!["id"], content: '{"y":2}' },
        { role: "tool", tool_call_id: calls[0]!["id"], content: "fine" },
      ],
      "openai",
    );
    const model = contents[1]!["parts"] as Loose[];
    expect(model).toEqual([...expected, { text: "", thoughtSignature: "c2lnLXRleHQ=" }]);
    // In the order of the calls, since one of them has no id.
    expect(contents[2]!["parts"]).toEqual([
      { functionResponse: { name: "f", response: { output: "fine" } } },
      { functionResponse: { id: "own", name: "g", response: { y: 2 } } },
    ]);
  });

  test("Anthropic's, whole and streamed", () => {
    const whole = anthropic.client.encodeResponse(answer, CONTEXT) as Loose;
    const contents = sentBack(
      [
        { role: "user", content: "hi" },
        { role: "assistant", content: whole["content"] },
      ],
      "anthropic",
    );
    expect(contents[1]!["parts"]).toEqual([
      expected[0],
      { text: "", thoughtSignature: "c2lnLXRleHQ=" },
      ...expected.slice(1),
    ]);
    const parts = answer.choices[0]!.parts;
    const events = [
      { type: "start", id: "1", model: "m", created: 1 } as const,
      ...parts.flatMap((value, part) => [
        { type: "open", choice: 0, part, value } as const,
        { type: "close", choice: 0, part } as const,
      ]),
      { type: "finish", choice: 0, reason: "tool_calls" } as const,
      { type: "done" } as const,
    ];
    const text = encoded(anthropic.client.encodeStream({ ...CONTEXT, includeUsage: true }), events);
    const data = text.match(/redacted_thinking","data":"[^"]+/g);
    expect(data).toEqual([
      'redacted_thinking","data":"google:c2lnLXRleHQ=',
      'redacted_thinking","data":"google:c2lnLWNhbGw=',
    ]);
  });

  test("Anthropic's thinking through Google's client", () => {
    const message = anthropic.provider.parseResponse({
      id: "msg_1",
      model: "claude",
      content: [
        { type: "thinking", thinking: "why", signature: "sigé" },
        { type: "redacted_thinking", data: "hidden" },
        { type: "tool_use", id: "toolu_1", name: "f", input: { x: 1 } },
      ],
      stop_reason: "tool_use",
    });
    const whole = gemini.client.encodeResponse(message, CONTEXT) as Loose;
    const request = gemini.client.parseRequest(
      {
        contents: [
          { role: "user", parts: [{ text: "hi" }] },
          whole["candidates"][0]["content"],
          {
            role: "user",
            parts: [{ functionResponse: { id: "toolu_1", name: "f", response: { output: "ok" } } }],
          },
        ],
      },
      { model: "m" },
    );
    const { body } = anthropic.provider.buildRequest(request, target());
    expect((body["messages"] as Loose[]).slice(1)).toEqual([
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "why", signature: "sigé" },
          { type: "redacted_thinking", data: "hidden" },
          { type: "tool_use", id: "toolu_1", name: "f", input: { x: 1 } },
        ],
      },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "ok" }],
      },
    ]);
  });
});
