import { describe, expect, test } from "vitest";
import type { DialectName, ProtocolName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { hi, target } from "./translate.ts";

/*
 * Nothing is lost without a word: each feature arrives at a protocol (some text of the body shows it), or its loss is
 * named, or the request is refused.
 */

type Outcome = { arrives: string } | { named: string } | "refused";
interface Feature {
  by: DialectName;
  asked: JsonObject;
  /** By protocol; `else` for those that are not listed. */
  at: Partial<Record<ProtocolName | "else", Outcome>>;
}

const ALL: ProtocolName[] = [
  "openai-chat",
  "openai-responses",
  "anthropic",
  "gemini",
  "bedrock-converse",
  "cohere",
  "ollama",
];
const arrives = (text: string): Outcome => ({ arrives: text });
const named = (name: string): Outcome => ({ named: name });
const openai = (asked: JsonObject, at: Feature["at"]): Feature => ({
  by: "openai-chat",
  asked,
  at,
});
const says = (content: JsonObject, at: Feature["at"]) =>
  openai({ messages: [{ role: "user", content: [content] }] }, at);
const claude = (asked: JsonObject, at: Feature["at"]): Feature => ({
  by: "anthropic",
  asked: { max_tokens: 99, ...asked },
  at,
});
const CALLED: JsonObject[] = [
  { role: "user", content: "hi" },
  { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "f", input: {} }] },
];
const F = { name: "f", input_schema: { type: "object" } };
const answered = (result: JsonObject) => ({
  tools: [F],
  messages: [
    ...CALLED,
    { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", ...result }] },
  ],
});
const tool = (more: JsonObject) => ({
  tools: [{ type: "function", function: { name: "f", ...more } }],
});
const PIXEL = { type: "base64", media_type: "image/png", data: "UElYRUw=" };
const file = (of: JsonObject) => ({ type: "file", file: of });

const PIECES = ["Dry in Os", "lo."].map((text) => ({ type: "text", text }));
const MARK = { type: "ephemeral", ttl: "1h" };
const marked = { type: "text", text: "long", cache_control: MARK };
const CACHED: Feature["at"] = {
  anthropic: arrives('"cache_control":{"type":"ephemeral","ttl":"1h"}'),
  "bedrock-converse": arrives('"cachePoint":{"type":"default","ttl":"1h"}'),
  else: named("cache_control"),
};

const FEATURES: Record<string, Feature> = {
  "pieces of what the model said": claude(
    { messages: [hi, { role: "assistant", content: PIECES }, hi] },
    {
      anthropic: arrives('[{"type":"text","text":"Dry in Os"},{"type":"text","text":"lo."}]'),
      gemini: arrives('[{"text":"Dry in Os"},{"text":"lo."}]'),
      "bedrock-converse": arrives('[{"text":"Dry in Os"},{"text":"lo."}]'),
      else: arrives('"content":"Dry in Oslo."'),
    },
  ),
  "developer text": openai(
    { messages: [{ role: "developer", content: "MIND" }, hi] },
    {
      "openai-chat": arrives('{"role":"system","content":"MIND"}'),
      "openai-responses": arrives('"role":"developer","content":"MIND"'),
      anthropic: arrives('"system":"MIND"'),
      gemini: arrives('"systemInstruction":{"parts":[{"text":"MIND"}]}'),
      "bedrock-converse": arrives('"system":[{"text":"MIND"}]'),
      else: arrives('{"role":"system","content":"MIND"}'),
    },
  ),
  "a participant's name": openai(
    { messages: [{ role: "user", content: "hi", name: "ada" }] },
    { "openai-chat": arrives('"name":"ada"'), else: named("name") },
  ),
  "an image that a tool showed": claude(answered({ content: [{ type: "image", source: PIXEL }] }), {
    else: arrives("UElYRUw="),
  }),
  "text that a tool gave beside an image": claude(
    answered({
      content: [
        { type: "text", text: "SEEN" },
        { type: "image", source: PIXEL },
      ],
    }),
    { else: arrives("SEEN") },
  ),
  "a document that a tool gave": claude(
    answered({
      content: [
        {
          type: "document",
          source: { type: "base64", media_type: "application/pdf", data: "UERG" },
        },
      ],
    }),
    { cohere: "refused", ollama: "refused", else: arrives("UERG") },
  ),
  "a tool that failed": claude(answered({ is_error: true, content: "no" }), {
    anthropic: arrives('"is_error":true'),
    gemini: arrives('"response":{"error":"no"}'),
    "bedrock-converse": arrives('"status":"error"'),
    else: named("tool_result.is_error"),
  }),
  "a tool's strictness": openai(tool({ strict: true }), {
    gemini: named("strict"),
    cohere: named("strict"),
    ollama: named("strict"),
    else: arrives('"strict":true'),
  }),
  "one call at a time": openai(
    { ...tool({}), parallel_tool_calls: false },
    {
      "openai-chat": arrives('"parallel_tool_calls":false'),
      "openai-responses": arrives('"parallel_tool_calls":false'),
      anthropic: arrives('"disable_parallel_tool_use":true'),
      else: named("parallel_tool_calls"),
    },
  ),
  "a cache mark in system text": claude({ system: [marked], messages: [hi] }, CACHED),
  "a cache mark in a user's text": claude(
    { messages: [{ role: "user", content: [marked] }] },
    CACHED,
  ),
  "a cache mark in an assistant's text": claude(
    { messages: [hi, { role: "assistant", content: [marked] }, hi] },
    CACHED,
  ),
  "a cache mark on a call": claude(
    {
      tools: [F],
      messages: [
        hi,
        {
          role: "assistant",
          content: [{ type: "tool_use", id: "t1", name: "f", input: {}, cache_control: MARK }],
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "ok" }] },
      ],
    },
    CACHED,
  ),
  "a cache mark on a tool's result": claude(
    answered({ content: "r", cache_control: MARK }),
    CACHED,
  ),
  "a cache mark inside of a tool's result": claude(answered({ content: [marked] }), CACHED),
  "a cache mark on a tool": claude(
    { messages: [hi], tools: [{ name: "f", input_schema: {}, cache_control: MARK }] },
    CACHED,
  ),
  "citations of an earlier answer": claude(
    {
      messages: [
        hi,
        {
          role: "assistant",
          content: [
            {
              type: "text",
              text: "so",
              citations: [
                {
                  type: "web_search_result_location",
                  url: "https://a.example",
                  title: "A",
                  cited_text: "so",
                  encrypted_index: "SEALED",
                },
              ],
            },
          ],
        },
        hi,
      ],
    },
    { anthropic: arrives("SEALED"), else: named("citations") },
  ),
  "translated citations, which nobody can check": claude(
    {
      messages: [
        hi,
        {
          role: "assistant",
          content: [
            {
              type: "text",
              text: "so",
              citations: [
                {
                  type: "web_search_result_location",
                  url: "https://a.example",
                  encrypted_index: "",
                },
              ],
            },
          ],
        },
        hi,
      ],
    },
    { else: named("citations") },
  ),
  logprobs: openai(
    { messages: [hi], logprobs: true },
    {
      "openai-responses": arrives("message.output_text.logprobs"),
      gemini: arrives('"responseLogprobs":true'),
      anthropic: named("logprobs"),
      "bedrock-converse": named("logprobs"),
      else: arrives('"logprobs":true'),
    },
  ),
  "top logprobs": openai(
    { messages: [hi], logprobs: true, top_logprobs: 3 },
    {
      gemini: arrives('"logprobs":3'),
      anthropic: named("top_logprobs"),
      "bedrock-converse": named("top_logprobs"),
      cohere: named("top_logprobs"),
      else: arrives('"top_logprobs":3'),
    },
  ),
  "several answers": openai(
    { messages: [hi], n: 2 },
    { "openai-chat": arrives('"n":2'), gemini: arrives('"candidateCount":2'), else: "refused" },
  ),
  "stop sequences": openai(
    { messages: [hi], stop: ["HALT", "END"] },
    { "openai-responses": named("stop"), else: arrives('["HALT","END"]') },
  ),
  "a blank stop sequence": openai(
    { messages: [hi], stop: ["HALT", "\n"] },
    {
      "openai-responses": named("stop"),
      anthropic: named("stop"),
      "bedrock-converse": named("stop"),
      else: arrives('["HALT","\\n"]'),
    },
  ),
  "a seed": openai(
    { messages: [hi], seed: 77 },
    {
      "openai-responses": named("seed"),
      anthropic: named("seed"),
      "bedrock-converse": named("seed"),
      else: arrives('"seed":77'),
    },
  ),
  "biased tokens": openai(
    { messages: [hi], logit_bias: { "50256": -100 } },
    { "openai-chat": arrives('"50256":-100'), else: named("logit_bias") },
  ),
  "an image by its URL": says(
    { type: "image_url", image_url: { url: "https://a.example/x.png" } },
    {
      "bedrock-converse": "refused",
      ollama: "refused",
      else: arrives("https://a.example/x.png"),
    },
  ),
  "an image's detail": says(
    { type: "image_url", image_url: { url: "data:image/png;base64,UElYRUw=", detail: "low" } },
    {
      "openai-chat": arrives('"detail":"low"'),
      "openai-responses": arrives('"detail":"low"'),
      cohere: arrives('"detail":"low"'),
      else: named("detail"),
    },
  ),
  "a file": says(file({ filename: "a.pdf", file_data: "data:application/pdf;base64,UERG" }), {
    cohere: "refused",
    ollama: "refused",
    else: arrives("UERG"),
  }),
  "a file's name": says(
    file({ filename: "plan.pdf", file_data: "data:application/pdf;base64,UERG" }),
    {
      gemini: named("filename"),
      cohere: "refused",
      ollama: "refused",
      else: arrives('"plan'),
    },
  ),
  "a text file": says(file({ filename: "a.txt", file_data: "data:text/plain;base64,UExBSU4=" }), {
    "openai-responses": arrives("UExBSU4="),
    gemini: arrives("UExBSU4="),
    "bedrock-converse": arrives("UExBSU4="),
    else: arrives("PLAIN"),
  }),
  "a text file's name": says(
    file({ filename: "plan.txt", file_data: "data:text/plain;base64,UA==" }),
    {
      "openai-responses": arrives('"plan.txt"'),
      anthropic: arrives('"plan.txt"'),
      "bedrock-converse": arrives('"plan"'),
      else: named("filename"),
    },
  ),
  "a file that OpenAI keeps": says(file({ file_id: "file-1" }), {
    "openai-chat": arrives("file-1"),
    "openai-responses": arrives("file-1"),
    else: "refused",
  }),
  "a file that Anthropic keeps": claude(
    {
      messages: [
        {
          role: "user",
          content: [{ type: "document", source: { type: "file", file_id: "file_1" } }],
        },
      ],
    },
    { anthropic: arrives("file_1"), else: "refused" },
  ),
  "an image that OpenAI keeps": {
    by: "openai-responses",
    asked: {
      input: [{ role: "user", content: [{ type: "input_image", file_id: "file-1" }] }],
    },
    at: { "openai-responses": arrives("file-1"), else: "refused" },
  },
  "a file by its URL": {
    by: "openai-responses",
    asked: {
      input: [
        {
          role: "user",
          content: [{ type: "input_file", file_url: "https://a.example/x.pdf" }],
        },
      ],
    },
    at: {
      "openai-responses": arrives("https://a.example/x.pdf"),
      anthropic: arrives("https://a.example/x.pdf"),
      gemini: arrives("https://a.example/x.pdf"),
      else: "refused",
    },
  },
  audio: says(
    { type: "input_audio", input_audio: { data: "V0FW", format: "wav" } },
    {
      anthropic: "refused",
      "bedrock-converse": "refused",
      cohere: "refused",
      ollama: "refused",
      else: arrives("V0FW"),
    },
  ),
};

