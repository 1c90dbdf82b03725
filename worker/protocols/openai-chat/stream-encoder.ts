import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { freeformInput } from "../freeform.ts";
import type { StreamEncoder, StreamOptions } from "../protocol.ts";
import { objectIn } from "../answers.ts";
import { annotationsOf } from "./citations.ts";
import { encodeFinish } from "./finish.ts";
import { encodeCall, encodeThinkingBlock, googleState, isCustomCall } from "./response.ts";
import { encodeImage } from "./parts.ts";
import { encodeUsage } from "./usage.ts";

interface OpenPart {
  value: Part;
  /** Wire index of a tool call. */
  call?: number;
}

interface OpenChoice {
  parts: Map<number, OpenPart>;
  calls: number;
  /** UTF-16 units of text sent, which annotations count. */
  written: number;
  /** Thinking that may be sent back, whole; and images. */
  thought: JsonObject[];
  images: JsonObject[];
}

/** Writes chat completion chunks: the role first, then deltas, a finish per choice, the usage, `[DONE]`. */
export class ChatStreamEncoder implements StreamEncoder {
  private readonly options: StreamOptions;
  private readonly choices = new Map<number, OpenChoice>();
  private head: JsonObject;
  private usage: TokenUsage | undefined;

  constructor(options: StreamOptions) {
    this.options = options;
    this.head = this.headOf("", "", 0);
  }

  push(event: ChatEvent): string {
    switch (event.type) {
      case "start":
        this.head = this.headOf(event.id, event.model, event.created);
        return this.choice(0).opening;
      case "open":
        return this.open(event.choice, event.part, event.value);
      case "delta":
        return this.delta(event.choice, event.part, event.delta);
      case "close":
        return this.close(event.choice, event.part);
      case "finish": {
        const { state, opening } = this.choice(event.choice);
        // The official client keeps of a member that it does not know what came last: so all of it comes last.
        const { thought, images } = state;
        const whole: JsonObject = {
          ...(thought.length > 1 && { thinking_blocks: thought }),
          ...(images.length > 0 && { images }),
        };
        const before = Object.keys(whole).length > 0 ? this.chunk(event.choice, whole) : "";
        const end = this.chunk(event.choice, {}, { finish: encodeFinish(event.reason) });
        return opening + before + end;
      }
      case "usage":
        this.usage = event.usage;
        return "";
      case "failure":
        return "";
      case "done":
        return `${this.usageChunk()}data: [DONE]\n\n`;
    }
  }

  resume(delivered: readonly ChatEvent[], own: boolean): void {
    for (const event of delivered) {
      this.push(event);
      if (own && event.type === "start") this.head["id"] = event.id;
    }
  }

  private headOf(id: string, model: string, created: number): JsonObject {
    const { requestId, created: now } = this.options;
    const named = id.startsWith("chatcmpl-") ? id : `chatcmpl-${id || requestId}`;
    return { id: named, object: "chat.completion.chunk", created: created || now, model };
  }

  /** The choice, and its role chunk if this is the first of it. */
  private choice(index: number): { state: OpenChoice; opening: string } {
    const known = this.choices.get(index);
    if (known) return { state: known, opening: "" };
    const state: OpenChoice = { parts: new Map(), calls: 0, written: 0, thought: [], images: [] };
    this.choices.set(index, state);
    return { state, opening: this.chunk(index, { role: "assistant", content: "" }) };
  }

  private open(index: number, part: number, value: Part): string {
    const { state, opening } = this.choice(index);
    const open: OpenPart = { value };
    state.parts.set(part, open);
    switch (value.type) {
      case "text":
        if (value.signature !== undefined) {
          return opening + this.chunk(index, googleState(value.signature));
        }
        return (
          opening +
          (value.text === "" ? "" : this.text(index, state, value.text)) +
          (value.citations ?? []).map((each) => this.citation(index, state, each)).join("")
        );
      case "refusal":
        return opening + (value.text === "" ? "" : this.chunk(index, { refusal: value.text }));
      case "thinking":
        return opening + (value.text === "" ? "" : this.thinking(index, value.text));
      case "toolCall": {
        open.call = state.calls++;
        // The text inside is written when it is whole.
        const begun = value.freeform ? { ...value, arguments: "" } : value;
        const call = { index: open.call, ...encodeCall(begun) };
        return opening + this.chunk(index, { tool_calls: [call] });
      }
      case "audio": {
        const { id, data, transcript } = value;
        if (!id && !data && !transcript) return opening;
        return opening + this.audio(index, { id, data, transcript });
      }
      case "image":
        state.images.push(...encodeImage(value));
        return opening;
      case "native":
        if (value.dialect !== "openai-chat" || !isCustomCall(value.value)) return opening;
        open.call = state.calls++;
        return opening + this.chunk(index, { tool_calls: [{ ...value.value, index: open.call }] });
      default:
        return opening;
    }
  }

