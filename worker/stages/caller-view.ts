import type { Chosen } from "../core/call.ts";
import type { ChatEvent } from "../core/chat.ts";
import { dialectOf } from "../protocols/index.ts";
import type { StreamEncoder, StreamMeta } from "../protocols/protocol.ts";
import { Delivered } from "../routing/continuation/index.ts";

/** Bytes for the caller, and what they say. */
export interface Unit {
  bytes: Uint8Array;
  events: readonly ChatEvent[];
  /** The bytes as text, or data of the provider's event. */
  wire?: string;
}

/**
 * What the caller of a stream has, and how more of it is written in the caller's dialect. As long as the caller has
 * nothing, every attempt may begin a message; from then on there is only the one that was begun, whoever goes on with it.
 */
export class CallerView {
  readonly delivered = new Delivered();
  /** Bytes of content are on their way to the caller. */
  begun = false;
  /** The beginning was passed on as a provider of the caller's dialect wrote it. */
  private own = false;
  private lastWire: string | undefined;
  private readonly call: Chosen;

  constructor(call: Chosen) {
    this.call = call;
  }

  /** Whether the caller wants to be told of usage, and of what the gateway did. */
  get wants(): { usage: boolean; meta: boolean } {
    const { call } = this;
    const asked = call.headers["x-routero-stream-meta"] === "1";
    return {
      usage: call.chat.streamUsage || asked,
      meta: asked || (call.dialect === "openai-chat" && call.chat.streamUsage),
    };
  }

  /** The caller was told the usage of the whole answer: a provider's own bytes tell it before the end. */
  get counted(): boolean {
    return this.own && this.delivered.counted;
  }

  /** An encoder that goes on where the caller is. */
  encoder(meta: () => StreamMeta): StreamEncoder {
    const { call, wants } = this;
    const encoder = dialectOf(call.dialect).client.encodeStream({
      requestId: call.requestId,
      asked: call.body,
      created: Math.floor(call.receivedAt / 1000),
      array: call.fromUrl.array ?? false,
      includeUsage: wants.usage,
      ...(wants.meta && { meta }),
    });
    if (this.begun) encoder.resume(this.delivered.replay(), this.own, this.lastEvent());
    return encoder;
  }

  private lastEvent(): string | undefined {
    const text = this.lastWire?.trimEnd();
    const at = text?.lastIndexOf("\ndata: ") ?? -1;
    return at < 0 ? text : text?.slice(at + 7);
  }

  /** These units are the caller's now. */
  deliver(units: readonly Unit[], verbatim: boolean): void {
    if (!this.begun) this.own = verbatim;
    this.begun = true;
    for (const { events, wire } of units) {
      for (const event of events) this.delivered.push(event);
      if (wire) this.lastWire = wire;
    }
  }
}
