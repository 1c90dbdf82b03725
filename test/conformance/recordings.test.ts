import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  bodyFor,
  MODEL,
  startGround,
  type Dialect,
  type Ground,
} from "../gateway/support/ground.ts";
import { describeWithData } from "../support/data.ts";
import {
  gated,
  mix,
  recorded,
  recordedBody,
  recordedEvents,
  thinking,
  tool,
  tools,
  text,
  type Behaviour,
} from "../support/upstream/index.ts";
import type { Loose } from "../support/loose.ts";
import { toldByChunks, toldByEvents, toldByMessage, type Told } from "./told.ts";

/** Folders below `recordings`, and the dialect that was recorded there. */
const FOLDERS: Record<string, Dialect> = {
  anthropic: "anthropic",
  groq: "openai",
  deepseek: "openai",
  mistral: "openai",
  xai: "openai",
  moonshotai: "openai",
  alibaba: "openai",
  "openai/chat": "openai",
  "openai-compatible": "openai",
};

/** Recordings that are no chat answer; whatever else lies in the folders is replayed. */
const OTHERS: [RegExp, string][] = [
  [/^groq\/groq-transcription-text$/, "an audio transcription"],
  [/^mistral\/mistral-transcription$/, "an audio transcription"],
  [/^xai\/responses\//, "the Responses protocol"],
  [/^anthropic\/skills\//, "administration of skills"],
  [/^openai\/chat\/reasoning-model-legacy-parameter-error$/, "a refusal: upstream-faults.test.ts"],
  [/^anthropic\/spliced-message-start$/, "not one answer: its own test below"],
];

let ground: Ground;
let direct: { openai: OpenAI; anthropic: Anthropic };

beforeAll(async () => {
  ground = await startGround();
  const options = { apiKey: "sk-direct", maxRetries: 0 };
  direct = {
    openai: new OpenAI({ ...options, baseURL: `${ground.up.url}/v1` }),
    anthropic: new Anthropic({ ...options, baseURL: ground.up.url }),
  };
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

type Clients = { openai: OpenAI; anthropic: Anthropic };
const gateway = (): Clients => ({ openai: ground.openai(), anthropic: ground.anthropic() });

/** Asks with the official client; the accumulated answer, and what its events or chunks say. */
async function ask(clients: Clients, client: Dialect, model: string, stream: boolean) {
  if (client === "openai") {
    const body = bodyFor("openai", {}, model) as OpenAI.ChatCompletionCreateParamsNonStreaming;
    if (!stream) {
      const answer = await clients.openai.chat.completions.create(body);
      return { answer: answer as Loose, told: toldByChunks([answer]) };
    }
    const chunks = await clients.openai.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    const [one, two] = chunks.tee();
    // What the client's own sum refuses (Mistral's chunks without role or index) it must refuse all the same.
    const answer: Promise<Loose> = ChatCompletionStream.fromReadableStream(one.toReadableStream())
      .finalChatCompletion()
      .catch((error: Error) => ({ refused: error.message }));
    const told = toldByChunks(await Array.fromAsync(two));
    return { answer: await answer, told };
  }
  const body = bodyFor("anthropic", {}, model) as Anthropic.MessageCreateParamsNonStreaming;
  if (!stream) {
    const answer = await clients.anthropic.messages.create(body);
    return { answer: answer as Loose, told: toldByMessage(answer) };
  }
  const running = clients.anthropic.messages.stream(body);
  const events: Loose[] = [];
  running.on("streamEvent", (event) => events.push(structuredClone(event)));
  const answer = await running.finalMessage();
  return { answer: answer as Loose, told: toldByEvents(events) };
}

function without(from: Loose, names: string[]): Loose {
  return Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name)));
}

/** What an answer says, without what tells how it came. */
function said(answer: Loose): Loose {
  return without(JSON.parse(JSON.stringify(answer)) as Loose, ["_request_id", "routero"]);
}

/** The answer's bytes as its caller may see them under PROTOCOLS 1, found without parsing more than it must. */
function allowed(client: Dialect, served: string, asked: boolean): string {
  const blocks = served.split(/(?<=\n\n)/);
  if (client === "anthropic") {
    const end = blocks.findIndex((block) => block.startsWith("event: message_stop"));
    return blocks.slice(0, end + 1).join("");
  }
  if (asked) return served;
  return blocks
    .filter((block) => !/"choices":\s*\[\]/.test(block) || !/"usage":\s*\{/.test(block))
    .map((block) => block.replace(/,"usage":null/, ""))
    .join("");
}

/** Takes `routero` out of the last usage, where it must be the last member; fails when it is missing. */
function withoutMeta(received: string): string {
  const [before, meta, after, ...more] = received.split(/,"routero":(\{[^}]*\})/);
  expect(more).toEqual([]);
  expect(JSON.parse(meta ?? "null")).toMatchObject({ provider: "openai", fallbacks: 0 });
  expect(after).toMatch(/^\}\n\n/);
  return `${before}${after}`;
}

