import { expect } from "vitest";
import type { DialectName } from "../../worker/core/chat.ts";
import type { Loose } from "../support/loose.ts";
import { toldByChunks, toldByEvents, type Told } from "../conformance/told.ts";

export interface OneMessage {
  told: Told;
  id: string;
  model: string;
  meta: Loose | undefined;
}

/** Asserts that a stream is one whole message of its dialect, as strict clients take it, and reads it. */
export function oneMessage(dialect: DialectName, stream: string): OneMessage {
  if (dialect === "gemini") return oneOfCandidates(stream);
  if (dialect === "openai-responses") return oneOfItems(stream);
  return dialect === "anthropic" ? oneOfEvents(stream) : oneOfChunks(stream);
}

/** The data of each event. */
export function eventsOf(stream: string): string[] {
  const lines = stream.replaceAll("\r\n", "\n");
  expect(lines.endsWith("\n\n")).toBe(true);
  return lines
    .split("\n\n")
    .slice(0, -1)
    .map((block) =>
      block
        .split("\n")
        .filter((line) => line.startsWith("data: "))
        .map((line) => line.slice(6))
        .join("\n"),
    )
    .filter((data) => data !== "");
}

function oneOfChunks(stream: string): OneMessage {
  const data = eventsOf(stream);
  expect(data.at(-1)).toBe("[DONE]");
  const chunks = data.slice(0, -1).map((each) => JSON.parse(each) as Loose);
  const one = (name: string) => {
    const all = new Set(chunks.map((chunk) => chunk[name]));
    expect([...all], name).toHaveLength(1);
    return [...all][0] as string;
  };
  one("object");
  one("created");
  const choices = chunks.flatMap((chunk) => chunk["choices"] as Loose[]);
  expect(choices.filter((choice) => choice["delta"]?.["role"] !== undefined)).toHaveLength(1);
  expect(choices.filter((choice) => choice["finish_reason"] != null)).toHaveLength(1);
  expect(choices.at(-1)?.["finish_reason"]).not.toBeNull();
  expect(new Set(choices.map((choice) => choice["index"]))).toEqual(new Set([0]));
  const counted = chunks.filter((chunk) => chunk["usage"] != null);
  expect(counted.length).toBeLessThanOrEqual(1);
  if (counted.length > 0) expect(chunks.at(-1)).toBe(counted[0]);
  const meta = counted[0]?.["routero"] as Loose | undefined;
  return { told: toldByChunks(chunks), id: one("id"), model: one("model"), meta };
}

function oneOfEvents(stream: string): OneMessage {
  const events = eventsOf(stream)
    .map((each) => JSON.parse(each) as Loose)
    .filter((event) => event["type"] !== "ping");
  const types = events.map((event) => event["type"] as string);
  expect(types[0]).toBe("message_start");
  expect(types.at(-1)).toBe("message_stop");
  expect(types.at(-2)).toBe("message_delta");
  for (const type of ["message_start", "message_delta", "message_stop"]) {
    expect(
      types.filter((each) => each === type),
      type,
    ).toHaveLength(1);
  }
  let open = -1;
  let next = 0;
  for (const event of events) {
    const index = event["index"] as number;
    if (event["type"] === "content_block_start") {
      expect(open).toBe(-1);
      expect(index).toBe(next++);
      open = index;
    } else if (event["type"] === "content_block_delta") expect(index).toBe(open);
    else if (event["type"] === "content_block_stop") {
      expect(index).toBe(open);
      open = -1;
    }
  }
  expect(open).toBe(-1);
  const message = events[0]?.["message"] as Loose;
  const meta = events.at(-2)?.["routero"] as Loose | undefined;
  return { told: toldByEvents(events), id: message["id"], model: message["model"], meta };
}

