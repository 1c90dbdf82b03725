import { Carry, LARGEST_BLOCK, tooLarge } from "./carry.ts";
import type { Splitter } from "./framing.ts";
import type { SseBlock } from "./sse.ts";

const LF = 0x0a;
const NOTHING = new Uint8Array(0);

/** Newline-delimited JSON: each line that is not blank is an event without a name. */
export class LineSplitter implements Splitter {
  private readonly carry = new Carry();

  push(chunk: Uint8Array): SseBlock[] {
    const blocks: SseBlock[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      blocks.push(blockOf(this.carry.take(chunk.subarray(start, end + 1)), true));
      start = end + 1;
    }
    if (start < chunk.length) this.carry.keep(chunk.subarray(start));
    return blocks;
  }

  /** A last line needs no end. */
  end(): SseBlock | null {
    return this.carry.empty ? null : blockOf(this.carry.take(NOTHING), false);
  }
}

function blockOf(raw: Uint8Array, complete: boolean): SseBlock {
  if (raw.length > LARGEST_BLOCK) throw tooLarge();
  const data = new TextDecoder().decode(raw).trim();
  return { raw, event: data === "" ? null : { data }, complete };
}
