import type { ChatEvent, FinishReason, Part, PartDelta } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { argumentsOf, badAnswer, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { others } from "../fields.ts";
import { parseFinish } from "./finish.ts";
import {
  callSignature,
  contentListParts,
  imageParts,
  reasoningText,
  thinkingBlock,
} from "./parts.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "index",
  "delta",
  "message",
  "finish_reason",
  "logprobs",
  "usage",
  "stop_reason",
]);

/** A tool call on its way: held back until its id and name are known. */
interface Call {
  key: number;
  id?: string;
  name?: string;
  signature?: string;
  held: string;
  /** Index of its part once it is open. */
  part?: number;
}

/** One choice of a streamed answer: text, refusal and thinking follow each other, tool calls may run in parallel. */
export class ChoiceReader {
  private readonly choice: number;
  private parts = 0;
  private open: { kind: "text" | "refusal" | "thinking" | "audio"; part: number } | null = null;
  private readonly calls: Call[] = [];
  private custom: { key: number; part: number }[] = [];
  private sawReasoning = false;
  private readonly proofs = new Set<string>();
  /** The provider wrote an empty finish reason and meant one (xAI). */
  private blankFinish = false;
  finished = false;

  constructor(choice: number) {
    this.choice = choice;
  }

  /** The events of one entry of `choices`. */
  read(entry: JsonObject): ChatEvent[] {
    if (this.finished) return [];
    const out: ChatEvent[] = [];
    const delta = objectIn(entry["delta"]) ?? objectIn(entry["message"]);
    if (delta) this.readDelta(delta, entry["logprobs"], out);
    const reason = entry["finish_reason"];
    if (reason === "") this.blankFinish = true;
    if (typeof reason === "string" && reason !== "") this.finish(parseFinish(reason), entry, out);
    return out;
  }

  /** The stream said that it is over: repairs a finish reason that was sent empty. */
  conclude(): ChatEvent[] {
    const out: ChatEvent[] = [];
    if (!this.finished && this.blankFinish) {
      this.finish(this.calls.length > 0 ? "tool_calls" : "stop", {}, out);
    }
    return out;
  }

  private readDelta(delta: JsonObject, logprobs: Json | undefined, out: ChatEvent[]): void {
    const reasoning = reasoningText(delta);
    if (reasoning !== undefined) {
      this.sawReasoning = true;
      this.say("thinking", { type: "thinking", text: reasoning }, out);
    }
    for (const block of objectsIn(delta["thinking_blocks"])) this.readThinkingBlock(block, out);
    const { content } = delta;
    if (Array.isArray(content)) {
      for (const part of contentListParts(content)) this.readPart(part, out);
    } else {
      const text = stringOf(content) ?? "";
      // A token may be empty text with a probability; the opening chunk's empty list is none.
      const told = Array.isArray(objectIn(logprobs)?.["content"]) ? { logprobs } : {};
      const tokens = objectsIn(objectIn(logprobs)?.["content"]).length;
      if (text !== "" || tokens > 0) this.say("text", { type: "text", text, ...told }, out);
    }
    const refusal = textOf(delta["refusal"]);
    if (refusal !== undefined) this.say("refusal", { type: "refusal", text: refusal }, out);
    for (const citation of Array.isArray(delta["annotations"]) ? delta["annotations"] : []) {
      this.say("text", { type: "citation", citation }, out);
    }
    for (const image of imageParts(delta["images"])) this.whole(image, out);
    const audio = objectIn(delta["audio"]);
    if (audio) this.readAudio(audio, out);
    for (const [position, call] of objectsIn(delta["tool_calls"]).entries()) {
      this.readCall(call, position, out);
    }
    const old = objectIn(delta["function_call"]);
    if (old) this.readCall({ index: 0, function: old }, 0, out);
  }

  private readPart(part: Part, out: ChatEvent[]): void {
    if (part.type === "text" || part.type === "refusal" || part.type === "thinking") {
      if (part.text !== "") this.say(part.type, { type: part.type, text: part.text }, out);
    } else {
      this.whole(part, out);
    }
  }

  private readThinkingBlock(block: JsonObject, out: ChatEvent[]): void {
    const part = thinkingBlock(block);
    if (part.type !== "thinking") return;
    const proof = part.redacted ?? part.signature;
    if (proof !== undefined) {
      // The end may tell all blocks once more.
      if (this.proofs.has(proof)) return;
      this.proofs.add(proof);
    }
    if (part.redacted !== undefined) {
      this.whole(part, out);
      return;
    }
    // Its text stands in `reasoning_content` as well, where that is sent.
    if (!this.sawReasoning && part.text !== "") {
      this.say("thinking", { type: "thinking", text: part.text }, out);
    }
    if (part.signature === undefined) return;
    this.say("thinking", { type: "signature", signature: part.signature }, out);
    this.closeOpen(out);
  }

  private readAudio(audio: JsonObject, out: ChatEvent[]): void {
    const delta: PartDelta = { type: "audio" };
    const data = textOf(audio["data"]);
    const transcript = textOf(audio["transcript"]);
    const id = textOf(audio["id"]);
    if (data !== undefined) delta.data = data;
    if (transcript !== undefined) delta.transcript = transcript;
    if (id !== undefined) delta.id = id;
    this.say("audio", delta, out);
  }

