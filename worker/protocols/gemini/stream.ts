import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { badAnswer, eventObject, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { others } from "../fields.ts";
import type { StreamParser } from "../protocol.ts";
import type { SseEvent } from "../sse.ts";
import { readCitations } from "./citations.ts";
import { streamFailure } from "./errors.ts";
import { encodeFinish, parseFinish } from "./finish.ts";
import { readLogprobs } from "./logprobs.ts";
import { member } from "./names.ts";
import { PartialArgs } from "./partial-args.ts";
import { readPart, type CallId } from "./parts.ts";
import { callIds } from "./response.ts";
import { parseUsage, tellsUsage } from "./usage.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "content",
  "finishReason",
  "index",
  "logprobsResult",
  "citationMetadata",
]);

/** Reads the chunks of a streamed answer: each is a whole response with the parts that are new. */
export class ContentStreamParser implements StreamParser {
  private readonly candidates = new Map<number, CandidateReader>();
  private callId: CallId = callIds("");
  private started = false;
  private done = false;

  push({ data }: SseEvent): ChatEvent[] {
    if (this.done || data.trim() === "" || data.trim() === "[DONE]") return [];
    const chunk = eventObject(data);
    if (chunk["error"] !== undefined) {
      this.done = true;
      return [{ type: "failure", failure: streamFailure(chunk) }];
    }
    const out: ChatEvent[] = [];
    this.start(chunk, out);
    for (const [position, candidate] of objectsIn(chunk["candidates"]).entries()) {
      const index = typeof candidate["index"] === "number" ? candidate["index"] : position;
      this.candidate(index).read(candidate, out);
    }
    const blockReason = textOf(objectIn(chunk["promptFeedback"])?.["blockReason"]);
    if (blockReason !== undefined) this.candidate(0).block(blockReason, out);
    const usage = objectIn(chunk["usageMetadata"]);
    if (usage && tellsUsage(usage)) out.push({ type: "usage", usage: parseUsage(usage) });
    return out;
  }

  /** There is no terminal event: the stream is whole when every candidate has told why it ended. */
  end(): ChatEvent[] {
    const candidates = [...this.candidates.values()];
    if (this.done || candidates.length === 0) return [];
    if (!candidates.every((each) => each.finished)) return [];
    this.done = true;
    return [{ type: "done" }];
  }

  private candidate(index: number): CandidateReader {
    let found = this.candidates.get(index);
    if (!found) {
      found = new CandidateReader(index, (own) => this.callId(own));
      this.candidates.set(index, found);
    }
    return found;
  }

  private start(chunk: JsonObject, out: ChatEvent[]): void {
    if (this.started) return;
    this.started = true;
    const id = stringOf(chunk["responseId"]) ?? "";
    this.callId = callIds(id);
    out.push({ type: "start", id, model: stringOf(chunk["modelVersion"]) ?? "", created: 0 });
  }
}

/** One candidate: text and thinking extend what is open; calls come whole, or piece by piece until their end. */
class CandidateReader {
  finished = false;
  private readonly choice: number;
  private readonly callId: CallId;
  private parts = 0;
  private open: { kind: "text" | "thinking"; part: number } | null = null;
  private partial: { head: JsonObject; args: PartialArgs } | null = null;
  private called = false;

  constructor(choice: number, callId: CallId) {
    this.choice = choice;
    this.callId = callId;
  }

  read(candidate: JsonObject, out: ChatEvent[]): void {
    if (this.finished) return;
    const content = objectIn(candidate["content"]);
    let logprobs = readLogprobs(candidate["logprobsResult"]);
    for (const from of objectsIn(content?.["parts"])) {
      if (this.pieceOfCall(from, out)) continue;
      for (const part of readPart(from, this.callId)) {
        this.take(part, logprobs, out);
        if (part.type === "text") logprobs = undefined;
      }
    }
    for (const citation of readCitations(candidate)) {
      const part = this.extend("text", out);
      out.push({ type: "delta", choice: this.choice, part, delta: { type: "citation", citation } });
    }
    const reason = textOf(candidate["finishReason"]);
    if (reason !== undefined) this.finish(reason, candidate, out);
  }

  /** The prompt was refused: nothing is said, and that is why. */
  block(blockReason: string, out: ChatEvent[]): void {
    if (this.finished) return;
    this.finished = true;
    const extra = { blockReason };
    out.push({ type: "finish", choice: this.choice, reason: "content_filter", extra });
  }

  /** A call whose arguments come piece by piece: shown when it is whole, since half an argument helps nobody. */
  private pieceOfCall(from: JsonObject, out: ChatEvent[]): boolean {
    const call = objectIn(member(from, "functionCall"));
    if (!call) return false;
    const begins = textOf(call["name"]) !== undefined;
    const goesOn = call["willContinue"] === true;
    if (this.partial === null && !(begins && (goesOn || call["partialArgs"] !== undefined))) {
      return false;
    }
    if (begins) {
      if (this.partial !== null) throw badAnswer("a tool call began before another one had ended");
      this.partial = { head: from, args: new PartialArgs() };
    }
    if (this.partial === null) throw badAnswer("a piece of a tool call belongs to none");
    this.partial.args.add(call["partialArgs"]);
    if (goesOn) return true;
    const { head, args } = this.partial;
    this.partial = null;
    for (const part of readPart(head, this.callId)) {
      this.take(
        part.type === "toolCall" ? { ...part, arguments: args.text } : part,
        undefined,
        out,
      );
    }
    return true;
  }

  private take(part: Part, logprobs: Json | undefined, out: ChatEvent[]): void {
    if (part.type === "text" && part.signature === undefined) {
      if (part.text === "" && logprobs === undefined) return;
      const at = this.extend("text", out);
      const delta: PartDelta = { type: "text", text: part.text };
      if (logprobs !== undefined) delta.logprobs = logprobs;
      out.push({ type: "delta", choice: this.choice, part: at, delta });
    } else if (
      part.type === "thinking" &&
      part.signature === undefined &&
      part.redacted === undefined
    ) {
      const at = this.extend("thinking", out);
      const delta = { type: "thinking", text: part.text } as const;
      out.push({ type: "delta", choice: this.choice, part: at, delta });
    } else {
      this.closeOpen(out);
      if (part.type === "toolCall") this.called = true;
      const at = this.parts++;
      out.push({ type: "open", choice: this.choice, part: at, value: part });
      out.push({ type: "close", choice: this.choice, part: at });
    }
  }

  private extend(kind: "text" | "thinking", out: ChatEvent[]): number {
    if (this.open?.kind === kind) return this.open.part;
    this.closeOpen(out);
    this.open = { kind, part: this.parts++ };
    out.push({
      type: "open",
      choice: this.choice,
      part: this.open.part,
      value: { type: kind, text: "" },
    });
    return this.open.part;
  }

  private closeOpen(out: ChatEvent[]): void {
    if (this.open) out.push({ type: "close", choice: this.choice, part: this.open.part });
    this.open = null;
  }

  private finish(reason: string, candidate: JsonObject, out: ChatEvent[]): void {
    if (this.partial !== null) throw badAnswer("a tool call never came to its end");
    this.closeOpen(out);
    this.finished = true;
    const finish = parseFinish(reason, this.called);
    const event: ChatEvent = { type: "finish", choice: this.choice, reason: finish };
    const extra = others(candidate, KNOWN);
    if (encodeFinish(finish) !== reason) extra["finishReason"] = reason;
    if (Object.keys(extra).length > 0) event.extra = extra;
    out.push(event);
  }
}
