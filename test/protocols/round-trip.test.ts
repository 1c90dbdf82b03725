import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChatRequest, ChatResponse, Message, Part } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { TokenUsage } from "../../worker/core/usage.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { asEvents, assemble, bothWays } from "./answers.ts";
import { call, name, object, said, spoken, thinking, usage } from "./arbitraries.ts";

function response(parts: Part[], counted: TokenUsage, finish: "stop" | "length"): ChatResponse {
  const called = parts.some((part) => part.type === "toolCall");
  return {
    id: "x",
    created: 5,
    model: "m",
    choices: [{ index: 0, parts, finish: called ? "tool_calls" : finish }],
    usage: counted,
    extra: {},
    dialect: "openai-chat",
  };
}

/** OpenAI's message holds one text, calls behind it, and before it either plain or returnable thinking. */
const openaiAnswer = fc
  .tuple(
    fc.oneof(
      fc.constant([]),
      thinking.map((part) => [part]),
    ),
    fc.option(said, { nil: undefined }),
    fc.array(call, { maxLength: 4 }),
    usage,
    fc.constantFrom("stop", "length"),
  )
  .map(([thought, spoken, calls, counted, finish]) =>
    response([...thought, ...(spoken ? [spoken] : []), ...calls], counted, finish as "stop"),
  );

/** Anthropic's blocks come in any order. */
const anthropicAnswer = fc
  .tuple(
    fc.array(fc.oneof(thinking, said, call), { maxLength: 6 }),
    usage,
    fc.constantFrom("stop", "length"),
  )
  .map(([parts, counted, finish]) => response(parts, counted, finish as "stop"));

const CASES = [
  ["openai-chat", openaiAnswer],
  ["anthropic", anthropicAnswer],
] as const;

describe.each(CASES)("%s", (protocol, answers) => {
  const ways = bothWays(protocol);

  test("a whole answer means the same after writing and reading it", () => {
    fc.assert(
      fc.property(answers, (answer) => {
        const again = ways.whole(answer);
        expect(again.choices).toEqual(answer.choices);
        expect(again.usage).toEqual(answer.usage);
        expect(again.model).toBe(answer.model);
      }),
    );
  });

  test("a stream adds up to the same answer after writing and reading it", () => {
    fc.assert(
      fc.property(answers, (answer) => {
        const got = assemble(ways.streamed(asEvents(answer)));
        const [choice] = answer.choices;
        expect(got.done).toBe(true);
        // Halves of a surrogate pair are escaped on the wire and meet again.
        expect(got.choices.get(0) ?? { parts: [], finish: null }).toEqual({
          parts: choice!.parts,
          finish: choice!.finish,
        });
        expect(got.usage).toEqual(answer.usage);
      }),
    );
  });

  test("a cut stream is never complete", () => {
    fc.assert(
      fc.property(answers, fc.nat(), (answer, cut) => {
        const events = asEvents(answer);
        const finish = events.findIndex((event) => event.type === "finish");
        expect(assemble(ways.streamed(events.slice(0, cut % (finish + 1)))).done).toBe(false);
      }),
    );
  });
});

describe("parallel calls", () => {
  const delta = (part: number, value: string) =>
    ({ type: "delta", choice: 0, part, delta: { type: "arguments", text: value } }) as const;
  const open = (part: number, called: string) =>
    ({
      type: "open",
      choice: 0,
      part,
      value: { type: "toolCall", id: `call_${part}`, name: called, arguments: "" },
    }) as const;

  test("whose pieces interleave arrive whole and one after the other in Anthropic's dialect", () => {
    const events = [
      { type: "start", id: "1", model: "m", created: 1 } as const,
      open(0, "a"),
      delta(0, '{"x"'),
      open(1, "b"),
      delta(1, '{"y":2}'),
      delta(0, ":1}"),
      { type: "close", choice: 0, part: 0 } as const,
      { type: "close", choice: 0, part: 1 } as const,
      { type: "finish", choice: 0, reason: "tool_calls" } as const,
      { type: "done" } as const,
    ];
    for (const protocol of ["openai-chat", "anthropic"] as const) {
      const got = assemble(bothWays(protocol).streamed(events));
      expect(got.choices.get(0)?.parts).toEqual([
        { type: "toolCall", id: "call_0", name: "a", arguments: '{"x":1}' },
        { type: "toolCall", id: "call_1", name: "b", arguments: '{"y":2}' },
      ]);
    }
  });

  test("behind a call that is whole the next one is shown at once", () => {
    const encoder = dialectOf("anthropic").client.encodeStream({
      requestId: "r",
      created: 1,
      includeUsage: true,
    });
    for (const event of [open(0, "a"), delta(0, "{}")]) encoder.push(event);
    expect(encoder.push(open(1, "b"))).toContain('"content_block_start"');
  });
});

