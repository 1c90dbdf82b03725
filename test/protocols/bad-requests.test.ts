import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DialectName, ProtocolName } from "../../worker/core/chat.ts";
import { GatewayError } from "../../worker/core/errors.ts";
import type { Json, JsonObject } from "../../worker/core/json.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { target } from "./translate.ts";

const CANARY = "zebra-canary-7f3a";
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 300);
const SCHEMA = { type: "object", properties: { a: { type: "string" } } };

/** A body of each dialect that uses most of it. */
const FULL: Record<DialectName, JsonObject> = {
  "openai-chat": {
    model: "m",
    messages: [
      { role: "system", content: "s" },
      {
        role: "user",
        content: [
          { type: "text", text: "t" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
        ],
      },
      {
        role: "assistant",
        content: "a",
        thinking_blocks: [{ type: "thinking", thinking: "x", signature: "y" }],
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c", content: "r" },
    ],
    tools: [{ type: "function", function: { name: "f", parameters: SCHEMA } }],
    tool_choice: { type: "function", function: { name: "f" } },
    response_format: { type: "json_schema", json_schema: { name: "n", schema: SCHEMA } },
    stop: ["x"],
    max_tokens: 9,
    reasoning_effort: "low",
  },
  "openai-responses": {
    model: "m",
    instructions: "s",
    input: [
      { role: "user", content: [{ type: "input_text", text: "t" }] },
      {
        type: "reasoning",
        id: "r",
        summary: [{ type: "summary_text", text: "x" }],
        encrypted_content: "e",
      },
      { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "c", output: "r" },
    ],
    tools: [{ type: "function", name: "f", parameters: SCHEMA, strict: true }],
    tool_choice: { type: "function", name: "f" },
    text: { format: { type: "json_schema", name: "n", schema: SCHEMA }, verbosity: "low" },
    reasoning: { effort: "low", summary: "auto" },
    max_output_tokens: 99,
  },
  anthropic: {
    model: "m",
    max_tokens: 9,
    system: [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "t" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "x", signature: "y" },
          { type: "tool_use", id: "c", name: "f", input: { a: 1 } },
        ],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "c", content: "r" }] },
    ],
    tools: [{ name: "f", input_schema: SCHEMA }],
    tool_choice: { type: "tool", name: "f" },
    thinking: { type: "enabled", budget_tokens: 2000 },
  },
  gemini: {
    systemInstruction: { parts: [{ text: "s" }] },
    contents: [
      {
        role: "user",
        parts: [{ text: "t" }, { inlineData: { mimeType: "image/png", data: "AAAA" } }],
      },
      {
        role: "model",
        parts: [
          { text: "x", thought: true, thoughtSignature: "eQ==" },
          { functionCall: { name: "f", args: { a: 1 } } },
        ],
      },
      { role: "user", parts: [{ functionResponse: { name: "f", response: { output: "r" } } }] },
    ],
    tools: [{ functionDeclarations: [{ name: "f", parameters: { type: "OBJECT" } }] }],
    toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["f"] } },
    generationConfig: {
      maxOutputTokens: 9,
      stopSequences: ["x"],
      responseMimeType: "application/json",
      responseJsonSchema: SCHEMA,
      thinkingConfig: { thinkingBudget: 100, includeThoughts: true },
    },
  },
};

const DIALECTS = Object.keys(FULL) as DialectName[];
const PROTOCOLS: ProtocolName[] = [...DIALECTS, "bedrock-converse", "cohere", "ollama"];

/** The paths of all values inside a value. */
function pathsOf(value: Json | undefined, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...path, name])),
  ];
}

function changed(
  body: JsonObject,
  path: readonly (string | number)[],
  value: Json | undefined,
): JsonObject {
  const copy = structuredClone(body);
  let at = copy as Record<string, unknown>;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string, unknown>;
  const last = path.at(-1);
  if (last !== undefined) {
    if (value === undefined) delete at[last];
    else at[last] = value;
  }
  return JSON.parse(JSON.stringify(copy)) as JsonObject;
}

const anything = fc.oneof(
  fc.constantFrom<Json | undefined>(
    undefined,
    null,
    "",
    CANARY,
    0,
    -1,
    1.5,
    true,
    [],
    {},
    [null],
    [CANARY],
    { type: CANARY },
  ),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);

describe.each(DIALECTS)("a body of %s with one value that is wrong", (name) => {
  const { client } = dialectOf(name);
  const paths = pathsOf(FULL[name]).slice(1);

  test("is read and written for every protocol, or refused by a clear error that quotes nothing", () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths), anything, (path, value) => {
        const body = changed(FULL[name], path, value);
        let request;
        try {
          request = client.parseRequest(body, name === "gemini" ? { model: "m" } : {});
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
          const { kind, message, detail } = error as GatewayError;
          expect(["invalid_request", "unsupported_endpoint"]).toContain(kind);
          expect(detail.param).toBeTypeOf("string");
          expect(message).not.toContain(CANARY);
          return;
        }
        for (const protocol of PROTOCOLS) {
          try {
            JSON.stringify(protocolOf(protocol).provider.buildRequest(request, target()).body);
          } catch (error) {
            expect(error).toBeInstanceOf(GatewayError);
            expect((error as GatewayError).kind).toBe("capability_not_supported");
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("unchanged, reaches every protocol", () => {
    const request = client.parseRequest(FULL[name], name === "gemini" ? { model: "m" } : {});
    for (const protocol of PROTOCOLS) {
      const { body } = protocolOf(protocol).provider.buildRequest(request, target());
      expect(JSON.stringify(body)).toContain('"f"');
    }
  });
});

describe.each(PROTOCOLS)("an answer of %s", (name) => {
  const { provider } = protocolOf(name);
  const members = fc.constantFrom(
    "type",
    "event",
    "choices",
    "delta",
    "message",
    "content",
    "candidates",
    "parts",
    "index",
    "output",
    "item",
    "response",
    "usage",
    "usageMetadata",
    "functionCall",
    "partialArgs",
    "jsonPath",
    "tool_calls",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockIndex",
    "messageStop",
    "done",
    "error",
    "finish_reason",
    "finishReason",
    "stopReason",
    "output_index",
    "content_block",
    "text",
  );
  const junk: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<Json>(
        null,
        0,
        "",
        "x",
        true,
        "message_start",
        "response.output_text.delta",
        "content-delta",
      ),
      fc.array(tie("value"), { maxLength: 2 }),
      fc.dictionary(members, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;

  test("that is junk is an unusable answer, never a crash", () => {
    const usable = (work: () => unknown) => {
      try {
        work();
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
        expect((error as GatewayError).kind).toBe("upstream_bad_response");
      }
    };
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 6 }), (events) => {
        for (const event of events) {
          if (typeof event === "object" && event !== null && !Array.isArray(event)) {
            usable(() => provider.parseResponse(event));
          }
        }
        const parser = provider.parseStream();
        usable(() => events.map((event) => parser.push({ data: JSON.stringify(event) })));
        usable(() => parser.end());
        provider.parseError(500, new Headers(), JSON.stringify(events));
      }),
      { numRuns: RUNS },
    );
  });
});
