import type { ChatEvent, FinishReason, Part, PartDelta } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { NO_USAGE } from "../../core/usage.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { parsed } from "../fields.ts";
import type { StreamEncoder, StreamOptions } from "../protocol.ts";
import { sseText } from "../sse.ts";
import { citationOf, sourceOf, stateBlock } from "./blocks.ts";
import { encodeFinish } from "./finish.ts";
import { messageId } from "./response.ts";
import { encodeUsage } from "./usage.ts";

type Waiting = Extract<ChatEvent, { type: "delta" | "close" }>;

interface Block {
  part: number;
  value: Part;
  /** Place on the wire, once it is open there. */
  index: number;
  /** What was sent of a tool call's arguments or of a text that citations quote. */
  sent: string;
  /** Events that came while another block was open. */
  waiting: Waiting[];
}

/** Number of a block that belongs to no part of the answer. */
const STATE = -1;

/** Members of a finished message that Anthropic clients know. */
const FINISH_EXTRA = ["stop_reason", "stop_details", "container"] as const;

/**
 * Writes the events of a streamed message. Blocks never overlap on the wire: a part that opens while another is
 * open waits for it, except behind a tool call whose arguments are already whole. Only the first choice is written.
 */
export class MessageStreamEncoder implements StreamEncoder {
  private readonly options: StreamOptions;
  private head: Extract<ChatEvent, { type: "start" }> | null;
  private usage: TokenUsage | undefined;
  private active: Block | null = null;
  private readonly queue: Block[] = [];
  private blocks = 0;
  private called = false;
  private finish: Extract<ChatEvent, { type: "finish" }> | null = null;
  /** The caller has the finish reason already. */
  private told = false;

  constructor(options: StreamOptions) {
    this.options = options;
    this.head = { type: "start", id: "", model: "", created: 0 };
  }

  push(event: ChatEvent): string {
    switch (event.type) {
      case "start":
        // Held until the next event: the input's usage belongs into the message that begins.
        this.head = event;
        return "";
      case "usage":
        this.usage = event.usage;
        return this.begin();
      case "open":
        return event.choice === 0 ? this.begin() + this.open(event.part, event.value) : "";
      case "delta":
      case "close":
        return event.choice === 0 ? this.follow(event) : "";
      case "finish":
        if (event.choice === 0) this.finish = event;
        return this.begin();
      case "failure":
        return "";
      case "done":
        return this.begin() + this.end();
    }
  }

  resume(delivered: readonly ChatEvent[], own: boolean): void {
    for (const event of delivered) {
      this.push(event);
      if (!own || event.type !== "open") continue;
      // On the provider's own wire a block's place is its part's number.
      this.blocks = Math.max(this.blocks, event.part + 1);
      if (this.active?.part === event.part) this.active.index = event.part;
    }
    this.begin();
    // Here the end is written last; a provider's own end came with its reason.
    this.told = own && this.finish !== null;
  }

  private begin(): string {
    if (this.head === null) return "";
    const { id, model } = this.head;
    this.head = null;
    return line("message_start", {
      message: {
        id: messageId(id, this.options),
        type: "message",
        role: "assistant",
        model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: encodeUsage(this.usage ?? NO_USAGE),
      },
    });
  }

  private open(part: number, value: Part): string {
    if (value.type === "native" && value.dialect !== "anthropic") return "";
    const state = stateBlock(value);
    if (state) this.enqueue({ type: "native", dialect: "anthropic", value: state });
    // What was only state is shown by now.
    const shown = value.type === "text" && value.signature !== undefined ? null : value;
    const silent = value.type === "thinking" && value.family === "openai" && value.text === "";
    if (shown === null || (silent && state)) return this.advance();
    const block: Block = { part, value, index: -1, sent: "", waiting: [] };
    if (value.type === "toolCall") this.called = true;
    this.queue.push(block);
    return this.advance();
  }

  /** A block that is whole as it opens. */
  private enqueue(value: Part): void {
    const waiting: Waiting[] = [{ type: "close", choice: 0, part: STATE }];
    this.queue.push({ part: STATE, value, index: -1, sent: "", waiting });
  }

  /** Shows waiting blocks in their order, as far as what is open lets them. */
  private advance(): string {
    let out = "";
    while (this.queue.length > 0) {
      if (this.active) {
        if (this.active.value.type !== "toolCall" || !isWhole(this.active.sent)) break;
        out += this.stop();
      }
      const next = this.queue.shift();
      if (!next) break;
      out += this.show(next);
      for (const held of next.waiting) if (this.active === next) out += this.apply(next, held);
    }
    return out;
  }

