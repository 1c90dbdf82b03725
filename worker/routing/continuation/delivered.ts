import type { ChatEvent, FinishReason, Part, PartDelta } from "../../core/chat.ts";

/** UTF-16 units of an answer's text that are kept to go on with. */
const LONGEST = 1_000_000;

interface DeliveredPart {
  part: number;
  value: Part;
  closed: boolean;
}

/**
 * What a caller has of a streamed answer, in canonical events: enough to go on with it from another provider, in any
 * dialect. It is fed with exactly the events whose bytes the caller got.
 */
export class Delivered {
  private head: Extract<ChatEvent, { type: "start" }> | null = null;
  private readonly parts: DeliveredPart[] = [];
  private ended: Extract<ChatEvent, { type: "finish" }> | null = null;
  /** UTF-16 units of text, kept or not, and of thinking. */
  private length = 0;
  private thought = 0;
  /** The usage of the whole answer is told: it came with its end. */
  counted = false;
  /** What stands in the way of going on with it, as public text; null for plain text and thinking. */
  obstacle: string | null = null;

  push(event: ChatEvent): void {
    switch (event.type) {
      case "start":
        this.head ??= event;
        return;
      case "open":
        if (event.choice !== 0) this.obstacle ??= "it has several choices";
        else this.open(event.part, event.value);
        return;
      case "delta":
        if (event.choice !== 0) return;
        this.extend(event.part, event.delta);
        return;
      case "close": {
        const found = event.choice === 0 ? this.find(event.part) : undefined;
        if (found) found.closed = true;
        return;
      }
      case "finish":
        if (event.choice === 0) this.ended ??= event;
        return;
      case "usage":
        this.counted = this.ended !== null;
        return;
      default:
    }
  }

  /** All answer text so far, thinking left out. */
  get text(): string {
    return this.parts.map(({ value }) => (value.type === "text" ? value.text : "")).join("");
  }

  /** The parts so far, in order. */
  get values(): readonly Part[] {
    return this.parts.map(({ value }) => value);
  }

  /** UTF-16 units of thinking so far. */
  get thinkingLength(): number {
    return this.thought;
  }

  get finish(): FinishReason | null {
    return this.ended?.reason ?? null;
  }

  /** The number that no part has yet. */
  get nextPart(): number {
    return this.parts.reduce((next, each) => Math.max(next, each.part + 1), 0);
  }

  /** Parts that wait for more, by kind. */
  stillOpen(type: Part["type"]): number[] {
    return this.parts
      .filter((each) => !each.closed && each.value.type === type)
      .map((each) => each.part);
  }

  /** The events that bring a fresh encoder to where the caller is; each part comes in one piece. */
  replay(): ChatEvent[] {
    const out: ChatEvent[] = this.head ? [this.head] : [];
    for (const { part, value, closed } of this.parts) {
      out.push({ type: "open", choice: 0, part, value });
      if (closed) out.push({ type: "close", choice: 0, part });
    }
    if (this.ended) out.push(this.ended);
    return out;
  }

  /** False where no more is kept: nobody goes on with an answer of that length. */
  private grow(text: string): boolean {
    this.length += text.length;
    if (this.length > LONGEST) this.obstacle ??= "it is too long to be asked for again";
    return this.length <= LONGEST;
  }

  private find(part: number): DeliveredPart | undefined {
    return this.parts.findLast((each) => each.part === part);
  }

  private open(part: number, value: Part): void {
    this.parts.push({ part, value: { ...value }, closed: false });
    if (value.type === "text") {
      this.grow(value.text);
      if ((value.citations ?? []).length > 0) this.obstacle ??= "it holds citations";
    } else if (value.type === "thinking") this.thought += value.text.length;
    else this.obstacle ??= OBSTACLES[value.type] ?? "it holds more than text";
  }

  private extend(part: number, delta: PartDelta): void {
    const value = this.find(part)?.value;
    if (value === undefined) return;
    switch (delta.type) {
      case "text":
        if (value.type === "text" && this.grow(delta.text)) value.text += delta.text;
        return;
      case "thinking":
        if (value.type === "thinking") value.text += delta.text;
        this.thought += delta.text.length;
        return;
      case "signature":
        if (value.type === "thinking") value.signature = delta.signature;
        return;
      case "arguments":
        if (value.type === "toolCall") value.arguments += delta.text;
        return;
      case "citation":
        this.obstacle ??= "it holds citations";
        return;
      default:
    }
  }
}

const OBSTACLES: Partial<Record<Part["type"], string>> = {
  toolCall: "a tool call has begun",
  refusal: "the model refuses",
  audio: "it holds audio",
};
