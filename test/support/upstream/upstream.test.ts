import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  brokenEvent,
  cutAfter,
  describesImages,
  endsWithoutFinish,
  errorAfter,
  fails,
  failsTimes,
  gated,
  hangs,
  mix,
  notJson,
  recorded,
  recordedBody,
  recordedEvents,
  recordings,
  recordingsFolder,
  refusal,
  startUpstream,
  text,
  thinking,
  tool,
  tools,
  withoutUsage,
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

describe("openai-chat", () => {
  test("the official client reads text, usage and finish, whole and streamed", async () => {
    up.model("m", text(TEXT));
    const whole = await openai.chat.completions.create({ model: "m", messages: PROMPT });
    expect(whole.choices[0]?.message.content).toBe(TEXT);
    expect(whole.choices[0]?.finish_reason).toBe("stop");
    expect(whole.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 5 });

    const stream = await openai.chat.completions.create({
      model: "m",
      messages: PROMPT,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await Array.fromAsync(stream);
    expect(chunks.map((c) => c.choices[0]?.delta.content ?? "").join("")).toBe(TEXT);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 11 } });
    expect(chunks.slice(0, -1).every((c) => c.usage === null)).toBe(true);
    expect(up.calls.of("m").map((call) => call.billed.output)).toEqual([5, 5]);
  });

  test("usage comes unasked never, and where the behaviour puts it", async () => {
    up.script("m", [
      text(TEXT),
      text(TEXT, { usagePlace: "choice" }),
      mix(text(TEXT), withoutUsage()),
    ]);
    expect(await (await chat({ stream: true })).text()).not.toContain("usage");
    expect(await (await chat({ stream: true })).text()).toMatch(
      /"finish_reason":"stop","usage":\{"prompt_tokens":6/,
    );
    expect(await (await chat()).text()).not.toContain("usage");
  });

  test("parallel tool calls interleave and keep their indexes", async () => {
    const calls = [tool("weather", { city: "Oslo" }), tool("clock", { zone: "Europe/Oslo" })];
    up.model("m", tools(calls, "Let me see.", { interleave: true }));
    const stream = openai.chat.completions.stream({ model: "m", messages: PROMPT });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.finish_reason).toBe("tool_calls");
    const made = final.choices[0]?.message.tool_calls?.map(
      (c) => c.type === "function" && c.function,
    );
    expect(made).toMatchObject([
      { name: "weather", arguments: '{"city":"Oslo"}' },
      { name: "clock", arguments: '{"zone":"Europe/Oslo"}' },
    ]);
  });

  test("choices, logprobs, refusal, limits, stop sequences, images", async () => {
    up.script("m", [text(TEXT), refusal("I can't."), text(TEXT), text(TEXT), describesImages()]);
    const two = await openai.chat.completions.create({
      model: "m",
      messages: PROMPT,
      n: 2,
      logprobs: true,
    });
    expect(two.choices.map((c) => c.message.content)).toEqual([TEXT, `${TEXT} (2)`]);
    expect(two.choices[1]?.logprobs?.content?.at(-1)?.token).toBe(" (2)");
    const no = await openai.chat.completions.create({ model: "m", messages: PROMPT });
    expect(no.choices[0]?.message).toMatchObject({ content: null, refusal: "I can't." });
    const short = await openai.chat.completions.create({
      model: "m",
      messages: PROMPT,
      max_completion_tokens: 2,
    });
    expect(short.choices[0]).toMatchObject({
      finish_reason: "length",
      message: { content: "one two" },
    });
    const stopped = await openai.chat.completions.create({
      model: "m",
      messages: PROMPT,
      stop: ["four"],
    });
    expect(stopped.choices[0]?.message.content).toBe("one two three ");
    const url = `data:image/png;base64,${Buffer.from("12345").toString("base64")}`;
    const seen = await openai.chat.completions.create({
      model: "m",
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
    });
    expect(seen.choices[0]?.message.content).toBe("I see 1 images: image/png of 5 bytes.");
  });

  test("scripted failures run in order, with the errors the client knows", async () => {
    up.script("m", [
      failsTimes(2, "rate_limit", { retryAfter: 7, retryAfterMs: 6500 }),
      fails("context_window"),
      fails("html"),
    ]);
    const ask = () => openai.chat.completions.create({ model: "m", messages: PROMPT });
    await expect(ask()).rejects.toThrow(OpenAI.RateLimitError);
    const limited = await chat();
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(limited.headers.get("retry-after-ms")).toBe("6500");
    await expect(ask()).rejects.toMatchObject({ code: "context_length_exceeded", status: 400 });
    expect(await (await chat()).text()).toContain("502 Bad Gateway");
    expect((await ask()).choices[0]?.message.content).toBe("Hello from the provider.");
    expect(up.calls.all.map((call) => call.billed.input)).toEqual([0, 0, 0, 0, 6]);
  });
});

