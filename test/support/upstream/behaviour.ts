import type { Usage } from "./tokens.ts";

/**
 * What the provider does with one request. Every field is optional and the fields combine:
 * `{ ...text("a b c"), cut: { content: 2 }, lineEnd: "\r\n" }`, or `mix(text("a b c"), cutAfter({ content: 2 }))`.
 * An empty behaviour answers "Hello from the provider."
 */
export interface Behaviour {
  /** A scripted step is used this many times before the next one (default 1). */
  times?: number;

  // The answer
  parts?: Part[];
  /** A neutral name of `FINISH` in the wire's file, or any raw value the wire should carry. */
  finish?: string;
  stopSequence?: string;
  /** The model name in the answer; by default the one asked for. */
  model?: string;
  /** Tool calls' argument events take turns instead of one call after the other (openai-chat). */
  interleave?: boolean;
  /** Where openai-chat carries thinking (default `reasoning_content`). */
  reasoningField?: "reasoning_content" | "reasoning";
  /** Replaces the counted classes that it names, in the answer and in the bill. */
  usage?: Partial<Usage>;
  /**
   * Where an openai-chat stream shows usage: `asked` (default: OpenAI's own rule, a last chunk of its own if
   * `stream_options.include_usage`), `own` (always that chunk), `finish` (beside the finish reason), `choice`
   * (inside the choice that finishes), `every` (on every chunk, growing), `x_groq`, `none`.
   * Anthropic knows only `none`, which also holds for buffered answers of every wire.
   */
  usagePlace?: "asked" | "own" | "finish" | "choice" | "every" | "x_groq" | "none";
  /** xAI's sums: reasoning lies outside completion_tokens, inside total_tokens. */
  reasoningOutside?: boolean;
  /** How a request to continue (see `Continuation`) is answered; unset: as any other request. */
  continuation?: Continuation | { native?: Continuation; instruction?: Continuation };
  /** A recorded answer (path, see recording.ts) served instead of `parts`. */
  recording?: string;

  // Instead of an answer
  failure?: Failure;
  /** Served as it stands, with status 200 unless said. */
  body?: { text: string; type?: string; status?: number };

  // The way it travels
  /** Milliseconds before the headers, and before each content event. */
  latency?: number;
  delay?: number;
  /** Each content event waits for `call.release()`. */
  gate?: boolean;
  /** Waits there for one `call.release()`, or until the client leaves. */
  hang?: "headers" | At;
  /** The socket is destroyed before any header. */
  drop?: boolean;
  /** The socket is destroyed there. */
  cut?: At;
  /** The body ends there, cleanly. */
  eof?: At;
  /** Events left out of a stream. */
  omit?: FrameKind[];
  /** An error event in the wire's form; the body ends after it. */
  streamError?: { at: At; failure: Failure };
  /** Raw text put between two events. */
  insert?: { at: At; text: string }[];
  /** Raw text before every event, such as `": keepalive\n\n"`. */
  before?: string;
  lineEnd?: "\n" | "\r\n" | "\r";
  /** Byte positions of the body at which it is written in separate pieces, or every byte alone. */
  split?: number[] | "bytes";
  /** Compressed, asked for or not. */
  gzip?: boolean;
  headers?: Record<string, string>;
}

/** A point in a body: after so many content events, events of any kind, or bytes. */
export type At = { content: number } | { events: number } | { bytes: number };

export type FrameKind = "start" | "content" | "finish" | "usage" | "end" | "other";

export type Part =
  | { kind: "text"; text: string }
  | { kind: "thinking"; text: string; signature?: string }
  | { kind: "redacted"; data: string }
  | { kind: "tool"; name: string; arguments: string; id?: string }
  | { kind: "refusal"; text: string }
  /** The last user turn's text. */
  | { kind: "echo" }
  /** A sentence that names type and size of each image of the request. */
  | { kind: "images" };

/**
 * A request to continue ends in an assistant turn (native) or in a user turn after an assistant turn whose
 * text the scripted answer begins with (instruction).
 *
 * refuse: 400 · exact: only the rest · echo: the delivered text, then the rest · restart: everything ·
 * repeat: the last two delivered words again, then the rest · preface: a chatty sentence first, then the
 * rest · recap: the chatty sentence, all that was delivered, then the rest · differ: the first half of the delivered text,
 * then something else · respace: the rest, with the delivered white space and one more line end before it · nothing: only
 * white space.
 */
export type Continuation =
  | "refuse"
  | "exact"
  | "echo"
  | "restart"
  | "repeat"
  | "preface"
  | "recap"
  | "differ"
  | "respace"
  | "nothing";

