import { describe, expect, test } from "vitest";
import type { FinishReason, Part } from "../../worker/core/chat.ts";
import type { Json, JsonObject } from "../../worker/core/json.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { describeWithData } from "../support/data.ts";
import { assemble, readEvents } from "./answers.ts";
import { target } from "./translate.ts";
import type { Loose } from "../support/loose.ts";

const gemini = dialectOf("gemini");
const openai = dialectOf("openai-chat");

const lines = (text: string) => text.split("\n").filter((line) => line.trim() !== "");

/** What an answer says, by the plainest means. */
function told(chunks: readonly Loose[]) {
  const said = { text: "", thoughts: "", calls: [] as Loose[], signatures: [] as string[] };
  let finish = "";
  let usage: Loose = {};
  for (const chunk of chunks) {
    usage = chunk["usageMetadata"] ?? usage;
    for (const candidate of (chunk["candidates"] ?? []) as Loose[]) {
      finish = candidate["finishReason"] ?? finish;
      for (const part of (candidate["content"]?.["parts"] ?? []) as Loose[]) {
        if (part["thought"]) said.thoughts += part["text"] ?? "";
        else said.text += part["text"] ?? "";
        if (part["thoughtSignature"]) said.signatures.push(part["thoughtSignature"]);
        const call = part["functionCall"] as Loose | undefined;
        if (call?.["name"]) said.calls.push({ name: call["name"], args: call["args"] });
      }
    }
  }
  return { ...said, finish, usage };
}

function saidBy(parts: readonly Part[]) {
  const texts = (type: "text" | "thinking") =>
    parts.map((part) => (part.type === type ? part.text : "")).join("");
  return {
    text: texts("text"),
    thoughts: texts("thinking"),
    calls: parts.flatMap((part) =>
      part.type === "toolCall"
        ? [{ name: part.name, args: JSON.parse(part.arguments) as Json }]
        : [],
    ),
    signatures: parts.flatMap((part) =>
      (part.type === "toolCall" || part.type === "text") && part.signature !== undefined
        ? [part.signature]
        : [],
    ),
  };
}

describeWithData("recordings of google", "recordings/google", (data) => {
  const files = data.files.filter((file) => file.startsWith("google-") && !file.includes("429"));
  const assembled: Record<string, Loose[]> = {
    "google-stream-tool-call-arguments.chunks.txt": [
      { location: "Boston" },
      { location: "San Francisco" },
    ],
  };

  test.each(files)("%s is read without loss", (file) => {
    const streamed = file.endsWith(".chunks.txt");
    const chunks = (streamed ? lines(data.text(file)) : [data.text(file)]).map(
      (text) => JSON.parse(text) as Loose,
    );
    const { finish: reason, usage: counted, ...expected } = told(chunks);
    let parts: readonly Part[];
    let finish: FinishReason | null;
    let usage;
    if (streamed) {
      const events = lines(data.text(file)).map((line) => ({ data: line }));
      const answer = assemble(readEvents(gemini.provider.parseStream(), events));
      expect(answer.done).toBe(true);
      ({ parts, finish } = answer.choices.get(0)!);
      ({ usage } = answer);
    } else {
      const answer = gemini.provider.parseResponse(chunks[0] as JsonObject);
      ({ parts, finish } = answer.choices[0]!);
      ({ usage } = answer);
    }
    const said = saidBy(parts);
    if (file.includes("tool-call-arguments")) {
      expect(said.calls.map((call) => call.name)).toEqual(
        expected.calls.map((call) => call["name"]),
      );
      const args = assembled[file];
      if (args) expect(said.calls.map((call) => call.args)).toEqual(args);
      expect(said.signatures).toEqual(expected.signatures);
    } else {
      expect(said).toEqual(expected);
    }
    expect(reason).toBe("STOP");
    expect(finish).toBe(said.calls.length > 0 ? "tool_calls" : "stop");
    expect(usage).toMatchObject({
      input: counted["promptTokenCount"],
      output: counted["candidatesTokenCount"],
      reasoning: counted["thoughtsTokenCount"] ?? 0,
    });
  });

  test("a nested call's arguments are put together in their places", () => {
    const [file] = data.files.filter((name) => name.includes("nested"));
    const events = lines(data.text(file!)).map((line) => ({ data: line }));
    const answer = assemble(readEvents(gemini.provider.parseStream(), events));
    const pieces = events.flatMap(({ data: line }) => {
      const part = (JSON.parse(line) as Loose)["candidates"]?.[0]?.["content"]?.["parts"]?.[0];
      return (part?.["functionCall"]?.["partialArgs"] ?? []) as Loose[];
    });
    const [call] = saidBy(answer.choices.get(0)!.parts).calls;
    // Every piece's text lies where its path says, in the order of the pieces.
    const byPath = Map.groupBy(pieces, (piece) => piece["jsonPath"] as string);
    for (const [path, list] of byPath) {
      const steps = path.slice(1).match(/[^.[\]]+/g) ?? [];
      let at: Json | undefined = call!.args;
      for (const step of steps) at = (at as Record<string, Json>)[step];
      const texts = list.map((piece) => piece["stringValue"] as string | undefined);
      if (texts[0] !== undefined) expect(at).toBe(texts.join(""));
      else expect(at).toBe(list.at(-1)!["numberValue"] ?? list.at(-1)!["boolValue"]);
    }
    expect(byPath.size).toBeGreaterThan(3);
  });

  test("a stream that ends inside a call is an error, not a call", () => {
    const all = lines(data.text("google-stream-tool-call-arguments.chunks.txt"));
    const open = all.slice(0, 2).map((line) => ({ data: line }));
    const end = JSON.stringify({ candidates: [{ finishReason: "STOP" }] });
    const parser = gemini.provider.parseStream();
    const events = open.flatMap((event) => parser.push(event));
    expect(events.some((event) => event.type === "open")).toBe(false);
    expect(() => parser.push({ data: end })).toThrow("never came to its end");
    expect(gemini.provider.parseStream().end()).toEqual([]);
  });

  test("a 429 tells how long to wait", () => {
    const text = data.text("google-429-retry-info.json");
    expect(gemini.provider.parseError(429, new Headers(), text)).toMatchObject({
      class: "rate_limit",
      retryAfter: 34_400,
      code: "RESOURCE_EXHAUSTED",
    });
  });
});

