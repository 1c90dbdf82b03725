import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  brokenEvent,
  cutAfter,
  endsWithoutFinish,
  gated,
  hangs,
  mix,
  notJson,
  recorded,
  recordedBody,
  recordedEvents,
  recordings,
  recordingsFolder,
  startUpstream,
  text,
  tool,
  tools,
  type Behaviour,
  type Upstream,
} from "./index.ts";

const PROMPT = [{ role: "user" as const, content: "Say it in five words" }];
const TEXT = "one two three four five";

let up: Upstream;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  up = await startUpstream();
  openai = new OpenAI({ baseURL: `${up.url}/v1`, apiKey: "sk-up", maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: up.url, apiKey: "sk-ant-up", maxRetries: 0 });
});
beforeEach(() => up.reset());
afterAll(() => up.stop());

function post(path: string, body: object, signal?: AbortSignal) {
  return fetch(up.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", "anthropic-version": "2023-06-01" },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
}
const chat = (more: object = {}, signal?: AbortSignal) =>
  post("/v1/chat/completions", { model: "m", messages: PROMPT, ...more }, signal);
const message = (more: object = {}) =>
  post("/v1/messages", { model: "m", max_tokens: 99, messages: PROMPT, ...more });

describe("bodies that go wrong", () => {
  test("hangs before the headers until released, or until the client leaves", async () => {
    up.model("m", hangs());
    const answer = chat();
    (await up.nextCall("m")).release();
    expect((await answer).status).toBe(200);

    const leave = new AbortController();
    const left = chat({}, leave.signal);
    const call = await up.nextCall("m");
    leave.abort();
    await expect(left).rejects.toThrow();
    await call.aborted;
    expect(call.billed.input).toBe(0);
  });

  test("a gate lets through one content event at a time; leaving stops the bill", async () => {
    up.model("m", mix(text(TEXT), gated()));
    const leave = new AbortController();
    const answer = chat({ stream: true }, leave.signal);
    const call = await up.nextCall("m");
    call.release(2);
    const reader = (await answer).body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = "";
    while (!seen.includes(" two")) seen += (await reader?.read())?.value;
    expect(seen).not.toContain("three");
    leave.abort();
    await call.aborted;
    expect(call.billed).toMatchObject({ input: 6, output: 2 });
  });

  test.each<[string, Behaviour, string]>([
    ["cut after two content events", cutAfter({ content: 2 }), " two"],
    ["cut after 40 bytes", cutAfter({ bytes: 40 }), "data:"],
    ["cut before any header", { drop: true }, ""],
  ])("%s: the socket dies", async (_, behaviour, last) => {
    up.model("m", mix(text(TEXT), behaviour));
    const read = async () => (await chat({ stream: true })).text();
    await expect(read()).rejects.toThrow();
    const [call] = up.calls.all;
    expect(await call?.ended).toBe("cut");
    expect(call?.sent.toString()).toContain(last);
    expect(call?.sent.toString()).not.toContain(" three");
    if ("cut" in behaviour && "bytes" in (behaviour.cut ?? {})) expect(call?.sent.length).toBe(40);
  });

  test("a hang inside the body holds the rest until it is released", async () => {
    up.model("m", mix(text(TEXT), hangs({ content: 3 })));
    for (const stream of [true, false]) {
      const answer = await chat({ stream });
      const call = await up.nextCall("m");
      await call.answering;
      const body = answer.text();
      const before = call.sent.toString();
      expect(before).not.toMatch(/" five"|"fp_upstream"\}$/);
      call.release();
      expect(await body).toContain(" five");
      expect((await body).startsWith(before)).toBe(true);
      expect(call.sent.toString()).toBe(await body);
    }
  });

  test("a clean early end, and slow tokens", async () => {
    up.model("m", mix(text(TEXT), { delay: 20, eof: { content: 2 } }));
    expect(await (await chat({ stream: true })).text()).toMatch(/" two"[^]+\n\n$/);
    const [call] = up.calls.all;
    expect(call?.ending).toBe("cut");
    expect((call?.at.end ?? 0) - (call?.at.headers ?? 0)).toBeGreaterThan(35);
    expect(call?.billed).toMatchObject({ input: 6, output: 2 });
  });

  test("a whole body is cut in its middle", async () => {
    up.model("m", mix(text(TEXT), cutAfter({ content: 1 })));
    await expect(chat().then((r) => r.text())).rejects.toThrow();
  });

  test("clean end without finish, broken event, no JSON", async () => {
    up.script("m", [mix(text(TEXT), endsWithoutFinish()), brokenEvent({ events: 2 }), notJson()]);
    const silent = await (await chat({ stream: true })).text();
    expect(silent).toContain(" five");
    expect(silent).not.toMatch(/"finish_reason":"|DONE/);
    expect(await (await chat({ stream: true })).text()).toContain('"con\n\ndata: {');
    expect(await (await chat()).text()).toContain("upstream connect error");
  });

  test("cut tool arguments stay half", async () => {
    up.model("m", mix(tools([tool("weather", { city: "Oslo" })]), cutAfter({ content: 2 })));
    await chat({ stream: true })
      .then((r) => r.text())
      .catch(() => undefined);
    const sent = up.calls.all[0]?.sent.toString() ?? "";
    expect(sent).toContain(JSON.stringify('{"city":'));
    expect(sent).not.toContain("Oslo");
  });

  test("any split, line end, comment or compression carries the same events", async () => {
    const ways: Behaviour[] = [
      {},
      { split: "bytes" },
      { split: [1, 7, 300] },
      { lineEnd: "\r\n", before: ": keepalive\n\n" },
      { gzip: true },
    ];
    const said = `${TEXT} — größer 🙂`;
    const seen = [];
    for (const way of ways) {
      up.model("m", mix(text(said), way));
      const stream = openai.chat.completions.stream({ model: "m", messages: PROMPT });
      seen.push((await stream.finalChatCompletion()).choices[0]?.message.content);
    }
    expect(seen).toEqual(ways.map(() => said));
  });
});

describe("asked to continue", () => {
  const begun = "one two three";
  const native = [...PROMPT, { role: "assistant" as const, content: begun }];
  const instruction = [...native, { role: "user" as const, content: "Continue exactly." }];

  test.each<[Behaviour["continuation"], string]>([
    ["exact", " four five"],
    ["echo", TEXT],
    ["restart", TEXT],
    ["repeat", "two three four five"],
    ["preface", "Sure, continuing: four five"],
    ["differ", "one two or rather something else altogether."],
  ])("%s", async (continuation, expected) => {
    up.model("m", text(TEXT, { continuation }));
    for (const messages of [native, instruction]) {
      const answer = (await (await chat({ messages })).json()) as OpenAI.ChatCompletion;
      expect(answer.choices[0]?.message.content).toBe(expected);
    }
    const fresh = (await (await message()).json()) as Anthropic.Message;
    expect(fresh.content).toMatchObject([{ text: TEXT }]);
  });

  test("a model may refuse the trailing turn and take the instruction", async () => {
    up.model("m", text(TEXT, { continuation: { native: "refuse", instruction: "exact" } }));
    expect((await message({ messages: native })).status).toBe(400);
    const answer = (await (await message({ messages: instruction })).json()) as Anthropic.Message;
    expect(answer.content).toMatchObject([{ text: " four five" }]);
  });
});

describe.skipIf(recordingsFolder() === undefined)("recordings (ROUTERO_TEST_DATA)", () => {
  test("whole answers are served byte for byte", async () => {
    for (const name of recordings("anthropic", "whole")) {
      up.script("m", [recorded(name)]);
      expect(await (await message()).text()).toBe(recordedBody(name));
    }
  });

  test("streams are served with the protocol's framing, wherever they are split", async () => {
    for (const name of [...recordings("groq", "stream"), ...recordings("deepseek", "stream")]) {
      up.script("m", [recorded(name, { split: [10, 500, 501] })]);
      const served = await (await chat({ stream: true })).text();
      const lines = served.split("\n\n");
      expect(lines.slice(0, -2).map((line) => line.slice(6))).toEqual(recordedEvents(name));
      expect(lines.at(-2)).toBe("data: [DONE]");
    }
  });

  test("the official client reads a recorded anthropic stream", async () => {
    up.script("m", [recorded("anthropic/anthropic-json-tool.1")]);
    const stream = anthropic.messages.stream({ model: "m", max_tokens: 9, messages: PROMPT });
    expect((await stream.finalMessage()).stop_reason).toBe("tool_use");
    expect(up.calls.all[0]?.sent.toString()).toMatch(/^event: message_start\ndata: \{/);
  });
});
