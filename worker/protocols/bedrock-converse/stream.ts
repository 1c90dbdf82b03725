import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { eventObject, objectIn, stringOf, textOf } from "../answers.ts";
import type { StreamParser } from "../protocol.ts";
import type { SseEvent } from "../sse.ts";
import { JSON_TOOL } from "../json-tool.ts";
import { failureOf } from "./errors.ts";
import { parseFinish } from "./finish.ts";
import { readCitation } from "./response.ts";
import { parseUsage } from "./usage.ts";

type Kind = "text" | "toolCall" | "thinking" | "native" | "json";

/** Reads the events of a streamed answer. A block need not be begun: its first delta tells what it is. */
export class ConverseStreamParser implements StreamParser {
  private readonly open = new Map<number, { part: number; kind: Kind }>();
  private parts = 0;
  private started = false;
  private stopped = false;
  private called = false;
  private counted = false;
  private done = false;

  push({ data }: SseEvent): ChatEvent[] {
    if (this.done || data.trim() === "") return [];
    const event = eventObject(data);
    const failure = failureOf(event);
    if (failure) {
      this.done = true;
      return [{ type: "failure", failure }];
    }
    const out: ChatEvent[] = [];
    if (!this.started) {
      this.started = true;
      out.push({ type: "start", id: "", model: "", created: 0 });
    }
    const begin = objectIn(event["contentBlockStart"]);
    if (begin) this.begin(begin, out);
    const delta = objectIn(event["contentBlockDelta"]);
    if (delta) this.extend(indexOf(delta), objectIn(delta["delta"]) ?? {}, out);
    const end = objectIn(event["contentBlockStop"]);
    if (end) this.close(indexOf(end), out);
    const stop = objectIn(event["messageStop"]);
    if (stop) this.stop(stop, out);
    const usage = objectIn(objectIn(event["metadata"])?.["usage"]);
    if (event["metadata"] !== undefined) this.counted = true;
    if (usage) out.push({ type: "usage", usage: parseUsage(usage) });
    if (this.stopped && this.counted) out.push(...this.end());
    return out;
  }

  /** `messageStop` ends an answer; the usage comes behind it, if it comes. */
  end(): ChatEvent[] {
    if (this.done || !this.stopped) return [];
    this.done = true;
    return [{ type: "done" }];
  }

  private begin(from: JsonObject, out: ChatEvent[]): void {
    const call = objectIn(objectIn(from["start"])?.["toolUse"]);
    // Other blocks tell with their first delta what they are.
    if (!call) return;
    const id = stringOf(call["toolUseId"]) ?? "";
    const name = stringOf(call["name"]) ?? "";
    if (name === JSON_TOOL) {
      this.show(indexOf(from), "json", { type: "text", text: "" }, out);
      return;
    }
    this.called = true;
    this.show(indexOf(from), "toolCall", { type: "toolCall", id, name, arguments: "" }, out);
  }

  private show(index: number, kind: Kind, value: Part, out: ChatEvent[]): number {
    const part = this.parts++;
    this.open.set(index, { part, kind });
    out.push({ type: "open", choice: 0, part, value });
    return part;
  }

  private extend(index: number, from: JsonObject, out: ChatEvent[]): void {
    const read = deltaOf(from);
    if (read === null) return;
    const open = this.open.get(index);
    if (open?.kind === "json") {
      if (read.delta?.type !== "arguments") return;
      const delta: PartDelta = { type: "text", text: read.delta.text };
      out.push({ type: "delta", choice: 0, part: open.part, delta });
      return;
    }
    if (read.redacted !== undefined) {
      this.close(index, out);
      const value: Part = { type: "thinking", text: "", redacted: read.redacted };
      this.show(index, "thinking", value, out);
      return;
    }
    const part =
      open?.kind === read.kind
        ? open.part
        : this.show(index, read.kind, { type: read.kind, text: "" } as Part, out);
    if (read.delta) out.push({ type: "delta", choice: 0, part, delta: read.delta });
  }

  private close(index: number, out: ChatEvent[]): void {
    const open = this.open.get(index);
    if (!open) return;
    this.open.delete(index);
    out.push({ type: "close", choice: 0, part: open.part });
  }

  private stop(from: JsonObject, out: ChatEvent[]): void {
    if (this.stopped) return;
    this.stopped = true;
    for (const index of this.open.keys()) this.close(index, out);
    const reason = parseFinish(stringOf(from["stopReason"]) ?? "", this.called);
    out.push({ type: "finish", choice: 0, reason });
  }
}

function deltaOf(from: JsonObject): {
  kind: "text" | "toolCall" | "thinking";
  delta?: PartDelta;
  redacted?: string;
} | null {
  const text = stringOf(from["text"]);
  if (text !== undefined) return { kind: "text", delta: { type: "text", text } };
  const cited = objectIn(from["citation"]);
  if (cited) return { kind: "text", delta: { type: "citation", citation: readCitation(cited) } };
  const call = objectIn(from["toolUse"]);
  if (call) {
    return {
      kind: "toolCall",
      delta: { type: "arguments", text: stringOf(call["input"]) ?? "" },
    };
  }
  const reasoning = objectIn(from["reasoningContent"]);
  if (!reasoning) return null;
  const redacted = textOf(reasoning["redactedContent"]);
  if (redacted !== undefined) return { kind: "thinking", redacted };
  const signature = textOf(reasoning["signature"]);
  if (signature !== undefined) return { kind: "thinking", delta: { type: "signature", signature } };
  const thought = stringOf(reasoning["text"]) ?? "";
  return { kind: "thinking", delta: { type: "thinking", text: thought } };
}

function indexOf(from: JsonObject): number {
  const index = from["contentBlockIndex"];
  return typeof index === "number" ? index : 0;
}
