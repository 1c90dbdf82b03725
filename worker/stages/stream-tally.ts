import type { ChatEvent, ChatRequest } from "../core/chat.ts";
import { credible, type TokenUsage } from "../core/usage.ts";
import { AttemptFault } from "./attempt.ts";
import { estimateUsage, partLength } from "./estimate.ts";

/** What one attempt's stream came to so far: how far it is, and what it will be charged for. */
export class StreamTally {
  /** The provider ended properly. */
  done = false;
  /** Unix milliseconds. */
  firstContentAt: number | null = null;
  private readonly chat: Pick<ChatRequest, "messages">;
  private readonly now: () => number;
  private usage: TokenUsage | undefined;
  /** UTF-16 units of the answer, and as many of them as the provider's last usage counts. */
  private length = 0;
  private counted = 0;

  constructor(chat: Pick<ChatRequest, "messages">, now: () => number) {
    this.chat = chat;
    this.now = now;
  }

  /** It ended without a word, by the provider's filter and not by the model. */
  get filtered(): boolean {
    return this.done && this.length === 0 && this.refused;
  }
  private refused = false;

  /** It said something, or said that it is over. */
  get produced(): boolean {
    return this.done || this.length > 0;
  }

  /** Keeps what settles the request, and throws the provider's failure. */
  observe(events: readonly ChatEvent[]): void {
    let told = false;
    for (const event of events) {
      if (event.type === "usage") {
        const usage = credible(event.usage);
        if (usage === undefined) continue;
        this.usage = usage;
        told = true;
      } else if (event.type === "done") this.done = true;
      else if (event.type === "finish") {
        this.refused = event.reason === "content_filter" || event.reason === "refusal";
      } else if (event.type === "failure") {
        const { status, message } = event.failure;
        throw new AttemptFault({ class: "transient", status, message });
      } else {
        const length = contentLength(event);
        if (length === 0) continue;
        this.length += length;
        this.firstContentAt ??= this.now();
      }
    }
    if (told) this.counted = this.length;
  }

  /**
   * What the provider told, plus an estimate of what it wrote after that: a count told before the answer began
   * (Anthropic's `message_start`) says nothing about the answer. `bytes` = size of the request.
   */
  usageSoFar(bytes: number): TokenUsage {
    const uncounted = this.length - this.counted;
    const { usage } = this;
    if (usage === undefined) return estimateUsage(this.chat, bytes, uncounted);
    if (uncounted === 0) return usage;
    const { output } = estimateUsage(null, 0, uncounted);
    const counted = this.counted === 0 ? 0 : usage.output;
    return { ...usage, output: counted + output, estimated: true };
  }
}

/** How much of an answer an event brings, in UTF-16 units; 0 for everything that is only frame. */
function contentLength(event: ChatEvent): number {
  if (event.type === "open") return partLength(event.value);
  if (event.type !== "delta") return 0;
  const { delta } = event;
  if ("text" in delta) return delta.text.length;
  return Math.max(1, JSON.stringify(delta).length);
}
