import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  describesImages,
  errorAfter,
  fails,
  failsTimes,
  mix,
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

  test.each<[Behaviour, RegExp]>([
    [{ usagePlace: "own" }, /"choices":\[\],"usage":\{"prompt_tokens":6.+\n\ndata: \[DONE\]/],
    [{ usagePlace: "finish" }, /"finish_reason":"stop"\}\],"usage":\{"prompt_tokens":6/],
    [{ usagePlace: "every" }, /"content":" two".+"completion_tokens":2,/],
    [{ usagePlace: "x_groq" }, /"x_groq":\{"id":"chatcmpl-up\d+","usage":\{"prompt_tokens":6/],
    [
      { usagePlace: "own", usage: { reasoning: 10 }, reasoningOutside: true },
      /"completion_tokens":5,"total_tokens":21,.+"reasoning_tokens":10/,
    ],
    [
      { usagePlace: "own", usage: { cacheRead: 4 } },
      /"prompt_tokens":10,.+"prompt_tokens_details":\{"cached_tokens":4/,
    ],
  ])("usage as %j", async (behaviour, form) => {
    up.model("m", text(TEXT, behaviour));
    expect(await (await chat({ stream: true })).text()).toMatch(form);
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
    const later = new Date("2026-12-01T10:00:00Z");
    up.script("m", [
      fails("unavailable", { retryAfter: later }),
      failsTimes(2, "rate_limit", { retryAfter: 7, retryAfterMs: 6500 }),
      fails("context_window"),
      fails("html"),
    ]);
    const ask = () => openai.chat.completions.create({ model: "m", messages: PROMPT });
    expect((await chat()).headers.get("retry-after")).toBe("Tue, 01 Dec 2026 10:00:00 GMT");
    await expect(ask()).rejects.toThrow(OpenAI.RateLimitError);
    const limited = await chat();
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(limited.headers.get("retry-after-ms")).toBe("6500");
    await expect(ask()).rejects.toMatchObject({ code: "context_length_exceeded", status: 400 });
    expect(await (await chat()).text()).toContain("502 Bad Gateway");
    expect((await ask()).choices[0]?.message.content).toBe("Hello from the provider.");
    expect(up.calls.all.map((call) => call.billed.input)).toEqual([0, 0, 0, 0, 0, 6]);
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
