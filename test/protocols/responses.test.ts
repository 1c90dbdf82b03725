import { describe, expect, test } from "vitest";
import type { FinishReason, Part } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { completionTokens, promptTokens } from "../../worker/core/usage.ts";
import { freeformInput } from "../../worker/protocols/freeform.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import { describeWithData } from "../support/data.ts";
import { asEvents, assemble, CONTEXT, encoded, readEvents, sseEvents } from "./answers.ts";
import { target } from "./translate.ts";
import type { Loose } from "../support/loose.ts";

const responses = dialectOf("openai-responses");
const openai = dialectOf("openai-chat");
const anthropic = dialectOf("anthropic");

/** Payloads of a recording: one a line, or values after each other. */
function payloads(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** What a response says, out of its items as they are at the end. */
function told(output: readonly Loose[]) {
  const texts = output.flatMap((item) =>
    item["type"] === "message" ? (item["content"] as Loose[]) : [],
  );
  return {
    text: texts.map((part) => part["text"] ?? "").join(""),
    reasoning: output
      .filter((item) => item["type"] === "reasoning")
      .map((item) =>
        [...((item["content"] ?? []) as Loose[]), ...((item["summary"] ?? []) as Loose[])]
          .map((part) => part["text"])
          .join("\n\n"),
      )
      .join(""),
    states: output.flatMap((item) =>
      item["type"] === "reasoning" && item["encrypted_content"]
        ? [item["encrypted_content"] as string]
        : [],
    ),
    calls: output
      .filter((item) => /^(function|custom_tool)_call$/.test(item["type"] as string))
      .map((item) => [item["call_id"], item["name"], item["arguments"] ?? item["input"]]),
    others: output.filter(
      (item) =>
        !/^(message|reasoning|function_call|custom_tool_call)$/.test(item["type"] as string),
    ),
    citations: texts.reduce((sum, part) => sum + (part["annotations"]?.length ?? 0), 0),
  };
}

function saidBy(parts: readonly Part[]) {
  return {
    text: parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
    reasoning: parts.map((part) => (part.type === "thinking" ? part.text : "")).join(""),
    states: parts.flatMap((part) =>
      part.type === "thinking" && part.redacted !== undefined ? [part.redacted] : [],
    ),
    calls: parts.flatMap((part) =>
      part.type === "toolCall"
        ? [[part.id, part.name, part.freeform ? freeformInput(part.arguments) : part.arguments]]
        : [],
    ),
    others: parts.flatMap((part) => (part.type === "native" ? [part.value] : [])),
    citations: parts.reduce(
      (sum, part) => sum + (part.type === "text" ? (part.citations?.length ?? 0) : 0),
      0,
    ),
  };
}

for (const folder of ["openai/responses", "azure", "xai/responses"]) {
  describeWithData(`recordings of ${folder}`, `recordings/${folder}`, (data) => {
    const files = data.files.filter(
      (file) =>
        !file.includes("error") &&
        // Chat completions.
        !file.includes("deepseek") &&
        // Its first line breaks off: no JSON.
        file !== "parallel-tool-call-wrapper.1.chunks.txt",
    );
    test.each(files)("%s is read without loss", (file) => {
      let parts: readonly Part[];
      let finish: FinishReason | null;
      let usage;
      let final: Loose;
      let output: Loose[];
      let said = "";
      if (file.endsWith(".chunks.txt")) {
        const events = payloads(data.text(file)).map((line) => ({ data: line }));
        const answer = assemble(readEvents(responses.provider.parseStream(), events));
        expect(answer.done).toBe(true);
        ({ parts, finish } = answer.choices.get(0)!);
        ({ usage } = answer);
        const all = events.map((event) => JSON.parse(event.data) as Loose);
        final = all.at(-1)!["response"] as Loose;
        said = all
          .map((event) => (event["type"] === "response.output_text.delta" ? event["delta"] : ""))
          .join("");
        // Recorders shorten what is long: an item is what its own last event says, not what the answer says.
        output = all.flatMap((event) =>
          event["type"] === "response.output_item.done" ? [event["item"] as Loose] : [],
        );
      } else {
        final = JSON.parse(data.text(file)) as Loose;
        const answer = responses.provider.parseResponse(final as JsonObject);
        ({ parts, finish } = answer.choices[0]!);
        ({ usage } = answer);
        output = final["output"] as Loose[];
      }
      const expected = told(output);
      // Here the texts were shortened, and not the deltas.
      if (file === "openai-shell-container.1.chunks.txt") expected.text = said;
      expect(saidBy(parts)).toEqual(expected);
      expect(finish).toBe(expected.calls.length > 0 ? "tool_calls" : "stop");
      expect(promptTokens(usage!)).toBe(final["usage"]["input_tokens"]);
      expect(completionTokens(usage!)).toBe(final["usage"]["output_tokens"]);
      expect(usage!.reasoning).toBe(final["usage"]["output_tokens_details"]["reasoning_tokens"]);
    });
  });
}

describeWithData("a recorded failure", "recordings/openai/responses", (data) => {
  test("inside a stream is one, with the status it would have had", () => {
    const parser = responses.provider.parseStream();
    const events = payloads(data.text("openai-error.1.chunks.txt")).flatMap((line) =>
      parser.push({ data: line }),
    );
    expect(events.at(-1)).toMatchObject({
      type: "failure",
      failure: { status: 429, code: "insufficient_quota" },
    });
    expect(parser.end()).toEqual([]);
  });

  test("over HTTP is the caller's where it is about a parameter", () => {
    const text = data.text("reasoning-model-temperature-error.json");
    expect(responses.provider.parseError(400, new Headers(), text)).toMatchObject({
      class: "caller",
      param: "temperature",
    });
  });
});

describe("requests", () => {
  const parse = (body: JsonObject) => responses.client.parseRequest({ model: "m", ...body });

  test("what the model said in a row is one turn, its thinking with its call", () => {
    const request = parse({
      instructions: "Be brief.",
      input: [
        { role: "user", content: "hi" },
        {
          type: "reasoning",
          id: "rs_1",
          summary: [{ type: "summary_text", text: "why" }],
          encrypted_content: "anthropic:sig",
        },
        { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
        { type: "function_call", call_id: "c2", name: "g", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: "one" },
        {
          type: "function_call_output",
          call_id: "c2",
          output: [{ type: "input_text", text: "two" }],
        },
      ],
    });
    const { body } = anthropic.provider.buildRequest(request, target());
    expect(body["system"]).toBe("Be brief.");
    expect(body["messages"]).toEqual([
      { role: "user", content: "hi" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "why", signature: "sig" },
          { type: "tool_use", id: "c1", name: "f", input: {} },
          { type: "tool_use", id: "c2", name: "g", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "c1", content: "one" },
          { type: "tool_result", tool_use_id: "c2", content: "two" },
        ],
      },
    ]);
  });

  test("what is kept at a provider is named, since no other target can serve it", () => {
    expect(parse({ previous_response_id: "resp_1", input: "hi" }).bound).toEqual([
      "previous_response_id",
    ]);
    expect(parse({ input: [{ type: "item_reference", id: "x" }] }).bound).toEqual(["input"]);
    expect(parse({ input: "hi", store: false }).bound).toBeUndefined();
    expect(() => parse({ input: "hi", background: true })).toThrow("background");
  });

  test.each([
    [{}, "input"],
    [{ input: 1 }, "input"],
    [{ input: [] }, "input"],
    [{ input: [{ role: "robot", content: "x" }] }, "input[0].role"],
    [{ input: [{ role: "user" }] }, "input[0].content"],
    [{ input: [{ type: "function_call", call_id: "c" }] }, "input[0].name"],
    [{ input: [{ type: "function_call_output", call_id: "c" }] }, "input[0].output"],
    [{ input: [{ role: "user", content: [{ type: "input_image" }] }] }, "input[0].content[0]"],
    [{ input: "x", tools: [{ type: "function" }] }, "tools[0].name"],
    [{ input: "x", text: { format: {} } }, "text.format.type"],
    [{ input: "x", max_output_tokens: "many" }, "max_output_tokens"],
  ] as [JsonObject, string][])("%j is refused by its member %s", (body, param) => {
    expect(() => parse(body)).toThrow(
      expect.objectContaining({ detail: expect.objectContaining({ param }) }),
    );
  });

  test("from chat completions nothing is kept at the provider, and its limits are met", () => {
    const { body, degraded } = responses.provider.buildRequest(
      openai.client.parseRequest({
        model: "m",
        messages: [
          { role: "developer", content: "Be brief." },
          { role: "user", content: "hi" },
        ],
        max_tokens: 5,
        stop: ["x"],
        seed: 1,
        reasoning_effort: "low",
        response_format: { type: "json_schema", json_schema: { name: "a", schema: {} } },
        tools: [{ type: "function", function: { name: "f" } }],
      }),
      target(),
    );
    expect(body).toEqual({
      model: "target",
      input: [
        { type: "message", role: "developer", content: "Be brief." },
        { type: "message", role: "user", content: "hi" },
      ],
      store: false,
      include: ["reasoning.encrypted_content"],
      max_output_tokens: 16,
      reasoning: { effort: "low" },
      text: { format: { type: "json_schema", name: "a", schema: {} } },
      tools: [
        {
          type: "function",
          name: "f",
          parameters: { type: "object", properties: {} },
          strict: false,
        },
      ],
    });
    expect(degraded.toSorted()).toEqual(["max_tokens", "seed", "stop"]);
  });

  test("encrypted reasoning comes home through Anthropic's client", () => {
    const answer = responses.provider.parseResponse({
      id: "resp_1",
      model: "gpt",
      status: "completed",
      output: [
        {
          type: "reasoning",
          id: "rs_9",
          summary: [{ type: "summary_text", text: "why" }],
          encrypted_content: "enc",
        },
        { type: "function_call", id: "fc_1", call_id: "c1", name: "f", arguments: "{}" },
      ],
    });
    const { content } = anthropic.client.encodeResponse(answer, CONTEXT) as Loose;
    const request = anthropic.client.parseRequest({
      model: "m",
      max_tokens: 99,
      messages: [
        { role: "user", content: "hi" },
        { role: "assistant", content },
      ],
    });
    const { body } = responses.provider.buildRequest(request, target());
    expect((body["input"] as Loose[]).slice(1)).toEqual([
      { type: "reasoning", id: "rs_9", summary: [], encrypted_content: "enc" },
      { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
    ]);
  });
});

test("an answer repeats what was asked, as OpenAI's do, and nothing of the gateway's", () => {
  const { client } = dialectOf("openai-responses");
  const tools = [{ type: "function", name: "f", parameters: null, strict: true }];
  const asked = {
    model: "a",
    input: "hi",
    instructions: "Be brief.",
    temperature: 0.5,
    tools,
    metadata: { topic: "t", tags: ["ours"] },
    guardrail_id: "ours",
  };
  const repeats = { instructions: "Be brief.", temperature: 0.5, tools, metadata: { topic: "t" } };
  const answer = dialectOf("anthropic").provider.parseResponse({
    id: "m",
    content: [{ type: "text", text: "Hello." }],
    stop_reason: "end_turn",
  });
  const whole = client.encodeResponse(answer, { ...CONTEXT, asked });
  expect(whole).toMatchObject({ ...repeats, status: "completed" });
  const stream = encoded(
    client.encodeStream({ ...CONTEXT, asked, includeUsage: true }),
    asEvents(answer),
  );
  const told = sseEvents(stream).map(({ data }) => JSON.parse(data) as Loose);
  for (const event of [told[0], told.at(-1)]) expect(event?.["response"]).toMatchObject(repeats);
  expect(JSON.stringify([whole, told])).not.toContain("ours");
});
