import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { badAnswer, eventObject, objectIn, stringOf, textOf } from "../answers.ts";
import { namedError, publicText } from "../faults.ts";
import { others } from "../fields.ts";
import { JSON_TOOL } from "../json-tool.ts";
import type { StreamParser } from "../protocol.ts";
import type { SseEvent } from "../sse.ts";
import { readBlock } from "./blocks.ts";
import { statusOfType } from "./errors.ts";
import { parseFinish } from "./finish.ts";
import { overwritten, parseUsage } from "./usage.ts";

const KNOWN_START: ReadonlySet<string> = new Set([
  "id",
  "type",
  "role",
  "model",
  "content",
  "stop_reason",
  "stop_sequence",
  "usage",
]);
const KNOWN_DELTA: ReadonlySet<string> = new Set(["stop_reason", "stop_sequence"]);
const KNOWN_DELTA_EVENT: ReadonlySet<string> = new Set(["type", "delta", "usage"]);

type Kind = Part["type"] | "json";

/** Reads the events of a streamed message. What follows `message_stop` is another answer's and is ignored. */
export class MessageStreamParser implements StreamParser {
  private started = false;
  private done = false;
  private finished = false;
  private called = false;
  private usage: JsonObject = {};
  private readonly open = new Map<number, Kind>();

  push({ data }: SseEvent): ChatEvent[] {
    if (this.done || data.trim() === "") return [];
    const event = eventObject(data);
    switch (event["type"]) {
      case "message_start":
        return this.start(event);
      case "content_block_start":
        return this.openBlock(event);
      case "content_block_delta":
        return this.delta(event);
      case "content_block_stop": {
        const part = indexOf(event);
        if (!this.open.delete(part)) return [];
        return [{ type: "close", choice: 0, part }];
      }
      case "message_delta":
        return this.messageDelta(event);
      case "message_stop":
        if (!this.finished) throw badAnswer("the message stopped without a reason");
        this.done = true;
        return [...this.closeAll(), { type: "done" }];
      case "error":
        this.done = true;
        return [failure(event)];
      default:
        return [];
    }
  }

  /** Only `message_stop` ends a message: a clean end of the body without it is a cut. */
  end(): ChatEvent[] {
    return [];
  }

  private start(event: JsonObject): ChatEvent[] {
    if (this.started) throw badAnswer("a second message began before the first had ended");
    const message = objectIn(event["message"]);
    if (!message) throw badAnswer("the stream began without a message");
    this.started = true;
    const out: ChatEvent[] = [
      {
        type: "start",
        id: stringOf(message["id"]) ?? "",
        model: stringOf(message["model"]) ?? "",
        created: 0,
        extra: others(message, KNOWN_START),
      },
    ];
    const usage = objectIn(message["usage"]);
    if (usage) {
      this.usage = usage;
      out.push({ type: "usage", usage: parseUsage(usage) });
    }
    return out;
  }

  private openBlock(event: JsonObject): ChatEvent[] {
    const block = objectIn(event["content_block"]);
    const part = indexOf(event);
    if (!this.started || !block || this.open.has(part))
      throw badAnswer("a block came out of order");
    if (block["type"] === "tool_use") {
      const input = objectIn(block["input"]);
      const text = input && Object.keys(input).length > 0 ? JSON.stringify(input) : "";
      if (block["name"] === JSON_TOOL) {
        this.open.set(part, "json");
        return [{ type: "open", choice: 0, part, value: { type: "text", text } }];
      }
      this.called = true;
      const call = readBlock(block) as Extract<Part, { type: "toolCall" }>;
      this.open.set(part, "toolCall");
      return [{ type: "open", choice: 0, part, value: { ...call, arguments: text } }];
    }
    const value = readBlock(block);
    this.open.set(part, value.type);
    return [{ type: "open", choice: 0, part, value }];
  }

  private delta(event: JsonObject): ChatEvent[] {
    const part = indexOf(event);
    const kind = this.open.get(part);
    const from = objectIn(event["delta"]);
    if (kind === undefined || !from) throw badAnswer("a delta belongs to no open block");
    return [{ type: "delta", choice: 0, part, delta: deltaOf(kind, from) }];
  }

  private messageDelta(event: JsonObject): ChatEvent[] {
    const out: ChatEvent[] = [];
    const delta = objectIn(event["delta"]) ?? {};
    const reason = textOf(delta["stop_reason"]);
    if (reason !== undefined && !this.finished) {
      this.finished = true;
      out.push(...this.closeAll());
      const stopSequence = textOf(delta["stop_sequence"]);
      const read = parseFinish(reason, this.called, stopSequence);
      const finish: ChatEvent = { type: "finish", choice: 0, reason: read.finish };
      if (stopSequence !== undefined) finish.stopSequence = stopSequence;
      const extra: JsonObject = {
        ...others(delta, KNOWN_DELTA),
        ...others(event, KNOWN_DELTA_EVENT),
      };
      if (read.own !== undefined) extra["stop_reason"] = read.own;
      if (Object.keys(extra).length > 0) finish.extra = extra;
      out.push(finish);
    }
    const usage = objectIn(event["usage"]);
    if (usage) {
      this.usage = overwritten(this.usage, usage);
      out.push({ type: "usage", usage: parseUsage(this.usage) });
    }
    return out;
  }

  private closeAll(): ChatEvent[] {
    const parts = [...this.open.keys()];
    this.open.clear();
    return parts.map((part) => ({ type: "close", choice: 0, part }));
  }
}

function indexOf(event: JsonObject): number {
  const { index } = event;
  if (typeof index !== "number") throw badAnswer("a block event has no index");
  return index;
}

function deltaOf(kind: Kind, from: JsonObject): PartDelta {
  const native: PartDelta = { type: "native", value: from };
  if (kind === "native") return native;
  switch (from["type"]) {
    case "text_delta":
      return { type: "text", text: stringOf(from["text"]) ?? "" };
    case "input_json_delta": {
      const text = stringOf(from["partial_json"]) ?? "";
      return kind === "json" ? { type: "text", text } : { type: "arguments", text };
    }
    case "thinking_delta":
      return { type: "thinking", text: stringOf(from["thinking"]) ?? "" };
    case "signature_delta":
      return { type: "signature", signature: stringOf(from["signature"]) ?? "" };
    case "citations_delta":
      return { type: "citation", citation: from["citation"] ?? null };
    default:
      return native;
  }
}

function failure(event: JsonObject): ChatEvent {
  const named = namedError(event);
  return {
    type: "failure",
    failure: {
      status: statusOfType(named.type ?? ""),
      message: publicText(named.message) ?? "The provider reported an error inside the stream.",
      ...(named.type !== undefined && { type: publicText(named.type) }),
      ...(named.code !== undefined && { code: publicText(named.code) }),
    },
  };
}
