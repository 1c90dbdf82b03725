import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChatRequest, ChatResponse, Message, Part } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { TokenUsage } from "../../worker/core/usage.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { splitterOf } from "../../worker/protocols/framing.ts";
import { cohere as cohereWire } from "../support/upstream/wire/cohere.ts";
import { converse as converseWire } from "../support/upstream/wire/bedrock.ts";
import type { Answer, Ask, SolidPart, Wire } from "../support/upstream/wire/wire.ts";
import { asEvents, assemble, bothWays, readEvents } from "./answers.ts";
import { call, name, object, said, spoken, text, usage } from "./arbitraries.ts";
import type { Loose } from "../support/loose.ts";

/** Thinking that anybody may read, nobody signed. */
const plain = text.map((value): Part => ({ type: "thinking", text: value }));
const googleCall = fc
  .tuple(call, fc.option(fc.base64String({ minLength: 4 }), { nil: undefined }))
  .map(([part, signature]): Part =>
    signature === undefined ? part : ({ ...part, signature } as Part),
  );
/** Reasoning of OpenAI's: encrypted, with an id of its own. */
const sealed = fc.tuple(name, fc.base64String({ minLength: 4 })).map(([id, redacted]): Part => ({
  type: "thinking",
  text: "",
  redacted,
  family: "openai",
  id: `rs_${id}`,
}));

function answerOf(
  parts: Part[],
  counted: TokenUsage,
  finish: "stop" | "length",
  dialect: ChatResponse["dialect"],
): ChatResponse {
  const called = parts.some((part) => part.type === "toolCall");
  return {
    id: "x",
    created: 5,
    model: "m",
    choices: [{ index: 0, parts, finish: called ? "tool_calls" : finish }],
    usage: counted,
    extra: {},
    dialect,
  };
}

const answers = (part: fc.Arbitrary<Part>, dialect: ChatResponse["dialect"]) =>
  fc
    .tuple(fc.array(part, { maxLength: 6 }), usage, fc.constantFrom("stop", "length"))
    .map(([parts, counted, finish]) => answerOf(parts, counted, finish as "stop", dialect));

/** Neighbours of one kind can't be told apart where parts have no borders: what they say in a row is what counts. */
function merged(parts: readonly Part[]): Part[] {
  const out: Part[] = [];
  for (const part of parts) {
    const last = out[out.length - 1];
    const joins =
      (part.type === "text" && last?.type === "text") ||
      (part.type === "thinking" &&
        last?.type === "thinking" &&
        part.redacted === undefined &&
        last.redacted === undefined);
    if (joins && (part.type === "text" || part.type === "thinking")) last.text += part.text;
    else out.push({ ...part });
  }
  return out;
}

/** Neither tells what was written to a cache from other input. */
const counted = (of: TokenUsage | undefined) =>
  of && { ...of, input: of.input + of.cacheWrite, cacheWrite: 0 };

/** Ids by the order in which they appear: a dialect may spell them anew, as long as it does so everywhere. */
function renumbered<T>(value: T): T {
  const ids = new Map<unknown, string>();
  const text = JSON.stringify(value, (key, member: unknown) => {
    if (typeof member !== "string" || (key !== "id" && key !== "callId")) return member;
    if (!ids.has(member)) ids.set(member, `id ${ids.size}`);
    return ids.get(member);
  });
  return JSON.parse(text) as T;
}

const DIALECTS = [
  ["gemini", answers(fc.oneof(plain, said, googleCall), "gemini")],
  ["openai-responses", answers(fc.oneof(sealed, said, call), "openai-responses")],
] as const;

