import { Carry } from "./carry.ts";
import type { Splitter } from "./framing.ts";
import type { SseBlock } from "./sse.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);
const NOTHING = new Uint8Array(0);

/**
 * One JSON array that is written while its elements come (Google without `alt=sse`): each object in it is an event
 * without a name. The array's own brackets and commas belong to the block of the element behind them. An object that
 * stands alone is an event too: that is how errors come.
 */
export class JsonArraySplitter implements Splitter {
  private readonly carry = new Carry();
  private depth = 0;
  /** Depth at which elements stand: inside the array, or outside of everything. */
  private base = 0;
  private inString = false;
  private escaped = false;
  /** Where the element under way begins in the bytes that wait and come, or -1. */
  private begins = -1;
  private seen = 0;

  push(chunk: Uint8Array): SseBlock[] {
    const blocks: SseBlock[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (this.escaped) this.escaped = false;
      else if (this.inString) {
        if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) this.inString = false;
      } else if (byte === QUOTE) this.inString = true;
      else if (OPEN.has(byte)) {
        if (this.depth === 0 && byte === 0x5b) this.base = 1;
        else if (this.depth === this.base) this.begins = this.seen + i - start;
        this.depth++;
      } else if (CLOSE.has(byte)) {
        this.depth--;
        if (this.depth === this.base && this.begins >= 0) {
          const raw = this.carry.take(chunk.subarray(start, i + 1));
          const data = new TextDecoder().decode(raw.subarray(this.begins));
          blocks.push({ raw, event: { data }, complete: true });
          start = i + 1;
          this.begins = -1;
          this.seen = 0;
        }
      }
    }
    if (start < chunk.length) {
      this.carry.keep(chunk.subarray(start));
      this.seen += chunk.length - start;
    }
    return blocks;
  }

  /** The closing bracket, or an element that was cut: an event of which nothing can be made is no event. */
  end(): SseBlock | null {
    if (this.carry.empty) return null;
    return { raw: this.carry.take(NOTHING), event: null, complete: this.depth === 0 };
  }
}