export type FailureKind =
  | "bad_request"
  | "invalid_key"
  | "forbidden"
  | "model_not_found"
  | "context_window"
  | "content_filter"
  | "too_large"
  | "rate_limit"
  | "quota"
  | "server_error"
  | "unavailable"
  | "overloaded"
  | "timeout"
  | "html";

/** An error answer; the wire knows status, type, code and message of each kind. */
export interface Failure {
  kind: FailureKind;
  status?: number;
  message?: string;
  /** Seconds, or a date: sent as Retry-After. */
  retryAfter?: number | Date;
  retryAfterMs?: number;
  headers?: Record<string, string>;
}

/** One behaviour with the fields of all; later ones win. */
export function mix(...behaviours: Behaviour[]): Behaviour {
  return Object.assign({}, ...behaviours) as Behaviour;
}

export const text = (value: string, more: Behaviour = {}): Behaviour => ({
  parts: [{ kind: "text", text: value }],
  ...more,
});

export const thinking = (thought: string, answer: string, more: Behaviour = {}): Behaviour => ({
  parts: [
    { kind: "thinking", text: thought, signature: "c2lnbmF0dXJl" },
    { kind: "text", text: answer },
  ],
  ...more,
});

/** A tool call part; arguments are given as a value, or as raw text that need not be JSON. */
export const tool = (name: string, args: unknown, id?: string): Part => ({
  kind: "tool",
  name,
  arguments: typeof args === "string" ? args : JSON.stringify(args),
  ...(id === undefined ? {} : { id }),
});

/** Calls of tools, in parallel when there are several, after an optional text. */
export const tools = (calls: Part[], before?: string, more: Behaviour = {}): Behaviour => ({
  parts: before === undefined ? calls : [{ kind: "text", text: before }, ...calls],
  ...more,
});

export const refusal = (value: string): Behaviour => ({
  parts: [{ kind: "refusal", text: value }],
  finish: "refusal",
});
export const echo = (more: Behaviour = {}): Behaviour => ({ parts: [{ kind: "echo" }], ...more });
export const describesImages = (): Behaviour => ({ parts: [{ kind: "images" }] });
/** Stopped by the provider's content filter after this much text. */
export const filtered = (value: string): Behaviour => text(value, { finish: "filter" });

export const fails = (kind: FailureKind, more: Omit<Failure, "kind"> = {}): Behaviour => ({
  failure: { kind, ...more },
});
/** The same failure n times; the next step of the script follows. */
export const failsTimes = (n: number, kind: FailureKind, more: Omit<Failure, "kind"> = {}) =>
  mix(fails(kind, more), { times: n });

export const hangs = (at: "headers" | At = "headers"): Behaviour => ({ hang: at });
export const gated = (): Behaviour => ({ gate: true });
export const slow = (delay: number): Behaviour => ({ delay });
export const drops = (): Behaviour => ({ drop: true });
export const cutAfter = (at: At): Behaviour => ({ cut: at });
/** A clean end of the body that leaves the answer unfinished. */
export const endsAfter = (at: At): Behaviour => ({ eof: at });
/** All content, then a clean end without finish reason, usage or terminal event. */
export const endsWithoutFinish = (): Behaviour => ({ omit: ["finish", "usage", "end"] });
/** Complete but for the terminal event (`[DONE]`, `message_stop`). */
export const endsWithoutDone = (): Behaviour => ({ omit: ["end"] });
export const errorAfter = (
  at: At,
  kind: FailureKind = "overloaded",
  message?: string,
): Behaviour => ({
  streamError: { at, failure: { kind, ...(message === undefined ? {} : { message }) } },
});
export const withoutUsage = (): Behaviour => ({ usagePlace: "none" });

/** 200 with a body that is no JSON. */
export const notJson = (): Behaviour => ({
  body: { text: "upstream connect error or disconnect", type: "application/json" },
});
/** 200 with a page where an answer should be. */
export const wrongType = (): Behaviour => ({
  body: { text: "<html><body>Sign in</body></html>", type: "text/html" },
});
/** A data line that breaks off inside its JSON, between two good events. */
export const brokenEvent = (at: At): Behaviour => ({
  insert: [{ at, text: 'data: {"id":"broken","choices":[{"delta":{"con\n\n' }],
});

/** A recorded answer, whole or streamed as the request asks: `recorded("groq/groq-text")`. */
export const recorded = (path: string, more: Behaviour = {}): Behaviour => ({
  recording: path,
  ...more,
});