describe.each(DIALECTS)("%s", (dialect, arbitrary) => {
  const ways = bothWays(dialect);

  test("a whole answer means the same after writing and reading it", () => {
    fc.assert(
      fc.property(arbitrary, (answer) => {
        const again = ways.whole(answer);
        const [choice] = answer.choices;
        expect(renumbered(merged(again.choices[0]!.parts))).toEqual(
          renumbered(merged(choice!.parts)),
        );
        expect(again.choices[0]!.finish).toBe(choice!.finish);
        expect(counted(again.usage)).toEqual(counted(answer.usage));
        expect(again.model).toBe(answer.model);
      }),
    );
  });

  test("a stream adds up to the same answer after writing and reading it", () => {
    fc.assert(
      fc.property(arbitrary, (answer) => {
        const got = assemble(ways.streamed(asEvents(answer)));
        const [choice] = answer.choices;
        expect(got.done).toBe(true);
        const read = got.choices.get(0);
        expect(renumbered(merged(read?.parts ?? []))).toEqual(renumbered(merged(choice!.parts)));
        expect(read?.finish).toBe(choice!.finish);
        expect(counted(got.usage)).toEqual(counted(answer.usage));
      }),
    );
  });

  test("a cut stream is never complete", () => {
    fc.assert(
      fc.property(arbitrary, fc.nat(), (answer, cut) => {
        const events = asEvents(answer);
        const finish = events.findIndex((event) => event.type === "finish");
        expect(assemble(ways.streamed(events.slice(0, cut % (finish + 1)))).done).toBe(false);
      }),
    );
  });
});

const tools = fc.array(fc.tuple(name, object), { maxLength: 3 });
const turn = fc.oneof(
  said.map((part): Message[] => [{ role: "user", parts: [part] }]),
  fc
    .tuple(fc.option(said, { nil: undefined }), fc.array(call, { minLength: 1, maxLength: 3 }))
    .map(([spokenPart, calls]): Message[] => [
      { role: "assistant", parts: [...(spokenPart ? [spokenPart] : []), ...calls] },
      ...calls.map((part): Message => ({
        role: "tool",
        parts: [
          {
            type: "toolResult",
            callId: part.type === "toolCall" ? part.id : "",
            parts: [{ type: "text", text: "seen" }],
          },
        ],
      })),
    ]),
  said.map((part): Message[] => [{ role: "assistant", parts: [part] }]),
);
const request = fc
  .tuple(fc.option(said, { nil: undefined }), fc.array(turn, { minLength: 1, maxLength: 5 }), tools)
  // Converse demands tools behind a history that called some.
  .filter(([, turns, offered]) => offered.length > 0 || !JSON.stringify(turns).includes("toolCall"))
  .map(([system, turns, offered]): ChatRequest => ({
    model: "asked",
    messages: [...(system ? [{ role: "system" as const, parts: [system] }] : []), ...turns.flat()],
    stream: false,
    streamUsage: true,
    sampling: { maxOutputTokens: 99, temperature: 0.5 },
    tools: offered.map(([tool, properties]) => ({
      type: "function",
      name: tool,
      parameters: { type: "object", properties },
    })),
    extra: {},
    dialect: "anthropic",
  }));
const target = {
  model: "target",
  facts: { capabilities: {}, reasoning: "none" },
  streamUsage: "always",
} as const;

/** What is said in a request, whatever its turns are called: names of results are repeated where a protocol wants them. */
function words(messages: readonly Message[]): unknown {
  const named = messages.map((message) => ({
    ...message,
    parts: message.parts.map((part) => {
      if (part.type !== "toolResult") return part;
      const { name: _, ...rest } = part;
      return rest;
    }),
  }));
  // Pieces of what the model said in a row are one text where Google's clients send them.
  const turns = spoken(named as Message[]) as unknown as Message[];
  return turns.map(({ role, parts }) => [role, role === "assistant" ? merged(parts) : parts]);
}

test.each(["gemini", "openai-responses"] as const)(
  "a request of %s says the same after building and reading it",
  (dialect) => {
    const { client, provider } = dialectOf(dialect);
    fc.assert(
      fc.property(request, (asked) => {
        const { body, degraded } = provider.buildRequest(asked, target);
        expect(degraded).toEqual([]);
        const again = client.parseRequest(JSON.parse(JSON.stringify(body)) as JsonObject, {
          model: "target",
        });
        expect(renumbered(words(again.messages))).toEqual(renumbered(words(asked.messages)));
        // Responses takes schemas as strict unless it is told that they are not.
        const lax = again.tools.map((tool) => ({ ...tool, strict: undefined }));
        expect(lax).toEqual(asked.tools);
        expect(again.sampling).toEqual(asked.sampling);
      }),
    );
  },
);

