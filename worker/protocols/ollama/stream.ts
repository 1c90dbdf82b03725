import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { Json } from "../../core/json.ts";
import { eventObject, objectIn, stringOf, textOf } from "../answers.ts";
import { publicText } from "../faults.ts";
import type { StreamParser } from "../protocol.ts";
import type { SseEvent } from "../sse.ts";
import { createdAt, parseFinish, parseUsage, readCalls, readLogprobs } from "./response.ts";

/** Reads the lines of a streamed answer: each brings some text or thinking, or whole calls; the last says so. */
export class ChatLineParser implements StreamParser {
  private parts = 0;
  private open: { kind: "text" | "thinking"; part: number } | null = null;
  private calls = 0;
  private started = false;
  private done = false;

  push({ data }: SseEvent): ChatEvent[] {
    if (this.done) return [];
    const line = eventObject(data);
    const out: ChatEvent[] = [];
    if (line["error"] !== undefined) {
      this.done = true;
      const told = textOf(line["error"]) ?? textOf(objectIn(line["error"])?.["message"]);
      const message = publicText(told) ?? "The provider reported an error inside the stream.";
      return [{ type: "failure", failure: { status: 500, message } }];
    }
    if (!this.started) {
      this.started = true;
      const model = stringOf(line["model"]) ?? "";
      out.push({ type: "start", id: "", model, created: createdAt(line) });
    }
    const message = objectIn(line["message"]) ?? {};
    this.say("thinking", stringOf(message["thinking"]) ?? "", out);
    this.say("text", stringOf(message["content"]) ?? "", out, readLogprobs(line));
    for (const call of readCalls(message, line, this.calls)) this.whole(call, out);
    if (line["done"] !== true) return out;
    this.done = true;
    this.close(out);
    out.push({ type: "finish", choice: 0, reason: parseFinish(line, this.calls > 0) });
    const usage = parseUsage(line);
    if (usage) out.push({ type: "usage", usage });
    out.push({ type: "done" });
    return out;
  }

  /** Only its last line ends an answer: a clean end of the body without it is a cut. */
  end(): ChatEvent[] {
    return [];
  }

  private say(kind: "text" | "thinking", text: string, out: ChatEvent[], logprobs?: Json): void {
    if (text === "") return;
    if (this.open?.kind !== kind) {
      this.close(out);
      this.open = { kind, part: this.parts++ };
      const value: Part = { type: kind, text: "" };
      out.push({ type: "open", choice: 0, part: this.open.part, value });
    }
    const delta: PartDelta = { type: kind, text };
    if (delta.type === "text" && logprobs !== undefined) delta.logprobs = logprobs;
    out.push({ type: "delta", choice: 0, part: this.open.part, delta });
  }

  private whole(value: Part, out: ChatEvent[]): void {
    this.close(out);
    this.calls++;
    const part = this.parts++;
    out.push({ type: "open", choice: 0, part, value });
    out.push({ type: "close", choice: 0, part });
  }

  private close(out: ChatEvent[]): void {
    if (this.open) out.push({ type: "close", choice: 0, part: this.open.part });
    this.open = null;
  }
}
