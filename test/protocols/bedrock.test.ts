import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joined } from "../../worker/core/bytes.ts";
import type { FinishReason, Part } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { splitterOf, type Framing } from "../../worker/protocols/framing.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { describeWithData } from "../support/data.ts";
import { awsEvent, awsException, awsFrame } from "../support/upstream/wire/aws-frame.ts";
import { assemble, readEvents } from "./answers.ts";
import { target } from "./translate.ts";
import type { Loose } from "../support/loose.ts";

const { provider } = protocolOf("bedrock-converse");
const openai = dialectOf("openai-chat");

function split(framing: Framing, bytes: Uint8Array, cuts: readonly number[]) {
  const splitter = splitterOf(framing);
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  const blocks = [0, ...at].flatMap((from, index) =>
    splitter.push(bytes.slice(from, at[index] ?? bytes.length)),
  );
  const last = splitter.end();
  if (last !== null) blocks.push(last);
  return blocks;
}

describe("binary events", () => {
  const payloads = fc.array(
    fc.tuple(
      fc.constantFrom("messageStart", "contentBlockDelta", "metadata"),
      fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()),
    ),
    { maxLength: 5 },
  );
  const cuts = fc.array(fc.nat(), { maxLength: 20 });

  test("come out the same wherever the bytes are cut, and every byte is kept", () => {
    fc.assert(
      fc.property(payloads, cuts, (events, at) => {
        const bytes = joined(events.map(([type, payload]) => awsEvent(type, payload)));
        const blocks = split("aws-events", bytes, at);
        expect(blocks.map((block) => JSON.parse(block.event!.data) as unknown)).toEqual(
          events.map(([type, payload]) => ({
            [type]: JSON.parse(JSON.stringify(payload)) as unknown,
          })),
        );
        expect([...joined(blocks.map((block) => block.raw))]).toEqual([...bytes]);
      }),
    );
  });

  test("of another family's model are its own server-sent events", () => {
    const data = '{"type":"message_stop","é":1}';
    const bytes = awsEvent("chunk", { bytes: Buffer.from(data).toString("base64") });
    const [block] = split("aws-chunks", bytes, [9]);
    expect(new TextDecoder().decode(block!.raw)).toBe(`event: message_stop\ndata: ${data}\n\n`);
  });

  test("with any byte changed are never taken for what they were", () => {
    const bytes = awsEvent("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "hello" } });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        const broken = Uint8Array.from(bytes);
        broken[place] = broken[place]! ^ flip;
        let events: unknown[] = [];
        try {
          events = split("aws-events", broken, []).filter((block) => block.event !== null);
        } catch (error) {
          expect(String(error)).toContain("unusable");
        }
        expect(events).toEqual([]);
      }),
    );
  });

  test("headers of every type are passed over", () => {
    const plain = awsFrame({ ":event-type": "metadata", ":message-type": "event" }, "{}");
    const [block] = split("aws-events", plain, [1, 2, 3]);
    expect(block!.event).toEqual({ event: "metadata", data: '{"metadata":{}}' });
  });

  test("that are exceptions fail the stream with their status", () => {
    const [block] = split("aws-events", awsException("throttlingException", "Slow down."), []);
    expect(provider.parseStream().push(block!.event!)).toMatchObject([
      { type: "failure", failure: { status: 429, message: "Slow down." } },
    ]);
  });
});

function told(content: readonly Loose[]) {
  return {
    text: content.map((block) => block["text"] ?? "").join(""),
    thinking: content
      .map((block) => block["reasoningContent"]?.["reasoningText"]?.["text"] ?? "")
      .join(""),
    signatures: content.flatMap((block) => {
      const signature = block["reasoningContent"]?.["reasoningText"]?.["signature"] as string;
      return signature ? [signature] : [];
    }),
    calls: content.flatMap((block) => {
      const call = block["toolUse"] as Loose | undefined;
      return call ? [[call["toolUseId"], call["name"], call["input"]]] : [];
    }),
  };
}

/** The blocks that a stream's events add up to, by the plainest means. */
function blocksOf(events: readonly Loose[]): Loose[] {
  const blocks: Loose[] = [];
  for (const event of events) {
    const start = event["contentBlockStart"] as Loose | undefined;
    if (start?.["start"]?.["toolUse"]) {
      blocks[start["contentBlockIndex"] as number] = {
        toolUse: { ...start["start"]["toolUse"], input: "" },
      };
    }
    const delta = event["contentBlockDelta"] as Loose | undefined;
    if (!delta) continue;
    const block = (blocks[delta["contentBlockIndex"] as number] ??= {});
    const { text, toolUse, reasoningContent } = delta["delta"] as Loose;
    if (text !== undefined) block["text"] = (block["text"] ?? "") + text;
    if (toolUse) block["toolUse"]["input"] += toolUse["input"];
    if (reasoningContent) {
      const shown = ((block["reasoningContent"] ??= { reasoningText: { text: "" } }) as Loose)[
        "reasoningText"
      ];
      shown["text"] += reasoningContent["text"] ?? "";
      shown["signature"] ??= reasoningContent["signature"];
    }
  }
  for (const block of blocks) {
    if (block["toolUse"]) block["toolUse"]["input"] = JSON.parse(block["toolUse"]["input"] || "{}");
  }
  return blocks;
}

