import { Carry, LARGEST_BLOCK, tooLarge } from "./carry.ts";
import type { Splitter } from "./framing.ts";

/** One server-sent event: its name, if it has one, and its data lines joined by newlines. */
export interface SseEvent {
  event?: string;
  data: string;
}

/** The bytes of one block up to and with its blank line, and what they say. */
export interface SseBlock {
  /** May be a view into the chunk that was pushed. */
  raw: Uint8Array;
  /** Null when the block carries no data (comments, lone blank lines). */
  event: SseEvent | null;
  /** False only for a last block whose blank line never came. */
  complete: boolean;
}

/** Content type of the streams that we write. */
export const EVENT_STREAM = "text/event-stream; charset=utf-8";

const LF = 0x0a;
const CR = 0x0d;
const encoder = new TextEncoder();

/**
 * Cuts a byte stream into server-sent event blocks and keeps every byte: the blocks' bytes in a row are the input,
 * however it was chunked. Lines may end in LF, CRLF or CR. Throws `upstream_bad_response` for a block above 16 MB.
 */
export class SseSplitter implements Splitter {
  private readonly carry = new Carry();
  private lineLength = 0;
  private afterCr = false;
  /** A blank line ended in CR: the block is whole, but a LF may still belong to it. */
  private ending = false;
  private first = true;

  /** The blocks that this chunk completes. */
  push(chunk: Uint8Array): SseBlock[] {
    const blocks: SseBlock[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.afterCr) {
        this.afterCr = false;
        const ending = this.ending;
        this.ending = false;
        if (byte === LF) {
          if (ending) {
            blocks.push(this.block(chunk.subarray(start, i + 1), true));
            start = i + 1;
          }
          continue;
        }
        if (ending) {
          blocks.push(this.block(chunk.subarray(start, i), true));
          start = i;
        }
      }
      if (byte === LF) {
        if (this.lineLength === 0) {
          blocks.push(this.block(chunk.subarray(start, i + 1), true));
          start = i + 1;
        }
        this.lineLength = 0;
      } else if (byte === CR) {
        this.ending = this.lineLength === 0;
        this.afterCr = true;
        this.lineLength = 0;
      } else {
        this.lineLength++;
      }
    }
    if (start < chunk.length) this.carry.keep(chunk.subarray(start));
    return blocks;
  }

  /** What is left at the end of the body, or null. */
  end(): SseBlock | null {
    if (this.carry.empty) return null;
    return this.block(new Uint8Array(0), this.ending);
  }

  private block(tail: Uint8Array, complete: boolean): SseBlock {
    const raw = this.carry.take(tail);
    if (raw.length > LARGEST_BLOCK) throw tooLarge();
    const event = eventOf(raw, this.first);
    this.first = false;
    return { raw, event, complete };
  }
}

function eventOf(raw: Uint8Array, first: boolean): SseEvent | null {
  let text = new TextDecoder("utf-8", { ignoreBOM: true, fatal: false }).decode(raw);
  if (first && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
  let name: string | undefined;
  let data: string | undefined;
  for (let from = 0; from < text.length;) {
    let to = from;
    while (to < text.length && text.charCodeAt(to) !== LF && text.charCodeAt(to) !== CR) to++;
    const line = text.slice(from, to);
    from = to + (text.charCodeAt(to) === CR && text.charCodeAt(to + 1) === LF ? 2 : 1);
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const space = line.charCodeAt(colon + 1) === 0x20 ? 1 : 0;
    const value = colon < 0 ? "" : line.slice(colon + 1 + space);
    if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
    else if (field === "event") name = value;
  }
  // A bare JSON object in the place of an event is an error: Google writes its own so.
  if (data === undefined) return text.trimStart().startsWith("{") ? { data: text.trim() } : null;
  return name === undefined ? { data } : { event: name, data };
}

/** The wire text of an event, its blank line included. */
export function sseText({ event, data }: SseEvent): string {
  const head = event === undefined ? "" : `event: ${event}\n`;
  if (!/[\r\n]/.test(data)) return `${head}data: ${data}\n\n`;
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${head}${lines.join("")}\n`;
}

/** A raw block whose data was rewritten; every other byte of it stays. */
export function withData(raw: Uint8Array, event: SseEvent, data: string): Uint8Array {
  const text = new TextDecoder("utf-8", { ignoreBOM: true, fatal: false }).decode(raw);
  const at = text.indexOf(event.data);
  if (event.data === "" || at < 0) return encoder.encode(sseText({ ...event, data }));
  return encoder.encode(text.slice(0, at) + data + text.slice(at + event.data.length));
}