  private readCall(from: JsonObject, position: number, out: ChatEvent[]): void {
    const type = textOf(from["type"]);
    const wire = typeof from["index"] === "number" ? from["index"] : undefined;
    const custom = this.custom.find((known) => known.key === wire);
    if (custom || (type !== undefined && type !== "function")) {
      this.readCustom(from, wire ?? position, custom?.part, out);
      return;
    }
    const named = objectIn(from["function"]) ?? {};
    const id = textOf(from["id"]);
    const name = textOf(named["name"]);
    const call = this.callFor(wire, id, name);
    if (call.part === undefined) {
      call.id ??= id;
      call.name ??= name;
      call.signature ??= callSignature(from);
    }
    const text = argumentsOf(named["arguments"]);
    if (call.part === undefined) {
      call.held += text;
      if (call.id !== undefined && call.name !== undefined) this.openCall(call, out);
    } else if (text !== "") {
      this.delta(call.part, { type: "arguments", text }, out);
    }
  }

  /**
   * The call that a delta belongs to: by index; without one by id, else the last. Another id under the same index,
   * with a name, is another call: some providers number all their calls 0.
   */
  private callFor(
    wire: number | undefined,
    id: string | undefined,
    name: string | undefined,
  ): Call {
    const last = this.calls[this.calls.length - 1];
    let found: Call | undefined;
    if (wire === undefined) {
      found = id === undefined ? last : this.calls.find((call) => call.id === id);
    } else {
      found = this.calls.findLast((call) => call.key === wire);
      const other = id !== undefined && found?.id !== undefined && found.id !== id;
      if (other && name !== undefined) {
        found = this.calls.find((call) => call.key === wire && call.id === id);
      }
    }
    if (found) return found;
    const call: Call = { key: wire ?? this.calls.length, held: "" };
    this.calls.push(call);
    return call;
  }

  private openCall(call: Call, out: ChatEvent[]): void {
    this.closeOpen(out);
    call.part = this.parts++;
    const value: Part = {
      type: "toolCall",
      id: call.id ?? `call_${this.choice}_${this.calls.indexOf(call)}`,
      name: call.name ?? "",
      arguments: call.held,
    };
    if (call.signature !== undefined) value.signature = call.signature;
    out.push({ type: "open", choice: this.choice, part: call.part, value });
    call.held = "";
  }

  private readCustom(
    from: JsonObject,
    key: number,
    part: number | undefined,
    out: ChatEvent[],
  ): void {
    if (part !== undefined) {
      this.delta(part, { type: "native", value: from }, out);
      return;
    }
    this.closeOpen(out);
    this.custom.push({ key, part: this.parts });
    const value: Part = { type: "native", dialect: "openai-chat", value: from };
    out.push({ type: "open", choice: this.choice, part: this.parts++, value });
  }

  /** Extends the open part of this kind, or closes what is open and begins one. */
  private say(
    kind: "text" | "refusal" | "thinking" | "audio",
    delta: PartDelta,
    out: ChatEvent[],
  ): void {
    if (this.open?.kind !== kind) {
      this.closeOpen(out);
      this.open = { kind, part: this.parts++ };
      const value: Part =
        kind === "audio" ? { type: "audio", data: "", format: "" } : { type: kind, text: "" };
      out.push({ type: "open", choice: this.choice, part: this.open.part, value });
    }
    this.delta(this.open.part, delta, out);
  }

  /** A part that comes in one piece. */
  private whole(value: Part, out: ChatEvent[]): void {
    this.closeOpen(out);
    const part = this.parts++;
    out.push({ type: "open", choice: this.choice, part, value });
    out.push({ type: "close", choice: this.choice, part });
  }

  private delta(part: number, delta: PartDelta, out: ChatEvent[]): void {
    out.push({ type: "delta", choice: this.choice, part, delta });
  }

  private closeOpen(out: ChatEvent[]): void {
    if (this.open) out.push({ type: "close", choice: this.choice, part: this.open.part });
    this.open = null;
  }

  private finish(reason: FinishReason, entry: JsonObject, out: ChatEvent[]): void {
    for (const call of this.calls) {
      if (call.part !== undefined) continue;
      if (call.name === undefined) throw badAnswer("a tool call came without a name");
      this.openCall(call, out);
    }
    this.closeOpen(out);
    const open = [
      ...this.calls.map((call) => call.part ?? 0),
      ...this.custom.map((call) => call.part),
    ];
    for (const part of open.toSorted((a, b) => a - b)) {
      out.push({ type: "close", choice: this.choice, part });
    }
    this.finished = true;
    const event: ChatEvent = { type: "finish", choice: this.choice, reason };
    if (typeof entry["stop_reason"] === "string") event.stopSequence = entry["stop_reason"];
    const extra = others(entry, KNOWN);
    if (Object.keys(extra).length > 0) event.extra = extra;
    out.push(event);
  }
}