function oneOfCandidates(stream: string): OneMessage {
  const chunks = eventsOf(stream).map((each) => JSON.parse(each) as Loose);
  const one = (name: string) => {
    const all = new Set(chunks.map((chunk) => chunk[name]));
    expect([...all], name).toHaveLength(1);
    return [...all][0] as string;
  };
  const candidates = chunks.flatMap((chunk) => chunk["candidates"] as Loose[]);
  expect(candidates.filter((each) => each["finishReason"] !== undefined)).toHaveLength(1);
  const finish = candidates.at(-1)?.["finishReason"] as string;
  expect(finish).toBeDefined();
  const parts = candidates.flatMap((each) => each["content"]["parts"] as Loose[]);
  const said = (thought: boolean) =>
    parts
      .filter((part) => (part["thought"] === true) === thought)
      .map((part) => (part["text"] ?? "") as string)
      .join("");
  const usage = chunks.at(-1)?.["usageMetadata"] as Loose | undefined;
  const calls = parts.flatMap((part) =>
    part["functionCall"] ? [part["functionCall"] as Loose] : [],
  );
  const told: Told = {
    text: said(false),
    reasoning: said(true),
    calls: calls.map((call) => ({ name: call["name"] as string, input: call["args"] as unknown })),
    finish:
      calls.length > 0 ? "tool_calls" : ({ STOP: "stop", MAX_TOKENS: "length" }[finish] ?? finish),
    usage: usage && {
      prompt: usage["promptTokenCount"] as number,
      completion: (usage["candidatesTokenCount"] ?? 0) + (usage["thoughtsTokenCount"] ?? 0),
      cached: 0,
    },
  };
  return {
    told,
    id: one("responseId"),
    model: one("modelVersion"),
    meta: chunks.at(-1)?.["routero"],
  };
}

/** Events of the Responses API: numbered without a gap, items opened and closed in turn, one end that holds them all. */
function oneOfItems(stream: string): OneMessage {
  const events = eventsOf(stream).map((each) => JSON.parse(each) as Loose);
  expect(events.map((event) => event["sequence_number"])).toEqual(events.map((_, n) => n));
  const types = events.map((event) => event["type"] as string);
  expect(types[0]).toBe("response.created");
  expect(types.filter((type) => type === "response.created")).toHaveLength(1);
  const ends = types.filter((type) => /^response\.(completed|incomplete|failed)$/.test(type));
  expect(ends).toEqual([types.at(-1)]);
  const items = new Map<number, { id: string; open: boolean; text: string }>();
  for (const event of events) {
    const place = event["output_index"] as number;
    const item = items.get(place);
    if (event["type"] === "response.output_item.added") {
      expect(item).toBeUndefined();
      items.set(place, { id: event["item"]["id"] as string, open: true, text: "" });
    } else if (event["type"] === "response.output_item.done") {
      expect(item?.open).toBe(true);
      expect(event["item"]["id"]).toBe(item?.id);
      item!.open = false;
    } else if (event["item_id"] !== undefined) {
      expect(event["item_id"]).toBe(item?.id);
      expect(item?.open).toBe(true);
      if (/(output_text|refusal|summary_text)\.delta$/.test(event["type"] as string)) {
        item!.text += event["delta"] as string;
      }
    }
  }
  expect([...items.values()].every((item) => !item.open)).toBe(true);
  const last = events.at(-1) as Loose;
  const response = last["response"] as Loose;
  const output = response["output"] as Loose[];
  const texts = output.flatMap((item) =>
    item["type"] === "message" ? (item["content"] as Loose[]) : [],
  );
  const text = texts.map((part) => (part["text"] ?? part["refusal"] ?? "") as string).join("");
  const streamed = [...items.entries()]
    .filter(([, item]) =>
      output.some((each) => each["id"] === item.id && each["type"] === "message"),
    )
    .map(([, item]) => item.text);
  if (streamed.length > 0) expect(streamed.join("")).toBe(text);
  const calls = output.filter((item) => item["type"] === "function_call");
  const summaries = output
    .filter((item) => item["type"] === "reasoning")
    .flatMap((item) => item["summary"] as Loose[]);
  const usage = response["usage"] as Loose | null;
  const id = events[0]?.["response"]["id"] as string;
  expect(response["id"]).toBe(id);
  return {
    told: {
      text,
      reasoning: summaries.map((each) => each["text"] as string).join(""),
      calls: calls.map((each) => ({
        name: each["name"] as string,
        input: JSON.parse(each["arguments"] as string) as unknown,
      })),
      finish:
        calls.length > 0
          ? "tool_calls"
          : types.at(-1) === "response.completed"
            ? "stop"
            : response["incomplete_details"]?.["reason"] === "max_output_tokens"
              ? "length"
              : "content_filter",
      usage: usage
        ? {
            prompt: usage["input_tokens"] as number,
            completion: usage["output_tokens"] as number,
            cached: 0,
          }
        : undefined,
    },
    id,
    model: response["model"] as string,
    meta: last["routero"] as Loose | undefined,
  };
}
