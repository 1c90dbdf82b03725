import { describe, expect, test } from "vitest";
import type { FinishReason, Part } from "../../worker/core/chat.ts";
import type { Json, JsonObject } from "../../worker/core/json.ts";
import { completionTokens, promptTokens } from "../../worker/core/usage.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { describeWithData } from "../support/data.ts";
import { assemble, bothWays, CONTEXT, encoded, readEvents, sseEvents } from "./answers.ts";
import type { Loose } from "../support/loose.ts";

const openai = dialectOf("openai-chat");
const anthropic = dialectOf("anthropic");

/* The recordings are read here a second time by the plainest means, as the oracle. */

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

interface Told {
  text: string;
  reasoning: string;
  calls: { name: string; arguments: string }[];
  finish: string | null;
  usage: Loose | undefined;
}

function contentOf(content: unknown, type: "text" | "thinking"): string {
  if (typeof content === "string") return type === "text" ? content : "";
  if (!Array.isArray(content)) return "";
  return (content as Loose[])
    .filter((part) => part["type"] === type)
    .map((part) =>
      type === "text"
        ? part["text"]
        : (part["thinking"] as Loose[]).map((inner) => inner["text"]).join(""),
    )
    .join("");
}

function toldByChunks(chunks: Loose[]): Told {
  const told: Told = { text: "", reasoning: "", calls: [], finish: null, usage: undefined };
  for (const chunk of chunks) {
    told.usage = chunk["usage"] ?? told.usage;
    for (const choice of chunk["choices"] as Loose[]) {
      const delta = (choice["delta"] ?? choice["message"] ?? {}) as Loose;
      told.text += contentOf(delta["content"], "text");
      told.reasoning +=
        (delta["reasoning_content"] ?? delta["reasoning"] ?? "") +
        contentOf(delta["content"], "thinking");
      for (const call of (delta["tool_calls"] ?? []) as Loose[]) {
        const known = told.calls[call["index"] ?? told.calls.length];
        if (known) known.arguments += call["function"]["arguments"] ?? "";
        else
          told.calls.push({
            name: call["function"]["name"],
            arguments: call["function"]["arguments"],
          });
      }
      told.finish = choice["finish_reason"] ?? told.finish;
    }
  }
  return told;
}

function toldByParts(parts: readonly Part[], finish: FinishReason | null) {
  const texts = (type: "text" | "thinking") =>
    parts.map((part) => (part.type === type ? part.text : "")).join("");
  return {
    text: texts("text"),
    reasoning: texts("thinking"),
    calls: parts.flatMap((part) =>
      part.type === "toolCall" ? [{ name: part.name, arguments: part.arguments }] : [],
    ),
    finish,
  };
}

const OPENAI = [
  "groq",
  "deepseek",
  "mistral",
  "xai",
  "moonshotai",
  "alibaba",
  "openai/chat",
  "openai-compatible",
];

for (const folder of OPENAI) {
  describeWithData(`recordings of ${folder}`, `recordings/${folder}`, (data) => {
    const files = data.files.filter(
      (file) =>
        !file.startsWith("responses/") &&
        !file.includes("transcription") &&
        !file.includes("error"),
    );
    for (const file of files) {
      test(`${file} is read without loss`, () => {
        const streamed = file.endsWith(".chunks.txt");
        const chunks = streamed
          ? lines(data.text(file)).map((line) => JSON.parse(line) as Loose)
          : [JSON.parse(data.text(file)) as Loose];
        const { usage: wire, ...told } = toldByChunks(chunks);
        let parts: readonly Part[];
        let finish: FinishReason | null;
        let usage;
        if (streamed) {
          const events = [...lines(data.text(file)), "[DONE]"].map((line) => ({ data: line }));
          const answer = assemble(readEvents(openai.provider.parseStream(), events));
          expect(answer.done).toBe(true);
          ({ parts, finish } = answer.choices.get(0)!);
          ({ usage } = answer);
        } else {
          const answer = openai.provider.parseResponse(chunks[0] as JsonObject);
          ({ parts, finish } = answer.choices[0]!);
          ({ usage } = answer);
        }
        expect(toldByParts(parts, finish)).toEqual(told);
        if (!wire) {
          expect(usage).toBeUndefined();
          return;
        }
        const reasoning = wire["completion_tokens_details"]?.["reasoning_tokens"] ?? 0;
        const cached =
          wire["prompt_tokens_details"]?.["cached_tokens"] ??
          wire["prompt_cache_hit_tokens"] ??
          wire["cached_tokens"] ??
          0;
        expect(promptTokens(usage!)).toBe(wire["prompt_tokens"]);
        expect(promptTokens(usage!) + completionTokens(usage!)).toBe(wire["total_tokens"]);
        expect(usage).toMatchObject({ cacheRead: cached, reasoning });
      });
    }
  });
}