/* What only providers speak has no reader of requests: these read the documented form back, part by part. */

const READERS: Record<"bedrock-converse" | "cohere", (body: Loose) => Message[]> = {
  "bedrock-converse": ({ system = [], messages }) => [
    ...(system as Loose[]).map((each): Message => ({
      role: "system",
      parts: [textOf(each["text"])],
    })),
    ...(messages as Loose[]).map(({ role, content }): Message => ({
      role,
      parts: (content as Loose[]).map(({ text: told, toolUse, toolResult }): Part => {
        if (toolUse) {
          const { toolUseId, input } = toolUse;
          return callOf(toolUseId, toolUse["name"], JSON.stringify(input));
        }
        if (!toolResult) return textOf(told);
        const parts = (toolResult["content"] as Loose[]).map((each) => textOf(each["text"]));
        return { type: "toolResult", callId: toolResult["toolUseId"], parts };
      }),
    })),
  ],
  cohere: ({ messages }) =>
    (messages as Loose[]).map(({ role, content, tool_plan: plan, tool_calls = [], ...rest }) => {
      if (role === "tool") {
        const parts = [textOf(content)];
        return { role, parts: [{ type: "toolResult", callId: rest["tool_call_id"], parts }] };
      }
      const told = plan ?? content;
      const calls = (tool_calls as Loose[]).map(({ id, function: named }) =>
        callOf(id, named["name"], JSON.stringify(JSON.parse(named["arguments"]))),
      );
      return { role, parts: [...(told === undefined ? [] : [textOf(told)]), ...calls] };
    }),
};
const textOf = (told: string): Part => ({ type: "text", text: told });
const callOf = (id: string, called: string, args: string): Part => ({
  type: "toolCall",
  id,
  name: called,
  arguments: args,
});

test.each(["bedrock-converse", "cohere"] as const)(
  "a request of %s says all that was asked",
  (protocol) => {
    const { provider: writes } = protocolOf(protocol);
    fc.assert(
      fc.property(request, (asked) => {
        const { body, degraded } = writes.buildRequest(asked, target);
        const sent = JSON.parse(JSON.stringify(body)) as Loose;
        // Converse takes no blank text.
        const blank = (part: Part) =>
          protocol === "bedrock-converse" && part.type === "text" && part.text.trim() === "";
        const meant = asked.messages
          .map((message) => ({ ...message, parts: message.parts.filter((part) => !blank(part)) }))
          .filter(({ parts }) => parts.length > 0);
        // Instructions alone are what is asked there.
        fc.pre(meant.some(({ role }) => role !== "system"));
        const [first] = meant.filter(({ role }) => role !== "system");
        const greets = protocol === "bedrock-converse" && first?.role === "assistant";
        expect(degraded).toEqual(greets ? ["messages"] : []);
        const read = READERS[protocol](sent).filter(
          ({ parts: [part] }) => !greets || part?.type !== "text" || part.text !== "(empty)",
        );
        expect(renumbered(words(read))).toEqual(renumbered(words(meant)));
        const offered =
          protocol === "cohere"
            ? (sent["tools"] ?? []).map((each: Loose) => [
                each["function"]["name"],
                each["function"]["parameters"],
              ])
            : (sent["toolConfig"]?.["tools"] ?? []).map(({ toolSpec }: Loose) => [
                toolSpec["name"],
                toolSpec["inputSchema"]["json"],
              ]);
        expect(offered).toEqual(
          asked.tools.map((tool) => tool.type === "function" && [tool.name, tool.parameters]),
        );
        const config = protocol === "cohere" ? sent : sent["inferenceConfig"];
        expect([config["max_tokens"] ?? config["maxTokens"], config["temperature"]]).toEqual([
          99, 0.5,
        ]);
      }),
    );
  },
);

/* Protocols that only providers speak go round by the provider server's own writer and reader. */