describe("anthropic", () => {
  const ask = { model: "m", max_tokens: 99, messages: PROMPT };

  test("the official client reads thinking, text, tools and usage, whole and streamed", async () => {
    const behaviour = thinking("hm well", TEXT, { usage: { cacheRead: 40, cacheWrite: 2 } });
    behaviour.parts?.push(tool("weather", { city: "Oslo" }, "toolu_1"));
    up.model("m", behaviour);
    const whole = await anthropic.messages.create(ask);
    const final = await anthropic.messages.stream(ask).finalMessage();
    for (const answer of [whole, final]) {
      expect(answer.content).toMatchObject([
        { type: "thinking", thinking: "hm well", signature: "c2lnbmF0dXJl" },
        { type: "text", text: TEXT },
        { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Oslo" } },
      ]);
      expect(answer.stop_reason).toBe("tool_use");
      expect(answer.usage).toMatchObject({
        input_tokens: 6,
        cache_read_input_tokens: 40,
        cache_creation_input_tokens: 2,
        output_tokens: 10,
      });
    }
    expect(up.calls.all[1]?.billed).toEqual({
      input: 6,
      cacheRead: 40,
      cacheWrite: 2,
      output: 8,
      reasoning: 2,
    });
  });

  test("models, token counts, the provider's own errors and its demands", async () => {
    up.script("m", [fails("overloaded"), { stopSequence: "END", finish: "stop-sequence" }]);
    await expect(anthropic.messages.create(ask)).rejects.toMatchObject({ status: 529 });
    expect((await anthropic.messages.create(ask)).stop_sequence).toBe("END");
    expect((await anthropic.models.list()).data.map((m) => m.id)).toEqual(["m"]);
    expect((await openai.models.list()).data.map((m) => m.id)).toEqual(["m"]);
    expect(await anthropic.messages.countTokens(ask)).toEqual({ input_tokens: 6 });
    const bare = await post("/v1/messages", { model: "m", messages: PROMPT });
    expect(await bare.json()).toMatchObject({
      error: { type: "invalid_request_error", message: "max_tokens: Field required" },
    });
  });

  test("an error event in the stream reaches the client as an error", async () => {
    up.model("m", mix(text(TEXT), errorAfter({ content: 2 })));
    await expect(anthropic.messages.stream(ask).finalMessage()).rejects.toThrow("Overloaded");
    expect(up.calls.all[0]?.billed.output).toBe(2);
  });
});

test("keys are asked for in each provider's way", async () => {
  const strict = await startUpstream({ keys: ["sk-good"], closed: true });
  const bad = new OpenAI({ baseURL: strict.url, apiKey: "sk-bad", maxRetries: 0 });
  await expect(bad.models.list()).rejects.toMatchObject({ code: "invalid_api_key" });
  const good = new Anthropic({ baseURL: strict.url, apiKey: "sk-good", maxRetries: 0 });
  const asked = good.messages.create({ model: "x", max_tokens: 1, messages: PROMPT });
  await expect(asked).rejects.toThrow(Anthropic.NotFoundError);
  await strict.stop();
});

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
