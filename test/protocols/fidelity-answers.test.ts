import { describe, expect, test } from "vitest";
import type { ChatEvent, DialectName, ProtocolName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import type { Loose } from "../support/loose.ts";
import { CONTEXT, encoded, readEvents } from "./answers.ts";
import { hi, target } from "./translate.ts";

/* What providers say beside their text reaches clients of every dialect that has a place for it, whole and streamed. */

interface Said {
  whole: JsonObject;
  events: JsonObject[];
}

const choice = (index: number, content: string, more: JsonObject = {}) => ({
  index,
  message: { role: "assistant", content },
  finish_reason: "stop",
  ...more,
});
const chunk = (index: number, delta: JsonObject, more: JsonObject = {}) => ({
  id: "c",
  model: "m",
  created: 1,
  object: "chat.completion.chunk",
  choices: [{ index, delta, finish_reason: null, ...more }],
});
const TOKEN = { token: "hey", logprob: -0.25, bytes: [104, 101, 121], top_logprobs: [] };
const google = (text: string, index = 0, more: JsonObject = {}) => ({
  index,
  content: { role: "model", parts: [{ text }] },
  finishReason: "STOP",
  ...more,
});
const wrapped = (...candidates: JsonObject[]) => ({
  responseId: "r",
  modelVersion: "m",
  candidates,
});
const CHOSEN = {
  logprobsResult: {
    chosenCandidates: [{ token: "hey", logProbability: -0.25 }],
    topCandidates: [],
  },
};

const LOGPROBS: Partial<Record<ProtocolName, Said>> = {
  "openai-chat": {
    whole: { id: "c", model: "m", choices: [choice(0, "hey", { logprobs: { content: [TOKEN] } })] },
    events: [
      chunk(0, { content: "hey" }, { logprobs: { content: [TOKEN] } }),
      chunk(0, {}, { finish_reason: "stop" }),
    ],
  },
  gemini: { whole: wrapped(google("hey", 0, CHOSEN)), events: [wrapped(google("hey", 0, CHOSEN))] },
  ollama: {
    whole: { model: "m", message: { content: "hey" }, logprobs: [TOKEN], done: true },
    events: [
      { model: "m", message: { content: "hey" }, logprobs: [TOKEN], done: false },
      { model: "m", message: { content: "" }, done: true, done_reason: "stop" },
    ],
  },
  cohere: {
    whole: {
      id: "c",
      message: { content: [{ type: "text", text: "hey" }] },
      logprobs: [{ token_ids: [1], text: "hey", logprobs: [-0.25] }],
      finish_reason: "COMPLETE",
    },
    events: [
      { type: "message-start", id: "c", delta: { message: { role: "assistant" } } },
      {
        type: "content-start",
        index: 0,
        delta: { message: { content: { type: "text", text: "" } } },
      },
      {
        type: "content-delta",
        index: 0,
        delta: { message: { content: { text: "hey" } } },
        logprobs: { token_ids: [1], text: "hey", logprobs: [-0.25] },
      },
      { type: "content-end", index: 0 },
      { type: "message-end", delta: { finish_reason: "COMPLETE" } },
    ],
  },
};

const PAGE = "https://page.example/";
const CITED: Partial<Record<ProtocolName, Said>> = {
  "bedrock-converse": {
    whole: {
      output: {
        message: {
          role: "assistant",
          content: [
            {
              citationsContent: {
                content: [{ text: "hey" }],
                citations: [{ title: "P", location: { web: { url: PAGE } } }],
              },
            },
          ],
        },
      },
      stopReason: "end_turn",
    },
    events: [
      { contentBlockDelta: { contentBlockIndex: 0, delta: { text: "hey" } } },
      {
        contentBlockDelta: {
          contentBlockIndex: 0,
          delta: { citation: { title: "P", location: { web: { url: PAGE } } } },
        },
      },
      { contentBlockStop: { contentBlockIndex: 0 } },
      { messageStop: { stopReason: "end_turn" } },
    ],
  },
  gemini: (() => {
    const cited = {
      citationMetadata: { citationSources: [{ startIndex: 0, endIndex: 3, uri: PAGE }] },
    };
    const answer = wrapped(google("hey", 0, cited));
    return { whole: answer, events: [answer] };
  })(),
  anthropic: (() => {
    const citation = {
      type: "web_search_result_location",
      url: PAGE,
      title: "P",
      cited_text: "hey",
      encrypted_index: "e",
    };
    return {
      whole: {
        id: "msg_1",
        model: "m",
        content: [{ type: "text", text: "hey", citations: [citation] }],
        stop_reason: "end_turn",
      },
      events: [
        { type: "message_start", message: { id: "msg_1", model: "m", usage: {} } },
        {
          type: "content_block_start",
          index: 0,
          content_block: { type: "text", text: "", citations: [] },
        },
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hey" } },
        { type: "content_block_delta", index: 0, delta: { type: "citations_delta", citation } },
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: {} },
        { type: "message_stop" },
      ],
    };
  })(),
};

const SEVERAL: Partial<Record<ProtocolName, Said>> = {
  "openai-chat": {
    whole: { id: "c", model: "m", choices: [choice(0, "hey"), choice(1, "you")] },
    events: [
      chunk(0, { content: "hey" }),
      chunk(1, { content: "you" }),
      chunk(1, {}, { finish_reason: "stop" }),
      chunk(0, {}, { finish_reason: "stop" }),
    ],
  },
  gemini: {
    whole: wrapped(google("hey"), google("you", 1)),
    events: [wrapped(google("hey")), wrapped(google("you", 1))],
  },
};