function saidBy(parts: readonly Part[]) {
  const of = (type: "text" | "thinking") =>
    parts.map((part) => (part.type === type ? part.text : "")).join("");
  return {
    text: of("text"),
    thinking: of("thinking"),
    signatures: parts.flatMap((part) =>
      part.type === "thinking" && part.signature !== undefined ? [part.signature] : [],
    ),
    calls: parts.flatMap((part) =>
      part.type === "toolCall"
        ? [[part.id, part.name, JSON.parse(part.arguments || "{}") as unknown]]
        : [],
    ),
  };
}

const FINISH: Record<string, FinishReason> = {
  end_turn: "stop",
  tool_use: "tool_calls",
  max_tokens: "length",
};

describeWithData("recordings of amazon-bedrock", "recordings/amazon-bedrock", (data) => {
  const files = data.files.filter((file) => !file.includes("rerank"));
  test.each(files)("%s is read without loss", (file) => {
    let parts: readonly Part[];
    let finish: FinishReason | null;
    let usage;
    let expected;
    let reason: string;
    let counted: Loose | undefined;
    if (file.endsWith(".txt")) {
      const lines = data
        .text(file)
        .split("\n")
        .filter((line) => line.trim() !== "");
      const events = lines.map((line) => JSON.parse(line) as Loose);
      // Through the binary framing, as the provider sends it.
      const bytes = joined(
        events.map((event) => {
          const [[type, payload] = ["", {}]] = Object.entries(event);
          return awsEvent(type, payload as object);
        }),
      );
      const blocks = split("aws-events", bytes, [1, 13, 100, 1000]);
      const answer = assemble(
        readEvents(
          provider.parseStream(),
          blocks.map((block) => block.event!),
        ),
      );
      expect(answer.done).toBe(true);
      ({ parts, finish } = answer.choices.get(0)!);
      ({ usage } = answer);
      expected = told(blocksOf(events));
      reason = events.find((event) => event["messageStop"])!["messageStop"]["stopReason"] as string;
      counted = events.find((event) => event["metadata"])?.["metadata"]["usage"] as
        | Loose
        | undefined;
    } else {
      const body = JSON.parse(data.text(file)) as Loose;
      const answer = provider.parseResponse(body as JsonObject);
      ({ parts, finish } = answer.choices[0]!);
      ({ usage } = answer);
      expected = told(body["output"]["message"]["content"] as Loose[]);
      reason = body["stopReason"] as string;
      counted = body["usage"] as Loose;
    }
    expect(saidBy(parts)).toEqual(expected);
    expect(finish).toBe(FINISH[reason]);
    if (counted === undefined) return;
    expect(usage).toMatchObject({
      input: counted["inputTokens"],
      output: counted["outputTokens"],
      cacheRead: counted["cacheReadInputTokens"] ?? 0,
    });
  });
});

describe("requests", () => {
  const build = (body: JsonObject, facts = {}) =>
    provider.buildRequest(
      openai.client.parseRequest({
        model: "m",
        messages: [{ role: "user", content: "hi" }],
        ...body,
      }),
      target(facts),
    );

  test("every parameter has its place, and none is invented", () => {
    expect(build({}).body).toEqual({ messages: [{ role: "user", content: [{ text: "hi" }] }] });
    const { body, degraded } = build({
      max_tokens: 9,
      temperature: 0.5,
      top_p: 0.9,
      stop: "x",
      seed: 1,
      tools: [{ type: "function", function: { name: "f" } }],
      tool_choice: { type: "function", function: { name: "f" } },
      response_format: {
        type: "json_schema",
        json_schema: { name: "a", schema: { type: "object" } },
      },
    });
    expect(body).toMatchObject({
      inferenceConfig: { maxTokens: 9, temperature: 0.5, topP: 0.9, stopSequences: ["x"] },
      toolConfig: {
        tools: [{ toolSpec: { name: "f", inputSchema: { json: { type: "object" } } } }],
        toolChoice: { tool: { name: "f" } },
      },
      outputConfig: {
        textFormat: {
          type: "json_schema",
          structure: { jsonSchema: { name: "a", schema: '{"type":"object"}' } },
        },
      },
    });
    expect(degraded).toEqual(["seed"]);
  });

  test("thinking stands in the model's own fields, as the model takes it", () => {
    const fields = (facts: object) =>
      build({ reasoning_effort: "low", max_tokens: 9000 }, facts).body[
        "additionalModelRequestFields"
      ];
    expect(fields({ reasoning: "budget" })).toEqual({
      thinking: { type: "enabled", budget_tokens: 2048 },
    });
    expect(fields({ reasoning: "adaptive" })).toEqual({
      thinking: { type: "adaptive" },
      output_config: { effort: "low" },
    });
    expect(fields({ reasoning: "effort" })).toEqual({ reasoning_effort: "low" });
    expect(fields({ reasoning: "none" })).toBeUndefined();
  });

  test("refusals are read by the header that names them", () => {
    const fault = (status: number, kind: string) =>
      provider.parseError(
        status,
        new Headers({ "x-amzn-errortype": `${kind}:http://x/` }),
        '{"message":"m"}',
      ).class;
    expect(fault(429, "ThrottlingException")).toBe("rate_limit");
    expect(fault(429, "ModelNotReadyException")).toBe("transient");
    expect(fault(424, "ModelStreamErrorException")).toBe("transient");
    expect(fault(403, "AccessDeniedException")).toBe("deployment");
    expect(fault(400, "ValidationException")).toBe("caller");
  });
});
