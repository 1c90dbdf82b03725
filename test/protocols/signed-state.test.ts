import { describe, expect, test } from "vitest";
import type { ChatEvent, Part } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
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

  /* Google's clients keep each chunk as a content of its own, and drop parts that hold a signature and no text. */
  test.each([
    ["Anthropic's", "anthropic", [{ signature: "sigé" }]],
    ["Anthropic's, hidden", "anthropic", [{ redacted: "hidden" }]],
    ["OpenAI's", "openai-responses", [{}, { redacted: "sealed", family: "openai", id: "rs_1" }]],
  ] as const)("%s thinking through a stream that Google's client kept", (_, maker, thinkings) => {
    const thoughts = thinkings.map((proof): Part => {
      const shown = !("redacted" in proof);
      return { type: "thinking", text: shown ? "so" : "", ...proof };
    });
    const call: Part = { type: "toolCall", id: "call_1", name: "f", arguments: '{"x":1}' };
    const parts: Part[] = [...thoughts, { type: "text", text: "Let" }, ...thoughts, call];
    const events: ChatEvent[] = [
      { type: "start", id: "1", model: "m", created: 1 },
      ...parts.flatMap((value, part): ChatEvent[] => {
        const more = value.type === "text" ? " me see" : value.type === "thinking" ? " I look" : "";
        const shown = value.type === "text" || (value.type === "thinking" && value.text !== "");
        return [
          { type: "open", choice: 0, part, value },
          ...(shown
            ? [
                {
                  type: "delta",
                  choice: 0,
                  part,
                  delta: { type: value.type, text: more },
                } as ChatEvent,
              ]
            : []),
          { type: "close", choice: 0, part },
        ];
      }),
      { type: "finish", choice: 0, reason: "tool_calls" },
      { type: "done" },
    ];
    const wire = encoded(gemini.client.encodeStream({ ...CONTEXT, includeUsage: true }), events);
    const kept = wire
      .split("\r\n\r\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line.slice("data: ".length)) as Loose)["candidates"][0]["content"])
      .filter(({ parts: [part] }: Loose) => part["text"] !== "");
    const request = gemini.client.parseRequest(
      {
        contents: [
          { role: "user", parts: [{ text: "hi" }] },
          ...(kept as JsonObject[]),
          {
            role: "user",
            parts: [{ functionResponse: { id: "call_1", name: "f", response: {} } }],
          },
        ],
      },
      { model: "m" },
    );
    const { body, degraded } = dialectOf(maker).provider.buildRequest(request, target());
    expect(degraded).not.toContain("thinking");
    const shown = { type: "thinking", thinking: "so I look", signature: "sigé" };
    const hidden = { type: "redacted_thinking", data: "hidden" };
    const [proof] = thinkings;
    const thought = "signature" in proof ? shown : hidden;
    const sealed = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "sealed" };
    expect(maker === "anthropic" ? (body["messages"] as Loose[])[1] : body["input"]).toMatchObject(
      maker === "anthropic"
        ? {
            role: "assistant",
            content: [thought, { text: "Let me see" }, thought, { type: "tool_use", id: "call_1" }],
          }
        : [
            { role: "user" },
            sealed,
            { role: "assistant", content: "Let me see" },
            sealed,
            { type: "function_call", call_id: "call_1" },
            { type: "function_call_output" },
          ],
    );
  });
});

test.each(["anthropic", "bedrock-converse", "cohere", "ollama", "openai-responses"] as const)(
  "at %s it is told that Google's signatures were left out",
  (name) => {
    const signed = (part: JsonObject): JsonObject => ({ ...part, thoughtSignature: "c2ln" });
    const degraded = (part: JsonObject) => {
      const request = gemini.client.parseRequest(
        {
          contents: [
            { role: "user", parts: [{ text: "hi" }] },
            { role: "model", parts: [part] },
          ],
          tools: [{ functionDeclarations: [{ name: "f" }] }],
        },
        { model: "m" },
      );
      return protocolOf(name).provider.buildRequest(request, target()).degraded;
    };
    for (const part of [{ text: "so" }, { functionCall: { name: "f", args: {} } }]) {
      expect(degraded(signed(part))).toContain("thought_signature");
      expect(degraded(part)).not.toContain("thought_signature");
    }
  },
);