describe("from OpenAI's dialect", () => {
  const build = (body: JsonObject, facts = {}) =>
    gemini.provider.buildRequest(
      openai.client.parseRequest({
        model: "m",
        messages: [{ role: "user", content: "hi" }],
        ...body,
      }),
      target(facts),
    );

  test("every parameter has its place, and none is invented", () => {
    expect(build({})).toEqual({
      body: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
      degraded: [],
    });
    const { body, degraded } = build({
      max_tokens: 5,
      temperature: 0.5,
      top_p: 0.9,
      stop: ["x"],
      seed: 1,
      n: 2,
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      logprobs: true,
      top_logprobs: 3,
      response_format: {
        type: "json_schema",
        json_schema: { name: "a", schema: { type: "object" } },
      },
      reasoning_effort: "low",
      logit_bias: { "1": 1 },
      tools: [{ type: "function", function: { name: "f", parameters: { type: "object" } } }],
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    expect(body["generationConfig"]).toEqual({
      maxOutputTokens: 5,
      temperature: 0.5,
      topP: 0.9,
      stopSequences: ["x"],
      seed: 1,
      candidateCount: 2,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      responseLogprobs: true,
      logprobs: 3,
      responseMimeType: "application/json",
      responseJsonSchema: { type: "object" },
      thinkingConfig: { thinkingLevel: "low", includeThoughts: true },
    });
    expect(body["tools"]).toEqual([
      { functionDeclarations: [{ name: "f", parametersJsonSchema: { type: "object" } }] },
    ]);
    expect(body["toolConfig"]).toEqual({ functionCallingConfig: { mode: "ANY" } });
    expect(degraded.toSorted()).toEqual(["logit_bias", "parallel_tool_calls"]);
  });

  test("older models think by budget", () => {
    const budget = (effort: string) =>
      build({ reasoning_effort: effort }, { reasoning: "budget" }).body["generationConfig"];
    expect(budget("low")).toEqual({
      thinkingConfig: { thinkingBudget: 2048, includeThoughts: true },
    });
    expect(budget("none")).toEqual({ thinkingConfig: { thinkingBudget: 0 } });
  });

  test("a foreign call gets the skip value where models demand a signature", () => {
    const call = (id: string) => ({
      id,
      type: "function",
      function: { name: "f", arguments: "{}" },
    });
    const messages = [
      { role: "user", content: "hi" },
      { role: "assistant", tool_calls: [call("call_1"), call("call_2")] },
      { role: "tool", tool_call_id: "call_1", content: "[1]" },
    ];
    const { body } = build({ messages });
    const [, model, user] = body["contents"] as Loose[];
    expect(model!["parts"]).toEqual([
      {
        functionCall: { name: "f", args: {} },
        thoughtSignature: "skip_thought_signature_validator",
      },
      { functionCall: { name: "f", args: {} } },
    ]);
    expect(user!["parts"]).toEqual([
      { functionResponse: { name: "f", response: { output: "[1]" } } },
    ]);
    const older = build({ messages }, { reasoning: "budget" }).body["contents"] as Loose[];
    expect(older[1]!["parts"][0]).toEqual({ functionCall: { name: "f", args: {} } });
  });
});

test("a blocked prompt is an answer that a filter ended", () => {
  const blocked = { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: {} };
  expect(gemini.provider.parseResponse(blocked).choices).toMatchObject([
    { parts: [], finish: "content_filter" },
  ]);
  const parser = gemini.provider.parseStream();
  const events = [...parser.push({ data: JSON.stringify(blocked) }), ...parser.end()];
  expect(events.map((event) => event.type)).toEqual(["start", "finish", "done"]);
});
