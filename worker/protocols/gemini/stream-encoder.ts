import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { TokenUsage } from "../../core/usage.ts";
import type { StreamEncoder, StreamOptions } from "../protocol.ts";
import { writeCitations } from "./citations.ts";
import { encodeFinish } from "./finish.ts";
import { writeLogprobs } from "./logprobs.ts";
import { proofOf, writePart } from "./parts.ts";
import { encodeUsage } from "./usage.ts";

type Finish = Extract<ChatEvent, { type: "finish" }>;

/** What was said of one choice that its last chunk has to tell. */
interface Ending {
  finish?: Finish;
  citations: Json[];
}

/**
 * Writes the chunks of a streamed answer, as server-sent events or as the elements of one array. Text goes out as it
 * comes; calls and signed thinking go out whole, which is how Google's clients take them.
 */
export class ContentStreamEncoder implements StreamEncoder {
  private readonly options: StreamOptions;
  private readonly parts = new Map<string, Part>();
  private readonly endings = new Map<number, Ending>();
  /** By choice, the proof of thinking that another family's model did: it waits for the part behind it. */
  private readonly proofs = new Map<number, string>();
  private head: JsonObject;
  private usage: TokenUsage | undefined;
  private begun = false;
  /** The caller has the finish reason already. */
  private told = false;

  constructor(options: StreamOptions) {
    this.options = options;
    this.head = { modelVersion: "", responseId: options.requestId };
  }

  push(event: ChatEvent): string {
    switch (event.type) {
      case "start":
        this.head = { modelVersion: event.model, responseId: event.id || this.options.requestId };
        return "";
      case "open":
        return this.open(event.choice, event.part, event.value);
      case "delta":
        return this.delta(event.choice, event.part, event.delta);
      case "close":
        return this.close(event.choice, event.part);
      case "finish":
        this.ending(event.choice).finish = event;
        return "";
      case "usage":
        this.usage = event.usage;
        return "";
      case "failure":
        return "";
      case "done":
        return this.end();
    }
  }

  resume(delivered: readonly ChatEvent[], own: boolean): void {
    for (const event of delivered) {
      this.push(event);
      if (own && event.type === "start") this.head["responseId"] = event.id;
    }
    // Here the end is written last; a provider's own end came with its reason.
    this.told = own && delivered.some((event) => event.type === "finish");
    this.begun = true;
  }

  private ending(choice: number): Ending {
    let found = this.endings.get(choice);
    if (!found) this.endings.set(choice, (found = { citations: [] }));
    return found;
  }

  private open(choice: number, part: number, value: Part): string {
    this.parts.set(`${choice} ${part}`, value);
    this.ending(choice);
    if (value.type === "text") {
      this.ending(choice).citations.push(...(value.citations ?? []));
      if (value.text !== "" && value.signature === undefined) return this.said(choice, value);
    }
    if (value.type === "refusal" && value.text !== "") return this.said(choice, value);
    if (value.type === "thinking" && value.text !== "") {
      return this.said(choice, { type: "thinking", text: value.text });
    }
    return "";
  }

  private delta(choice: number, part: number, delta: PartDelta): string {
    const key = `${choice} ${part}`;
    const open = this.parts.get(key);
    if (!open) return "";
    switch (delta.type) {
      case "text":
        return this.said(choice, { type: "text", text: delta.text }, delta.logprobs);
      case "refusal":
        return this.said(choice, { type: "text", text: delta.text });
      case "thinking":
        return this.said(choice, { type: "thinking", text: delta.text });
      case "signature":
        if (open.type === "thinking") this.parts.set(key, { ...open, signature: delta.signature });
        return "";
      case "arguments":
        if (open.type === "toolCall") {
          this.parts.set(key, { ...open, arguments: open.arguments + delta.text });
        }
        return "";
      case "citation":
        this.ending(choice).citations.push(delta.citation);
        return "";
      case "audio":
        if (delta.data) {
          const format = open.type === "audio" ? open.format : "";
          return this.said(choice, { type: "audio", data: delta.data, format });
        }
        return delta.transcript ? this.said(choice, { type: "text", text: delta.transcript }) : "";
      case "native":
        return "";
    }
  }

  /**
   * What had to be whole goes out now. The proof of thinking goes with the part behind it, as Google's own does: clients
   * that put a stream together throw away parts that hold a signature and no text.
   */
  private close(choice: number, part: number): string {
    const key = `${choice} ${part}`;
    const value = this.parts.get(key);
    this.parts.delete(key);
    if (!value || value.type === "refusal" || value.type === "audio") return "";
    if (value.type === "text" && value.signature === undefined) return "";
    if (value.type === "thinking") {
      const proof = proofOf(value);
      if (proof === undefined) return "";
      const before = this.proven(choice);
      this.proofs.set(choice, proof);
      return before;
    }
    return this.said(choice, value);
  }

  /** A proof that no part took with it, on an empty thought. */
  private proven(choice: number): string {
    const thoughtSignature = this.proofs.get(choice);
    if (thoughtSignature === undefined) return "";
    this.proofs.delete(choice);
    return this.part(choice, { text: "", thought: true, thoughtSignature });
  }

  private said(choice: number, part: Part, logprobs?: Json): string {
    const wire = writePart(part);
    if (wire === null) return "";
    const takesProof = wire["thought"] !== true && wire["thoughtSignature"] === undefined;
    const before = takesProof ? "" : this.proven(choice);
    const thoughtSignature = this.proofs.get(choice);
    this.proofs.delete(choice);
    return (
      before +
      this.part(choice, { ...wire, ...(thoughtSignature && { thoughtSignature }) }, logprobs)
    );
  }

  private part(choice: number, wire: JsonObject, logprobs?: Json): string {
    const result = writeLogprobs(logprobs);
    return this.chunk([
      {
        content: { role: "model", parts: [wire] },
        index: choice,
        ...(result && { logprobsResult: result }),
      },
    ]);
  }

  private end(): string {
    if (this.told) return this.options.array ? "]" : "";
    const proofs = [...this.proofs.keys()].map((choice) => this.proven(choice)).join("");
    const candidates = [...this.endings].map(([index, { finish, citations }]) => {
      const cited = writeCitations(citations);
      const own = finish?.extra?.["finishReason"];
      return {
        content: { role: "model", parts: [{ text: "" }] },
        finishReason: typeof own === "string" ? own : encodeFinish(finish?.reason ?? "stop"),
        index,
        ...(cited && { citationMetadata: cited }),
      };
    });
    const meta = this.options.meta?.();
    const last = this.chunk(candidates, {
      ...(this.usage && { usageMetadata: encodeUsage(this.usage) }),
      ...(meta && { routero: { ...meta } }),
    });
    return proofs + (this.options.array ? `${last}]` : last);
  }

  private chunk(candidates: JsonObject[], more: JsonObject = {}): string {
    const text = JSON.stringify({ candidates, ...more, ...this.head });
    if (!this.options.array) return `data: ${text}\r\n\r\n`;
    const before = this.begun ? ",\r\n" : "[";
    this.begun = true;
    return before + text;
  }
}