/** The answer as a client of the dialect gets it. */
function told(
  from: ProtocolName,
  { whole, events }: Said,
  to: DialectName,
  stream: boolean,
): string {
  const { provider } = protocolOf(from);
  const { client } = dialectOf(to);
  if (!stream) return JSON.stringify(client.encodeResponse(provider.parseResponse(whole), CONTEXT));
  const wire = events.map((event) => ({ data: JSON.stringify(event) }));
  const done: ChatEvent[] = readEvents(provider.parseStream(), wire);
  return encoded(client.encodeStream({ ...CONTEXT, includeUsage: false }), done);
}

const PIXEL = "UElYRUw=";
const images = [
  { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` }, index: 0 },
];
const drawing = wrapped(
  google("hey", 0, {
    content: {
      role: "model",
      parts: [{ text: "hey" }, { inlineData: { mimeType: "image/png", data: PIXEL } }],
    },
  }),
);
const DRAWN: Partial<Record<ProtocolName, Said>> = {
  "openai-chat": {
    whole: {
      id: "c",
      model: "m",
      choices: [choice(0, "hey", { message: { role: "assistant", content: "hey", images } })],
    },
    events: [
      chunk(0, { content: "hey" }),
      chunk(0, { images }),
      chunk(0, {}, { finish_reason: "stop" }),
    ],
  },
  gemini: { whole: drawing, events: [drawing] },
};

const pairs = (said: Partial<Record<ProtocolName, Said>>, to: readonly DialectName[]) =>
  Object.entries(said).flatMap(([from, answer]) =>
    to.map((dialect) => [from as ProtocolName, dialect, answer] as const),
  );

describe.each([false, true])("streamed: %s", (stream) => {
  test.each(pairs(LOGPROBS, ["openai-chat", "openai-responses", "gemini"]))(
    "logprobs of %s reach a client of %s",
    (from, to, answer) => {
      const text = told(from, answer, to, stream);
      expect(text).toMatch(/"(logprob|logProbability)":-0.25/);
      expect(text).toContain('"token":"hey"');
    },
  );

  test.each(pairs(CITED, ["openai-chat", "openai-responses", "anthropic", "gemini"]))(
    "citations of %s reach a client of %s",
    (from, to, answer) => {
      const text = told(from, answer, to, stream);
      expect(text).toMatch(new RegExp(`"ur[li]":"${PAGE}"`));
      expect(text).toContain("hey");
      const form = {
        anthropic: "web_search_result_location",
        gemini: "citationSources",
        "openai-chat": "url_citation",
        "openai-responses": "url_citation",
      }[to];
      expect(text).toContain(form);
    },
  );

  test.each(pairs(SEVERAL, ["openai-chat", "gemini"]))(
    "both answers of %s reach a client of %s",
    (from, to, answer) => {
      const text = told(from, answer, to, stream);
      for (const [said, index] of [
        ["hey", 0],
        ["you", 1],
      ] as const) {
        const place = `"index":${index}`;
        expect(text.split("\n\n").some((each) => each.includes(said) && each.includes(place))).toBe(
          true,
        );
      }
      expect(text.match(/"(finish_reason|finishReason)":"(stop|STOP)"/g)).toHaveLength(2);
    },
  );

  test.each(pairs(DRAWN, ["openai-chat", "openai-responses", "anthropic", "gemini"]))(
    "an image that %s drew reaches a client of %s",
    (from, to, answer) => {
      const text = told(from, answer, to, stream);
      expect(text).toContain("hey");
      const form = {
        "openai-chat": `"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${PIXEL}"}}]`,
        "openai-responses": `"output_format":"png","result":"${PIXEL}"`,
        anthropic: `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"${PIXEL}"}}`,
        gemini: `{"inlineData":{"mimeType":"image/png","data":"${PIXEL}"}}`,
      }[to];
      expect(text).toContain(form);
    },
  );
});

test("an image that was drawn goes back to Google by clients of every dialect, and is missed by name elsewhere", () => {
  const answer = dialectOf("gemini").provider.parseResponse(drawing);
  const said = (by: DialectName): JsonObject[] => {
    const wire = JSON.parse(
      JSON.stringify(dialectOf(by).client.encodeResponse(answer, CONTEXT)),
    ) as Loose;
    switch (by) {
      case "openai-chat":
        return [wire["choices"][0]["message"]];
      case "openai-responses":
        return wire["output"];
      case "anthropic":
        return [{ role: "assistant", content: wire["content"] }];
      case "gemini":
        return [wire["candidates"][0]["content"]];
    }
  };
  const request = (by: DialectName) => {
    const turns: JsonObject =
      by === "openai-responses"
        ? { input: [hi, ...said(by), hi] }
        : by === "gemini"
          ? { contents: [{ parts: [{ text: "hi" }] }, ...said(by), { parts: [{ text: "hi" }] }] }
          : { messages: [hi, ...said(by), hi], max_tokens: 9 };
    return dialectOf(by).client.parseRequest({ model: "a", ...turns }, { model: "a" });
  };
  for (const by of ["openai-chat", "openai-responses", "anthropic", "gemini"] as const) {
    const back = (to: ProtocolName) => {
      const { body, degraded } = protocolOf(to).provider.buildRequest(request(by), target());
      return { sent: JSON.stringify(body), degraded };
    };
    expect(back("gemini").sent, by).toContain(
      `{"role":"model","parts":[{"text":"hey"},{"inlineData":{"mimeType":"image/png","data":"${PIXEL}"}}]}`,
    );
    for (const to of ["anthropic", "bedrock-converse", "openai-chat", "cohere"] as const) {
      expect(back(to).sent, `${by} to ${to}`).not.toContain(PIXEL);
      expect(back(to).degraded, `${by} to ${to}`).toContain("image");
    }
  }
});