async function raw(client: Dialect, more: object, behaviour: Behaviour) {
  const model = MODEL[client];
  ground.up.script(model, [behaviour]);
  const answer = await ground.post(client, bodyFor(client, more));
  expect(answer.status).toBe(200);
  const received = await answer.text();
  const call = ground.up.calls.of(model).at(-1)!;
  await call.ended;
  return { received, served: call.sent.toString() };
}

/** All that is claimed of one answer; `oracle` is what it says. */
async function claims(dialect: Dialect, stream: boolean, behaviour: Behaviour, oracle: Told) {
  const model = MODEL[dialect];
  const { up } = ground;

  const { received, served } = await raw(dialect, { stream }, behaviour);
  expect(received).toBe(stream ? allowed(dialect, served, false) : served);
  if (stream && dialect === "openai") {
    const more = { stream, stream_options: { include_usage: true } };
    const asked = await raw(dialect, more, behaviour);
    expect(withoutMeta(asked.received)).toBe(allowed(dialect, asked.served, true));
  }

  // The oracle of the differential gets one answer; that nothing follows it is claimed above.
  const once: Behaviour =
    stream && dialect === "anthropic"
      ? { body: { text: allowed(dialect, served, false), type: "text/event-stream" } }
      : behaviour;
  up.script(model, [once, behaviour]);
  const straight = await ask(direct, dialect, model, stream);
  const through = await ask(gateway(), dialect, model, stream);
  const fixed = (answer: Loose) => (behaviour.recording === undefined ? numbered(answer) : answer);
  expect(fixed(said(through.answer))).toEqual(fixed(said(straight.answer)));
  expect(through.told).toEqual(oracle);

  const other: Dialect = dialect === "openai" ? "anthropic" : "openai";
  up.script(model, [behaviour]);
  const translated = await ask(gateway(), other, model, stream);
  expect(translated.told).toEqual(oracle);
  if (other === "openai") {
    const { choices } = translated.answer as OpenAI.ChatCompletion;
    expect(choices[0]?.message.content ?? "").toBe(oracle.text);
    expect(choices[0]?.message.tool_calls?.length ?? 0).toBe(oracle.calls.length);
  } else {
    expect(toldByMessage(translated.answer)).toEqual(oracle);
  }
}