  private delta(index: number, part: number, delta: PartDelta): string {
    const { state } = this.choice(index);
    const open = state.parts.get(part);
    if (!open) return "";
    switch (delta.type) {
      case "text":
        return this.text(index, state, delta.text, delta.logprobs);
      case "refusal":
        return this.chunk(index, { refusal: delta.text });
      case "thinking":
        if (open.value.type === "thinking") {
          open.value = { ...open.value, text: open.value.text + delta.text };
        }
        return this.thinking(index, delta.text);
      case "signature":
        if (open.value.type === "thinking") {
          open.value = { ...open.value, signature: delta.signature };
        }
        return "";
      case "arguments": {
        if (open.value.type === "toolCall" && open.value.freeform) {
          open.value = { ...open.value, arguments: open.value.arguments + delta.text };
          return "";
        }
        const call = { index: open.call ?? 0, function: { arguments: delta.text } };
        return this.chunk(index, { tool_calls: [call] });
      }
      case "citation":
        return this.citation(index, state, delta.citation);
      case "audio":
        return this.audio(index, { id: delta.id, data: delta.data, transcript: delta.transcript });
      case "native":
        if (open.call === undefined) return "";
        return this.chunk(index, { tool_calls: [{ ...delta.value, index: open.call }] });
    }
  }

  /** A thinking part that may be sent back goes out once more, whole, in the form in which it is accepted. */
  private close(index: number, part: number): string {
    const { state } = this.choice(index);
    const { value, call = 0 } = state.parts.get(part) ?? {};
    state.parts.delete(part);
    if (value?.type === "toolCall" && value.freeform) {
      const custom = { input: freeformInput(value.arguments) };
      return this.chunk(index, { tool_calls: [{ index: call, custom }] });
    }
    if (value?.type !== "thinking") return "";
    if (value.signature === undefined && value.redacted === undefined) return "";
    const block = encodeThinkingBlock(value);
    state.thought.push(block);
    return this.chunk(index, { thinking_blocks: [block] });
  }

  private text(index: number, state: OpenChoice, text: string, logprobs?: Json): string {
    state.written += text.length;
    return this.chunk(index, { content: text }, logprobs === undefined ? {} : { logprobs });
  }

  private thinking(index: number, text: string): string {
    return this.chunk(index, { reasoning_content: text });
  }

  private citation(index: number, state: OpenChoice, citation: Json): string {
    const annotations = annotationsOf(citation, state.written, state.written);
    const own = objectIn(citation)?.["type"] === "url_citation";
    return this.chunk(index, {
      ...(annotations.length > 0 && { annotations }),
      ...(!own && { citations: [citation] }),
    });
  }

  private audio(
    index: number,
    { id, data, transcript }: { id?: string; data?: string; transcript?: string },
  ): string {
    return this.chunk(index, {
      audio: { ...(id && { id }), ...(data && { data }), ...(transcript && { transcript }) },
    });
  }

  private chunk(
    index: number,
    delta: JsonObject,
    { finish, logprobs }: { finish?: string; logprobs?: Json } = {},
  ): string {
    const choice: JsonObject = { index, delta, finish_reason: finish ?? null };
    if (logprobs !== undefined) choice["logprobs"] = logprobs;
    return this.line({ ...this.head, choices: [choice] });
  }

  private usageChunk(): string {
    const meta = this.options.meta?.();
    if (!this.usage || (!this.options.includeUsage && !meta)) return "";
    const chunk: JsonObject = { ...this.head, choices: [], usage: encodeUsage(this.usage) };
    if (meta) chunk["routero"] = { ...meta };
    return this.line(chunk);
  }

  private line(chunk: JsonObject): string {
    return `data: ${JSON.stringify(chunk)}\n\n`;
  }
}