describeWithData("refusals", "recordings/openai/chat", (data) => {
  test("a parameter that the model refuses is the caller's fault and named", () => {
    const body = data.text("reasoning-model-legacy-parameter-error.json");
    expect(openai.provider.parseError(400, new Headers(), body)).toEqual({
      class: "caller",
      status: 400,
      type: "invalid_request_error",
      code: "unsupported_parameter",
      param: "max_tokens",
      message:
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    });
  });
});

/** The blocks that a stream's events add up to, deltas of unknown kinds kept as they came. */
function blocksOf(events: Loose[]): Loose[] {
  const blocks: Loose[] = [];
  for (const event of events) {
    if (event["type"] === "content_block_start") {
      blocks.push({ ...event["content_block"], json: "", deltas: [], stopped: false });
    }
    const block = blocks[event["index"]]!;
    if (event["type"] === "content_block_stop") block["stopped"] = true;
    if (event["type"] !== "content_block_delta") continue;
    const delta = event["delta"] as Loose;
    if (delta["type"] === "text_delta") block["text"] += delta["text"];
    else if (delta["type"] === "thinking_delta") block["thinking"] += delta["thinking"];
    else if (delta["type"] === "signature_delta") block["signature"] = delta["signature"];
    else if (delta["type"] === "citations_delta") {
      block["citations"] = [...(block["citations"] ?? []), delta["citation"]];
    } else if (delta["type"] === "input_json_delta") block["json"] += delta["partial_json"];
    else block["deltas"].push(delta);
  }
  return blocks.map(({ caller, json, input, ...block }) => {
    // Input may stand in the block's beginning or in its deltas: only what it adds up to counts.
    const read = json === "" ? input : (JSON.parse(json as string) as unknown);
    const named = { ...block, ...(read !== undefined && { input: read }) };
    // Which caller made a client tool's call has no place in the canonical form.
    return block["type"] === "tool_use" ? named : { ...named, ...(caller && { caller }) };
  });
}

/** The first answer of a recording. */
function firstAnswer(text: string): string[] {
  const all = lines(text);
  const end = all.findIndex((line) => line.includes('"message_stop"'));
  return all.slice(0, end + 1);
}

