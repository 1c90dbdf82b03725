import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EXTENSION_FIELDS } from "../../worker/core/extensions.ts";
import { scanJson } from "../../worker/core/json.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import type { Target } from "../../worker/protocols/protocol.ts";
import { SseSplitter } from "../../worker/protocols/sse.ts";

const openai = dialectOf("openai-chat").provider.verbatim;
const anthropic = dialectOf("anthropic").provider.verbatim;
const target: Target = {
  model: "gpt-x",
  facts: { capabilities: {} },
  streamUsage: "include_usage",
};

function request(text: string, to: Target = target, verbatim = openai) {
  return verbatim.request(text, scanJson(text), JSON.parse(text) as JsonObject, to);
}

function block(
  verbatim: typeof openai,
  text: string,
  options: Parameters<typeof openai.block>[2],
): string {
  const [first] = new SseSplitter().push(new TextEncoder().encode(text));
  return new TextDecoder().decode(verbatim.block(first!.raw, first!.event, options));
}

const meta = () => ({ cost: "0.1", provider: "p", model: "m", fallbacks: 0 });
const ROUTERO = '"routero":{"cost":"0.1","provider":"p","model":"m","fallbacks":0}';

describe("a chat request that passes through", () => {
  test("changes in its model only, odd spacing and escapes included", () => {
    const text =
      '{ "messages" : [ {"role":"user","content":"\\u00e9 model"} ] ,\n"model" :"a/b", "x":1.0 }';
    expect(request(text)).toEqual({
      text: text.replace('"a/b"', '"gpt-x"'),
      injectedUsage: false,
      lost: [],
    });
  });

  test("asks for usage in a stream unless the caller or the target settles that", () => {
    const ask = (text: string, streamUsage: Target["streamUsage"] = "include_usage") =>
      request(text, { ...target, streamUsage });
    expect(ask('{"model":"a","stream":true}')).toEqual({
      text: '{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true}}',
      injectedUsage: true,
      lost: [],
    });
    expect(
      ask('{"model":"a","stream":true,"stream_options":{ "include_obfuscation":false }}').text,
    ).toBe(
      '{"model":"gpt-x","stream":true,"stream_options":{ "include_obfuscation":false,"include_usage":true }}',
    );
    expect(
      ask('{"model":"a","stream":true,"stream_options":{"include_usage":true}}').injectedUsage,
    ).toBe(false);
    expect(ask('{"model":"a","stream":false}').injectedUsage).toBe(false);
    expect(ask('{"model":"a","stream":true}', "none")).toEqual({
      text: '{"model":"gpt-x","stream":true}',
      injectedUsage: false,
      lost: [],
    });
  });

  test("carries no member of the gateway, at the top or inside stored metadata", () => {
    const fields = Object.fromEntries(EXTENSION_FIELDS.map((name) => [name, {}]));
    const sent = { model: "a", ...fields, metadata: { ...fields, tags: ["x"] }, temperature: 1 };
    expect(JSON.parse(request(JSON.stringify(sent)).text)).toEqual({
      model: "gpt-x",
      temperature: 1,
    });
    const stored = { ...sent, store: true, metadata: { ...fields, mine: "y" } };
    expect(JSON.parse(request(JSON.stringify(stored)).text)).toEqual({
      model: "gpt-x",
      store: true,
      metadata: { mine: "y" },
      temperature: 1,
    });
    expect(request('{"model":"a","cache":true,"metadata":{}}').text).toBe(
      '{"model":"gpt-x","cache":true}',
    );
  });

  test("loses what its target refuses of other makers', and no more than that", () => {
    const text =
      '{"messages":[ {"role":"user","content":"cache_control"},{"role":"assistant","content":"x","reasoning":"hm","x":1.0} ],"tools":[{"type":"function","function":{"name":"f"},"cache_control":{}}],"model":"a"}';
    const refuses = (...names: NonNullable<Target["refuses"]>) =>
      request(text, { ...target, refuses: names });
    const unchanged = text.replace('"a"', '"gpt-x"');
    expect(refuses("extra_content")).toMatchObject({ text: unchanged, lost: [] });
    expect(refuses("cache_control")).toMatchObject({
      text: unchanged.replace(',"cache_control":{}', ""),
      lost: ["cache_control"],
    });
    const { lost, text: sent } = refuses("cache_control", "reasoning");
    expect(lost).toEqual(["thinking", "cache_control"]);
    expect(JSON.parse(sent)).toEqual({
      messages: [
        { role: "user", content: "cache_control" },
        { role: "assistant", content: "x", x: 1 },
      ],
      tools: [{ type: "function", function: { name: "f" } }],
      model: "gpt-x",
    });
  });

  test("and the same request rebuilt carry the same members to the provider", () => {
    const { client, provider } = dialectOf("openai-chat");
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom(...EXTENSION_FIELDS, "service_tier", "verbosity", "prompt_cache_key"),
          fc.constantFrom("x", "y"),
          { noNullPrototype: true },
        ),
        fc.constantFrom<JsonObject>({}, { store: true }, { metadata: { tags: "t", own: "o" } }),
        fc.boolean(),
        (fields, more, stored) => {
          delete fields["cache"];
          const sent = {
            model: "a",
            messages: [{ role: "user", content: "hi" }],
            ...fields,
            ...more,
            ...(stored && { store: true }),
          };
          const passed = JSON.parse(request(JSON.stringify(sent)).text) as JsonObject;
          expect(provider.buildRequest(client.parseRequest(sent), target).body).toEqual(passed);
        },
      ),
    );
  });
});