describe("requests", () => {
  const target = {
    model: "target",
    facts: { capabilities: {} },
    streamUsage: "include_usage",
  } as const;
  const turn = fc.oneof(
    said.map((part): Message[] => [{ role: "user", parts: [part] }]),
    fc
      .tuple(
        fc.option(said, { nil: undefined }),
        fc.array(call, { minLength: 1, maxLength: 3 }),
        said,
      )
      .map(([spoken, calls, result]): Message[] => [
        { role: "assistant", parts: [...(spoken ? [spoken] : []), ...calls] },
        ...calls.map((part): Message => ({
          role: "tool",
          parts: [
            {
              type: "toolResult",
              callId: part.type === "toolCall" ? part.id : "",
              parts: [result],
            },
          ],
        })),
      ]),
    said.map((part): Message[] => [{ role: "assistant", parts: [part] }]),
  );
  const request = (dialect: "openai-chat" | "anthropic") =>
    fc
      .tuple(
        fc.option(said, { nil: undefined }),
        fc.array(turn, { minLength: 1, maxLength: 5 }),
        fc.array(fc.tuple(name, object), { maxLength: 3 }),
        fc.integer({ min: 1, max: 9999 }),
        fc.boolean(),
      )
      .map(([system, turns, tools, maxOutputTokens, stream]): ChatRequest => ({
        model: "asked",
        messages: [
          ...(system ? [{ role: "system" as const, parts: [system] }] : []),
          ...turns.flat(),
        ],
        stream,
        streamUsage: stream || dialect === "anthropic",
        sampling: { maxOutputTokens, temperature: 0.5, stop: ["x"] },
        tools: tools.map(([tool, properties]) => ({
          type: "function",
          name: tool,
          parameters: { type: "object", properties },
        })),
        extra: {},
        dialect,
      }));

  test.each(["openai-chat", "anthropic"] as const)(
    "of %s say the same after building and reading them",
    (dialect) => {
      const { client, provider } = dialectOf(dialect);
      fc.assert(
        fc.property(request(dialect), (asked) => {
          const { body, degraded } = provider.buildRequest(asked, target);
          const again = client.parseRequest(JSON.parse(JSON.stringify(body)) as JsonObject);
          expect(degraded).toEqual([]);
          expect(spoken(again.messages)).toEqual(spoken(asked.messages));
          expect({ ...again, messages: [], extra: {}, model: "" }).toEqual({
            ...asked,
            messages: [],
            model: "",
          });
          expect(again.model).toBe("target");
        }),
      );
    },
  );

  test("of either dialect reach the other with every word", () => {
    fc.assert(
      fc.property(request("openai-chat"), request("anthropic"), (fromOpenai, fromAnthropic) => {
        for (const [asked, other] of [
          [fromOpenai, "anthropic"],
          [fromAnthropic, "openai-chat"],
        ] as const) {
          const { client, provider } = dialectOf(other);
          const { body } = provider.buildRequest(asked, target);
          const again = client.parseRequest(JSON.parse(JSON.stringify(body)) as JsonObject);
          expect(spoken(again.messages)).toEqual(spoken(asked.messages));
          expect(again.tools).toEqual(asked.tools);
        }
      }),
    );
  });
});