describeWithData("recordings of anthropic", "recordings/anthropic", (data) => {
  const files = data.files.filter((file) => !file.includes("/"));
  for (const file of files.filter(
    (each) => each.endsWith(".chunks.txt") && !each.startsWith("spliced"),
  )) {
    test(`${file} comes back with every block after the canonical form`, () => {
      const answer = firstAnswer(data.text(file)).map((line) => ({ data: line }));
      const events = readEvents(anthropic.provider.parseStream(), answer);
      expect(assemble(events).done).toBe(true);
      const text = encoded(
        anthropic.client.encodeStream({ ...CONTEXT, includeUsage: true }),
        events,
      );
      const out = sseEvents(text).map((event) => JSON.parse(event.data) as Loose);
      const original = answer.map((event) => JSON.parse(event.data) as Loose);
      expect(sseEvents(text).map((event) => event.event)).toEqual(
        out.map((event) => event["type"]),
      );
      const signed = (blocks: Loose[]) =>
        blocks.map((block) =>
          block["type"] === "thinking" ? { ...block, signature: block["signature"] ?? "" } : block,
        );
      expect(signed(blocksOf(out))).toEqual(signed(blocksOf(original)));
      const [start] = original;
      expect(out[0]!["message"]).toMatchObject({
        id: start!["message"]["id"],
        model: start!["message"]["model"],
      });
      const delta = original.findLast((event) => event["type"] === "message_delta")!;
      const outDelta = out.findLast((event) => event["type"] === "message_delta")!;
      expect(outDelta["delta"]).toMatchObject(delta["delta"] as Loose);
      expect(outDelta["context_management"]).toEqual(delta["context_management"]);
      const usage = { ...start!["message"]["usage"], ...delta["usage"] } as Loose;
      const runs = (usage["iterations"] ?? [usage]) as Loose[];
      const sum = (name: string) =>
        runs.reduce((total, run) => total + ((run[name] as number) ?? 0), 0);
      for (const name of [
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
      ]) {
        expect(outDelta["usage"][name], name).toBe(sum(name));
      }
    });
  }

  for (const file of files.filter((each) => each.endsWith(".json"))) {
    const body = JSON.parse(data.text(file)) as JsonObject;
    test(`${file} comes back whole after the canonical form`, () => {
      const out = bothWays("anthropic").whole(anthropic.provider.parseResponse(body));
      expect(out).toEqual(anthropic.provider.parseResponse(body));
      const again = anthropic.client.encodeResponse(out, CONTEXT) as Loose;
      const blocks = (content: Json | undefined) =>
        (content as Loose[]).map(({ caller, ...block }) =>
          block["type"] === "tool_use" ? block : { ...block, ...(caller && { caller }) },
        );
      expect(blocks(again["content"])).toEqual(blocks(body["content"]));
      expect(again["stop_reason"]).toBe(body["stop_reason"]);
      for (const name of ["container", "context_management", "stop_details"]) {
        expect(again[name]).toEqual(body[name]);
      }
    });
  }

  test("a second message inside an unfinished one is no part of the answer", () => {
    const parser = anthropic.provider.parseStream();
    const events = lines(data.text("spliced-message-start.chunks.txt")).map((line) => ({
      data: line,
    }));
    expect(() => readEvents(parser, events)).toThrow(/second message/);
  });

  test("what follows message_stop is ignored", () => {
    const all = lines(data.text("anthropic-tool-search-bm25.1.chunks.txt")).map((line) => ({
      data: line,
    }));
    const first = firstAnswer(data.text("anthropic-tool-search-bm25.1.chunks.txt"));
    expect(all.length).toBeGreaterThan(first.length);
    expect(readEvents(anthropic.provider.parseStream(), all)).toEqual(
      readEvents(
        anthropic.provider.parseStream(),
        first.map((line) => ({ data: line })),
      ),
    );
  });

  test("an answer with server tools reaches OpenAI clients as text, calls and links", () => {
    const body = JSON.parse(data.text("anthropic-web-search-tool.1.json")) as JsonObject;
    const answer = openai.client.encodeResponse(
      anthropic.provider.parseResponse(body),
      CONTEXT,
    ) as Loose;
    const { message } = answer["choices"][0];
    const text = (body["content"] as Loose[]).map((block) => block["text"] ?? "").join("");
    expect(message["content"]).toBe(text);
    expect(message["annotations"].length).toBeGreaterThan(0);
    const [{ url_citation: link }] = message["annotations"];
    expect(text.slice(link["start_index"], link["end_index"])).not.toBe("");
    expect(link["url"]).toMatch(/^https?:/);
  });
});

describe("recordings", () => {
  test("are looked for in every folder that the design names", () => {
    expect(OPENAI).toHaveLength(8);
  });
});
