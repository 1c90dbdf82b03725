import { AwsChunkSplitter, AwsEventSplitter } from "./aws-events.ts";
import { JsonArraySplitter } from "./json-array.ts";
import { LineSplitter } from "./ndjson.ts";
import { SseSplitter, type SseBlock } from "./sse.ts";

/** How the events of a streamed answer are put into bytes. */
export type Framing = "sse" | "ndjson" | "json-array" | "aws-events" | "aws-chunks";

/**
 * Cuts a byte stream into blocks and keeps every byte: the blocks' bytes in a row are the input, however it was
 * chunked. Throws `upstream_bad_response` for a block that is larger than any real one.
 */
export interface Splitter {
  /** The blocks that this chunk completes. */
  push(chunk: Uint8Array): SseBlock[];
  /** What is left at the end of the body, or null. */
  end(): SseBlock | null;
}

interface FramingRow {
  /** What is asked for in `accept`. */
  accept: string;
  /** Content types, without parameters, under which such a stream comes. */
  types: readonly string[];
  splitter: () => Splitter;
}

const AWS_STREAM = "application/vnd.amazon.eventstream";

const ROWS: Readonly<Record<Framing, FramingRow>> = {
  sse: {
    accept: "text/event-stream",
    types: ["text/event-stream"],
    splitter: () => new SseSplitter(),
  },
  ndjson: {
    accept: "application/x-ndjson",
    types: ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/json"],
    splitter: () => new LineSplitter(),
  },
  "json-array": {
    accept: "application/json",
    types: ["application/json"],
    splitter: () => new JsonArraySplitter(),
  },
  "aws-events": {
    accept: AWS_STREAM,
    types: [AWS_STREAM],
    splitter: () => new AwsEventSplitter(),
  },
  "aws-chunks": {
    accept: AWS_STREAM,
    types: [AWS_STREAM],
    splitter: () => new AwsChunkSplitter(),
  },
};

/** A new splitter of this framing. */
export function splitterOf(framing: Framing): Splitter {
  return ROWS[framing].splitter();
}

/** The content type to ask for. */
export function acceptOf(framing: Framing): string {
  return ROWS[framing].accept;
}

/** True when an answer of this content type can be a stream of this framing. */
export function isFramed(framing: Framing, contentType: string | null): boolean {
  const [type = ""] = (contentType ?? "").split(";");
  return ROWS[framing].types.includes(type.trim().toLowerCase());
}