describe("a chat answer that passes through", () => {
  const delta =
    'data: {"id":"1","choices":[{"delta":{"content":"\\"usage\\":null"}}],"usage":null}\n\n';
  const last = 'data: {"id":"1","choices":[],"usage":{"total_tokens":3}}\n\n';

  test("keeps every byte when nothing was injected", () => {
    for (const text of [delta, last, "data: [DONE]\n\n", ": hi\n\n"]) {
      expect(block(openai, text, { injectedUsage: false })).toBe(text);
    }
  });

  test("loses the usage that we asked for and nothing else", () => {
    const options = { injectedUsage: true };
    expect(block(openai, delta, options)).toBe(
      'data: {"id":"1","choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\n',
    );
    expect(block(openai, last, options)).toBe("");
    const prelude = 'data: {"choices":[],"prompt_filter_results":[]}\n\n';
    expect(block(openai, prelude, options)).toBe(prelude);
    const beside = 'data: {"choices":[{"usage":null,"delta":{}}],"usage":{"total_tokens":3}}\n\n';
    expect(block(openai, beside, options)).toBe(beside);
    expect(block(openai, "data: [DONE]\n\n", options)).toBe("data: [DONE]\n\n");
  });

  test("gets `routero` as the last member of its last usage", () => {
    const options = { injectedUsage: false, meta };
    expect(block(openai, last, options)).toBe(
      `data: {"id":"1","choices":[],"usage":{"total_tokens":3},${ROUTERO}}\n\n`,
    );
    expect(block(openai, delta, options)).toBe(delta);
    const running = 'data: {"choices":[{"finish_reason":null}],"usage":{"total_tokens":1}}\n\n';
    expect(block(openai, running, options)).toBe(running);
    const ending = 'data: {"choices":[{"finish_reason":"stop"}],"usage":{"total_tokens":1}}\n\n';
    expect(block(openai, ending, options)).toContain(ROUTERO);
  });
});

describe("a message that passes through", () => {
  test("keeps a user id of its metadata and nothing else of the gateway", () => {
    const text =
      '{"model":"a","metadata":{ "user_id":"u" , "tags":["x"]},"tags":["y"],"max_tokens":5}';
    expect(request(text, target, anthropic).text).toBe(
      '{"model":"gpt-x","metadata":{ "user_id":"u"},"max_tokens":5}',
    );
    expect(request('{"metadata":{"tags":[]},"model":"a"}', target, anthropic).text).toBe(
      '{"model":"gpt-x"}',
    );
    expect(request('{"model":"a","stream":true}', target, anthropic).injectedUsage).toBe(false);
  });

  test("shows `routero` in the event with the last usage, if asked", () => {
    const text =
      'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":1}}\n\n';
    expect(block(anthropic, text, { injectedUsage: false })).toBe(text);
    expect(block(anthropic, text, { injectedUsage: false, meta })).toBe(
      `event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":1},${ROUTERO}}\n\n`,
    );
    const stop = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
    expect(block(anthropic, stop, { injectedUsage: false, meta })).toBe(stop);
  });
});

describe("a limit that a budget sets", () => {
  const limited = (name: "gemini" | "openai-responses", body: JsonObject, outputLimit: number) => {
    const text = JSON.stringify(body);
    const { request } = dialectOf(name).provider.verbatim;
    const sent = request(text, scanJson(text), body, {
      model: "m",
      facts: { capabilities: {} },
      streamUsage: "always",
      outputLimit,
    });
    return JSON.parse(sent.text) as JsonObject;
  };

  test("takes the place of the caller's own, however Google's clients spell it", () => {
    expect(limited("gemini", { contents: [] }, 50)).toEqual({
      contents: [],
      generationConfig: { maxOutputTokens: 50 },
    });
    const snake = { contents: [], generation_config: { max_output_tokens: 900, seed: 1 } };
    expect(limited("gemini", snake, 50)).toEqual({
      contents: [],
      generation_config: { maxOutputTokens: 50, seed: 1 },
    });
  });

  test("in Responses is never below the least that is taken", () => {
    const body = { model: "a", input: "hi", max_output_tokens: 900 };
    expect(limited("openai-responses", body, 50)["max_output_tokens"]).toBe(50);
    expect(limited("openai-responses", { model: "a", input: "hi" }, 3)["max_output_tokens"]).toBe(
      16,
    );
  });
});
