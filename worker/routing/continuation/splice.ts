import type { ChatEvent, FinishReason, Part } from "../../core/chat.ts";
import type { TokenUsage } from "../../core/usage.ts";
import type { Delivered } from "./delivered.ts";
import type { Continuation } from "./request.ts";
import { Trim } from "./trim.ts";

type Opened = { kind: "dropped" } | { kind: "text" } | { kind: "moved"; part: number };

/**
 * Turns the events of another provider's answer into those that go on with the delivered one: one start, one finish,
 * parts numbered on, thinking left out, text from where the caller's ends. Usage is the caller's business.
 */
export class Splice {
  /** The caller has some of the text already. */
  private readonly began: boolean;
  private readonly trim: Trim;
  private readonly opened = new Map<number, Opened>();
  /** Part of the answer that text goes to: the delivered one, or one of its own once there is text for it. */
  private textPart: number | null;
  private closing: number[];
  private nextPart: number;
  /** White space that says nothing yet: it may be all that comes (PROTOCOLS 17). */
  private blank = "";
  /** UTF-16 units of text that came, and that went on. */
  readonly length = { came: 0, passed: 0 };
  /** Something beyond white space was added to the answer. */
  private added = false;
  private ended = false;

  constructor(delivered: Delivered, how: Continuation) {
    const { text } = delivered;
    this.began = text !== "";
    this.nextPart = delivered.nextPart;
    this.textPart = delivered.stillOpen("text")[0] ?? null;
    this.closing = delivered.stillOpen("thinking");
    this.trim = new Trim(text, {
      instructed: how.form === "instruction",
      echoes: how.form === "native" && how.prefill.echoes === true,
    });
  }

  /** Text is held that `force` sets free. */
  get holding(): boolean {
    return this.trim.holding;
  }

  /** Why nothing of this answer may be used, as public text; null while it may. */
  get incoherent(): string | null {
    if (this.trim.incoherent) return "The provider answered anew and differently.";
    return this.unfit;
  }
  private unfit: string | null = null;

  push(event: ChatEvent): ChatEvent[] {
    if (this.ended && event.type !== "done") return [];
    switch (event.type) {
      case "open":
        return event.choice === 0 ? this.open(event.part, event.value) : [];
      case "delta": {
        if (event.choice !== 0) return [];
        const to = this.opened.get(event.part);
        if (to?.kind === "moved") return [{ ...event, part: to.part }];
        if (to?.kind !== "text") return [];
        if (event.delta.type === "text") return this.say(event.delta.text);
        return this.textPart === null ? [] : [{ ...event, part: this.textPart }];
      }
      case "close": {
        if (event.choice !== 0) return [];
        const to = this.opened.get(event.part);
        if (to?.kind === "moved") return [{ ...event, part: to.part }];
        // Text is closed when something else begins, or at the end.
        return [];
      }
      case "finish":
        return event.choice === 0 ? this.finish(event) : [];
      case "done":
        return [event];
      default:
        return [];
    }
  }

  /** The caller has waited long enough for a decision. */
  force(): ChatEvent[] {
    return this.write(this.trim.force());
  }

  private open(part: number, value: Part): ChatEvent[] {
    switch (value.type) {
      case "thinking":
        this.opened.set(part, { kind: "dropped" });
        return [];
      case "text":
        this.opened.set(part, { kind: "text" });
        return this.say(value.text);
      case "refusal":
        this.unfit = "The provider refused to go on with the answer.";
        return [];
      case "toolCall":
        break;
      default:
        this.unfit = "The provider went on with something else than text.";
        return [];
    }
    const before = [...this.write(this.trim.end()), ...this.release(), ...this.closeText()];
    if (this.incoherent !== null) return [];
    this.added = true;
    const moved = this.nextPart++;
    this.opened.set(part, { kind: "moved", part: moved });
    return [...before, ...this.closeThinking(), { type: "open", choice: 0, part: moved, value }];
  }

  private say(text: string): ChatEvent[] {
    this.length.came += text.length;
    return this.write(this.trim.push(text));
  }

  private write(text: string): ChatEvent[] {
    if (text === "") return [];
    this.blank += text;
    if (!this.added && this.began && this.blank.trim() === "") return [];
    this.added = true;
    return this.release();
  }

  private release(): ChatEvent[] {
    const text = this.blank;
    if (text === "") return [];
    this.blank = "";
    this.length.passed += text.length;
    const out = this.closeThinking();
    if (this.textPart === null) {
      this.textPart = this.nextPart++;
      const value: Part = { type: "text", text: "" };
      out.push({ type: "open", choice: 0, part: this.textPart, value });
    }
    out.push({ type: "delta", choice: 0, part: this.textPart, delta: { type: "text", text } });
    return out;
  }

  private finish(event: Extract<ChatEvent, { type: "finish" }>): ChatEvent[] {
    const out = this.write(this.trim.end());
    if (this.incoherent !== null) return [];
    if (!this.added && STOPPED.has(event.reason)) {
      this.unfit = "The provider's content filter stopped the continuation.";
      return [];
    }
    this.ended = true;
    // Nothing was missing but the end itself.
    const nothing = !this.added && this.began;
    out.push(...this.closeThinking(), ...this.closeText());
    out.push(nothing ? { type: "finish", choice: 0, reason: "stop" } : event);
    return out;
  }

  private closeText(): ChatEvent[] {
    const part = this.textPart;
    this.textPart = null;
    return part === null ? [] : [{ type: "close", choice: 0, part }];
  }

  /** An open thinking block ends without a signature: nobody will ever sign it. */
  private closeThinking(): ChatEvent[] {
    const parts = this.closing;
    this.closing = [];
    return parts.map((part) => ({ type: "close", choice: 0, part }));
  }
}

const STOPPED: ReadonlySet<FinishReason> = new Set(["content_filter", "refusal"]);

/** The end of an answer whose limit was used up by what was delivered: nothing is asked for any more. */
export function lengthReached(delivered: Delivered, usage: TokenUsage): ChatEvent[] {
  const open = [...delivered.stillOpen("thinking"), ...delivered.stillOpen("text")];
  return [
    ...open.map((part): ChatEvent => ({ type: "close", choice: 0, part })),
    { type: "finish", choice: 0, reason: "length" },
    { type: "usage", usage },
    { type: "done" },
  ];
}
