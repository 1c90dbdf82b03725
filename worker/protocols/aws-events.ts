import { decodeText } from "./base64.ts";
import { badAnswer, objectIn, textOf } from "./answers.ts";
import { Carry } from "./carry.ts";
import { parsed } from "./fields.ts";
import type { Splitter } from "./framing.ts";
import { sseText, type SseBlock, type SseEvent } from "./sse.ts";

const NOTHING = new Uint8Array(0);
/** Total length, length of the headers, and their checksum. */
const PRELUDE = 12;
const CHECKSUM = 4;
const LARGEST = 16 * 1024 * 1024;

/**
 * AWS's binary event stream: messages with a length, typed headers, a payload and checksums. An event's data is an object
 * with one member, named by the event's type, that holds the payload; so are exceptions. A message whose checksum is
 * wrong, or whose lengths can't be, ends the stream with `upstream_bad_response`.
 */
export class AwsEventSplitter implements Splitter {
  private readonly carry = new Carry();

  push(chunk: Uint8Array): SseBlock[] {
    const blocks: SseBlock[] = [];
    let bytes = this.carry.take(chunk);
    for (;;) {
      const length = lengthOf(bytes);
      if (length === null || bytes.length < length) break;
      blocks.push(this.block(bytes.subarray(0, length)));
      bytes = bytes.subarray(length);
    }
    if (bytes.length > 0) this.carry.keep(bytes);
    return blocks;
  }

  /** Half a message says nothing. */
  end(): SseBlock | null {
    if (this.carry.empty) return null;
    return { raw: this.carry.take(NOTHING), event: null, complete: false };
  }

  protected block(raw: Uint8Array): SseBlock {
    return { raw, event: eventOf(raw), complete: true };
  }
}

/**
 * The same stream where each event wraps one of the model's own, which is what comes out, as server-sent events. What wraps
 * none is AWS's own exception and comes out as an `error` event of that name.
 */
export class AwsChunkSplitter extends AwsEventSplitter {
  protected override block(message: Uint8Array): SseBlock {
    const { event: name = "error", data } = eventOf(message);
    const outer = objectIn(parsed(data)) ?? {};
    const wrapped = textOf(objectIn(outer["chunk"])?.["bytes"]);
    let own = wrapped === undefined ? data : decodeText(wrapped);
    if (wrapped === undefined && isException(name)) {
      const message = textOf(objectIn(outer[name])?.["message"]) ?? "";
      own = JSON.stringify({ type: "error", error: { type: name, message } });
    }
    const event: SseEvent = { event: textOf(objectIn(parsed(own))?.["type"]) ?? name, data: own };
    return { raw: new TextEncoder().encode(sseText(event)), event, complete: true };
  }
}

/** Events of these names end a stream with a failure. */
export function isException(name: string): boolean {
  return /exception$|^error$/i.test(name);
}

function lengthOf(bytes: Uint8Array): number | null {
  if (bytes.length < PRELUDE) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const total = view.getUint32(0);
  const headers = view.getUint32(4);
  const whole = total >= PRELUDE + headers + CHECKSUM && total <= LARGEST;
  if (!whole || view.getUint32(8) !== crc32(bytes.subarray(0, 8))) {
    throw badAnswer("an event's frame is broken");
  }
  return total;
}

function eventOf(message: Uint8Array): SseEvent {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const end = message.length - CHECKSUM;
  if (view.getUint32(end) !== crc32(message.subarray(0, end))) {
    throw badAnswer("an event's checksum is wrong");
  }
  const from = PRELUDE + view.getUint32(4);
  const headers = headersOf(message.subarray(PRELUDE, from));
  const name =
    headers.get(":event-type") ??
    headers.get(":exception-type") ??
    headers.get(":error-code") ??
    "error";
  const payload = new TextDecoder().decode(message.subarray(from, end)).trim();
  const told = JSON.stringify(headers.get(":error-message") ?? "");
  return { event: name, data: `{${JSON.stringify(name)}:${payload || `{"message":${told}}`}}` };
}

/** Sizes of header values by their type; strings and bytes carry their own. */
const SIZES = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16] as const;
const STRING = 7;

function headersOf(bytes: Uint8Array): Map<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder();
  const found = new Map<string, string>();
  try {
    for (let at = 0; at < bytes.length;) {
      const nameEnd = at + 1 + view.getUint8(at);
      const name = utf8.decode(bytes.subarray(at + 1, nameEnd));
      const type = view.getUint8(nameEnd);
      const size = SIZES[type];
      if (size === undefined) throw new RangeError("no such type");
      const start = nameEnd + 1 + (size < 0 ? 2 : 0);
      const length = size < 0 ? view.getUint16(nameEnd + 1) : size;
      if (type === STRING) found.set(name, utf8.decode(bytes.subarray(start, start + length)));
      at = start + length;
    }
  } catch {
    throw badAnswer("an event's headers are broken");
  }
  return found;
}

let table: Uint32Array | null = null;

/** The checksum of IEEE 802.3. */
export function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value >>> 0;
  });
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ table[(sum ^ byte) & 0xff]!;
  return (sum ^ 0xffffffff) >>> 0;
}