  private follow(event: Waiting): string {
    if (this.active?.part === event.part) return this.apply(this.active, event) + this.advance();
    this.queue.find((block) => block.part === event.part)?.waiting.push(event);
    return "";
  }

  private apply(block: Block, event: Waiting): string {
    return event.type === "delta" ? this.delta(block, event.delta) : this.stop();
  }

  private show(block: Block): string {
    block.index = this.blocks++;
    this.active = block;
    const { value, index } = block;
    const start = (content: JsonObject) =>
      line("content_block_start", { index, content_block: content });
    switch (value.type) {
      case "text": {
        const cited = value.citations !== undefined;
        const citations = (value.citations ?? []).map(
          (each) => ({ type: "citation", citation: each }) as const,
        );
        return (
          start({ type: "text", text: "", ...(cited && { citations: [] }) }) +
          (value.text === "" ? "" : this.delta(block, { type: "text", text: value.text })) +
          citations.map((delta) => this.delta(block, delta)).join("")
        );
      }
      case "refusal":
        return (
          start({ type: "text", text: "" }) +
          (value.text === "" ? "" : this.delta(block, { type: "refusal", text: value.text }))
        );
      case "thinking": {
        if (value.redacted !== undefined && value.family === undefined) {
          return start({ type: "redacted_thinking", data: value.redacted });
        }
        const { text, signature } = value;
        return (
          start({ type: "thinking", thinking: "", signature: "" }) +
          (text === "" ? "" : this.delta(block, { type: "thinking", text })) +
          (signature === undefined ? "" : this.delta(block, { type: "signature", signature }))
        );
      }
      case "toolCall":
        return (
          start({ type: "tool_use", id: value.id, name: value.name, input: {} }) +
          (value.arguments === ""
            ? ""
            : this.delta(block, { type: "arguments", text: value.arguments }))
        );
      case "native":
        return start(value.value);
      case "image":
        return start({ type: "image", source: sourceOf(value.source) });
      case "audio":
        return (
          start({ type: "text", text: "" }) +
          (value.transcript ? this.delta(block, { type: "text", text: value.transcript }) : "")
        );
      default:
        return start({ type: "text", text: "" });
    }
  }

  private delta(block: Block, delta: PartDelta): string {
    const wire = this.wireDelta(block, delta);
    return wire ? line("content_block_delta", { index: block.index, delta: wire }) : "";
  }

  private wireDelta(block: Block, delta: PartDelta): JsonObject | null {
    switch (delta.type) {
      case "text":
      case "refusal":
        block.sent += delta.text;
        return { type: "text_delta", text: delta.text };
      case "arguments":
        block.sent += delta.text;
        return { type: "input_json_delta", partial_json: delta.text };
      case "thinking":
        return { type: "thinking_delta", thinking: delta.text };
      case "signature":
        return { type: "signature_delta", signature: delta.signature };
      case "citation":
        return { type: "citations_delta", citation: citationOf(delta.citation, block.sent) };
      case "audio":
        return delta.transcript ? { type: "text_delta", text: delta.transcript } : null;
      case "native":
        return delta.value;
    }
  }

  private stop(): string {
    if (!this.active) return "";
    const { index } = this.active;
    this.active = null;
    return line("content_block_stop", { index });
  }

  private end(): string {
    const { finish } = this;
    if (this.told) return line("message_stop", {});
    const extra: JsonObject = {};
    for (const name of FINISH_EXTRA) {
      const value = finish?.extra?.[name];
      if (value !== undefined) extra[name] = value;
    }
    const management = finish?.extra?.["context_management"];
    const meta = this.options.meta?.();
    const reason: FinishReason = finish?.reason ?? "stop";
    return (
      line("message_delta", {
        delta: {
          stop_reason: encodeFinish(reason, this.called, finish?.stopSequence),
          stop_sequence: finish?.stopSequence ?? null,
          ...extra,
        },
        usage: encodeUsage(this.usage ?? NO_USAGE),
        ...(management !== undefined && { context_management: management }),
        ...(meta && { routero: { ...meta } }),
      }) + line("message_stop", {})
    );
  }
}

function isWhole(text: string): boolean {
  return text !== "" && isJsonObject(parsed(text));
}

function line(type: string, members: JsonObject): string {
  return sseText({ event: type, data: JSON.stringify({ type, ...members }) });
}