const solid: fc.Arbitrary<SolidPart> = fc.oneof(
  fc
    .stringMatching(/^[a-z]{1,5}( [a-zé"\\]{1,5}){0,4}$/)
    .map((value): SolidPart => ({ kind: "text", text: value })),
  fc
    .stringMatching(/^[a-z]{1,5}( [a-z]{1,5}){0,4}$/)
    .map((value): SolidPart => ({ kind: "thinking", text: value })),
  fc.tuple(name, object, fc.uuid()).map(([called, input, id]): SolidPart => ({
    kind: "tool",
    name: called,
    arguments: JSON.stringify(input),
    id,
  })),
);
const served = fc
  .tuple(
    fc.array(solid, { maxLength: 5 }),
    fc.record({
      input: fc.nat(999),
      cacheRead: fc.nat(999),
      cacheWrite: fc.nat(999),
      output: fc.nat(999),
    }),
    fc.constantFrom("stop", "length"),
  )
  .map(([parts, counted, finish]): Answer => ({
    serial: 1,
    model: "m",
    choices: [parts],
    finish: parts.some((part) => part.kind === "tool") ? "tools" : finish,
    stopSequence: undefined,
    logprobs: false,
    usage: { ...counted, reasoning: 0 },
  }));

function canonical(part: SolidPart): Part {
  if (part.kind === "tool") {
    return { type: "toolCall", id: part.id ?? "", name: part.name, arguments: part.arguments };
  }
  if (part.kind === "redacted") return { type: "thinking", text: "", redacted: part.data };
  return { type: part.kind, text: part.text };
}

/** Cohere's message has places, not an order: thinking, then what is said, then calls. */
function inPlaces(parts: readonly Part[]): Part[] {
  const order = ["thinking", "text", "toolCall"];
  return parts.toSorted((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
}

const SERVED: [string, Wire, "cohere" | "bedrock-converse", (parts: readonly Part[]) => Part[]][] =
  [
    ["cohere", cohereWire, "cohere", inPlaces],
    ["bedrock-converse", converseWire, "bedrock-converse", (parts) => [...parts]],
  ];
const ASK = { stream: true } as Ask;

describe.each(SERVED)("%s", (_, wire, protocol, placed) => {
  const { provider } = protocolOf(protocol);
  const to = { baseUrl: "http://x", model: "m", stream: true };
  const bill = ({ usage: u }: Answer) =>
    protocol === "cohere" ? u.input + u.cacheRead + u.cacheWrite : u.input;

  test("a whole answer is read as it was meant", () => {
    fc.assert(
      fc.property(served, (answer) => {
        const body = JSON.parse(JSON.stringify(wire.whole(answer, {}))) as JsonObject;
        const { choices, usage: billed } = provider.parseResponse(body);
        const meant = placed(answer.choices[0]!.map(canonical));
        expect(merged(placed(choices[0]!.parts))).toEqual(merged(meant));
        expect(choices[0]!.finish).toBe(answer.finish === "tools" ? "tool_calls" : answer.finish);
        expect(billed).toMatchObject({ input: bill(answer), output: answer.usage.output });
      }),
    );
  });

  test("a stream adds up to the same, split at any byte", () => {
    fc.assert(
      fc.property(served, fc.nat(), (answer, cut) => {
        const bytes = Buffer.concat(
          wire.stream(answer, {}, ASK).map((frame) => Buffer.from(frame.text as Uint8Array)),
        );
        const splitter = splitterOf(provider.framing(to));
        const at = cut % bytes.length;
        const blocks = [bytes.subarray(0, at), bytes.subarray(at)].flatMap((piece) =>
          splitter.push(piece),
        );
        const rest = splitter.end();
        const events = [...blocks, ...(rest ? [rest] : [])].flatMap(({ event }) => event ?? []);
        const got = assemble(readEvents(provider.parseStream(), events));
        expect(got.done).toBe(true);
        const meant = placed(answer.choices[0]!.map(canonical));
        expect(merged(placed(got.choices.get(0)?.parts ?? []))).toEqual(merged(meant));
        expect(got.usage).toMatchObject({ input: bill(answer), output: answer.usage.output });
      }),
    );
  });
});