/** The provider server numbers its answers; which number is its own affair. */
function numbered(answer: Loose): Loose {
  const rest = JSON.stringify(without(answer, ["id", "created"]));
  return JSON.parse(rest.replaceAll(/"(call|toolu)_\d+_/g, '"$1_n_')) as Loose;
}

function oracleOf(dialect: Dialect, stream: boolean, name: string): Told {
  if (!stream) {
    const body = JSON.parse(recordedBody(name)) as Loose;
    return dialect === "openai" ? toldByChunks([body]) : toldByMessage(body);
  }
  const events = recordedEvents(name).map((line) => JSON.parse(line) as Loose);
  if (dialect === "openai") return toldByChunks(events);
  const end = events.findIndex((event) => event["type"] === "message_stop");
  return toldByEvents(events.slice(0, end + 1));
}

for (const [folder, dialect] of Object.entries(FOLDERS)) {
  describeWithData(`recordings of ${folder}`, `recordings/${folder}`, (data) => {
    const answers = data.files.filter((file) => {
      const name = `${folder}/${file}`.replace(/(\.chunks\.txt|\.json)$/, "");
      return !OTHERS.some(([pattern]) => pattern.test(name));
    });
    for (const file of answers) {
      const stream = file.endsWith(".chunks.txt");
      const name = `${folder}/${file.replace(/(\.chunks\.txt|\.json)$/, "")}`;
      test(`${name} ${stream ? "streamed" : "buffered"} loses nothing to either client`, async () => {
        await claims(dialect, stream, recorded(name), oracleOf(dialect, stream, name));
      });
    }
    test("leaves out only what is listed", () => {
      const left = data.files.filter((file) => !answers.includes(file));
      for (const file of left) {
        const name = `${folder}/${file}`.replace(/(\.chunks\.txt|\.json)$/, "");
        expect(OTHERS.find(([pattern]) => pattern.test(name))?.[1]).toMatch(/\w/);
      }
      expect(answers.length).toBeGreaterThan(0);
    });
  });
}

describeWithData("a recording of two messages in one stream", "recordings/anthropic", () => {
  test.each<Dialect>(["openai", "anthropic"])(
    "ends with an error for %s clients, and the second message is not delivered",
    async (client) => {
      ground.up.model(MODEL.anthropic, mix(recorded("anthropic/spliced-message-start"), gated()));
      const asked = ground.post(client, bodyFor(client, { stream: true }, MODEL.anthropic));
      const call = await ground.up.nextCall();
      call.release(3);
      let received = "";
      for await (const piece of (await asked).body!.pipeThrough(new TextDecoderStream())) {
        received += piece;
        if (received.includes("I will call the tool.")) call.releaseAll();
      }
      expect(received).toMatch(client === "openai" ? /data: \{"error":/ : /event: error\n/);
      expect(received).toContain("second message");
      expect(received).not.toMatch(/msg_second|Sparkle|\[DONE\]|message_stop/);
    },
  );
});

/** The same shapes out of the provider server, for machines without the recordings. */
const USAGE = { cacheRead: 40 };
const CALLS = [tool("weather", { city: "Oslo" }), tool("clock", { zone: "Europe/Oslo" })];
const SHAPES: Record<string, [Behaviour, Partial<Told>]> = {
  text: [text("one two — größer 🙂"), { text: "one two — größer 🙂", finish: "stop" }],
  "cached input": [text("short", { usage: USAGE }), { text: "short" }],
  "a text cut by its limit": [text("one two", { finish: "length" }), { finish: "length" }],
  thinking: [thinking("hm, well", "so it is"), { reasoning: "hm, well", text: "so it is" }],
  "a tool call": [
    tools([tool("weather", { city: "Oslo" })]),
    { calls: [{ name: "weather", input: { city: "Oslo" } }], finish: "tool_calls" },
  ],
  "a tool call without arguments": [
    tools([tool("clock", {})]),
    { calls: [{ name: "clock", input: {} }] },
  ],
  "text, then parallel tool calls": [
    tools(CALLS, "Let me see."),
    {
      text: "Let me see.",
      calls: [
        { name: "weather", input: { city: "Oslo" } },
        { name: "clock", input: { zone: "Europe/Oslo" } },
      ],
    },
  ],
};
/** Shapes that only one dialect has. */
const OPENAI_SHAPES: Record<string, [Behaviour, Partial<Told>]> = {
  "tool calls whose arguments take turns": [
    mix(tools(CALLS), { interleave: true }),
    SHAPES["text, then parallel tool calls"]![1].calls === undefined
      ? {}
      : { calls: SHAPES["text, then parallel tool calls"]![1].calls },
  ],
  "reasoning under its other name": [
    mix(thinking("hm, well", "so it is"), { reasoningField: "reasoning" }),
    { reasoning: "hm, well", text: "so it is" },
  ],
  "usage beside the finish reason": [text("one", { usagePlace: "finish" }), { text: "one" }],
  "usage on every chunk": [text("one two", { usagePlace: "every" }), { text: "one two" }],
  "reasoning outside of the completion": [
    mix(thinking("hm, well", "so it is"), { reasoningOutside: true }),
    { reasoning: "hm, well" },
  ],
};

describe.each<[Dialect, typeof SHAPES]>([
  ["openai", { ...SHAPES, ...OPENAI_SHAPES }],
  ["anthropic", SHAPES],
])("answers of a provider that speaks %s", (dialect, shapes) => {
  const cases = Object.entries(shapes).flatMap(([name, [behaviour, expected]]) =>
    [false, true].map((stream) => ({ name, behaviour, expected, stream })),
  );
  test.each(cases)("$name, streamed: $stream", async ({ behaviour, expected, stream }) => {
    ground.up.script(MODEL[dialect], [behaviour]);
    const { told } = await ask(direct, dialect, MODEL[dialect], stream);
    expect(told).toMatchObject(expected);
    expect(told.usage?.completion).toBeGreaterThan(0);
    await claims(dialect, stream, behaviour, told);
  });
});