const CASES = Object.entries(FEATURES).flatMap(([feature, { by, asked, at }]) =>
  ALL.map((to) => ({ feature, by, asked, to, outcome: at[to] ?? at.else! })),
);

describe.each(ALL)("to %s", (protocol) => {
  test.each(CASES.filter(({ to }) => to === protocol))("$feature", ({ by, asked, to, outcome }) => {
    const messages = by === "openai-responses" ? {} : { messages: [hi] };
    const chat = dialectOf(by).client.parseRequest({ model: "m", ...messages, ...asked });
    const build = () => protocolOf(to).provider.buildRequest(chat, target({ reasoning: "none" }));
    if (outcome === "refused") {
      expect(build).toThrow(expect.objectContaining({ kind: "capability_not_supported" }));
      return;
    }
    const { body, degraded } = build();
    if ("named" in outcome) expect(degraded).toContain(outcome.named);
    else {
      expect(JSON.stringify(body)).toContain(outcome.arrives);
      // What arrives costs nothing else than what only some protocols have a place for.
      const limits = to === "anthropic" && by !== "anthropic" ? ["max_tokens"] : [];
      const beside = ["filename", "logprobs", "stop", "top_logprobs"];
      expect(degraded.filter((each) => !limits.includes(each) && !beside.includes(each))).toEqual(
        [],
      );
    }
  });
});
