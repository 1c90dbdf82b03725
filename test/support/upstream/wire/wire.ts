import type { IncomingHttpHeaders } from "node:http";
import type { Behaviour, Failure, FrameKind, Part } from "../behaviour.ts";
import type { Usage } from "../tokens.ts";

/** A request, as far as the provider looks at it. */
export interface Ask {
  model: string;
  stream: boolean;
  /** The stream is one JSON array (Google without `alt=sse`). */
  array?: boolean;
  usageInStream: boolean;
  maxTokens: number | undefined;
  stop: string[];
  n: number;
  logprobs: boolean;
  turns: Turn[];
  /** Names of the tools offered. */
  tools: string[];
  /** Media type and size in bytes (0 when given by URL). */
  images: { type: string; bytes: number }[];
}

export interface Turn {
  role: "system" | "user" | "assistant" | "tool";
  text: string;
}

/** Parts that stand for themselves; `echo` and `images` are text by now. */
export type SolidPart = Exclude<Part, { kind: "echo" | "images" }>;

/** What is to be said, before any wire's form. */
export interface Answer {
  /** Counts the calls of this server from 1; ids are made of it. */
  serial: number;
  model: string;
  /** One list of parts for each choice. */
  choices: SolidPart[][];
  finish: string;
  stopSequence: string | undefined;
  logprobs: boolean;
  usage: Usage;
}

/** One event of a stream, framing included: text with `\n` line ends, or bytes where the framing is binary. */
export interface Frame {
  text: string | Uint8Array;
  kind: FrameKind;
  /** Tokens that this event brings. */
  tokens: number;
  /** They are reasoning. */
  reasoning: boolean;
}

export interface ErrorAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** A request as it came. */
export interface Addressed {
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Undefined when it is not JSON. */
  body: unknown;
}

export type Operation = "generate" | "count" | "models";

/** A provider's wire protocol. A new one is a new file here and one entry in `wires` of server.ts. */
export interface Wire {
  name: string;
  /** Content type of a stream. */
  streamType: string;
  /** What is asked for at this address; undefined when it is not of this protocol. */
  route(method: string, path: string, headers: IncomingHttpHeaders): Operation | undefined;
  /** The credential in the request. */
  key(headers: IncomingHttpHeaders): string | undefined;
  /** The request read, or the failure with which this provider answers a bad one. */
  read(operation: Operation, request: Addressed): Ask | Failure;
  /** The model asked for, by body or path; empty where there is none. */
  model(request: Addressed): string;
  whole(answer: Answer, behaviour: Behaviour): unknown;
  stream(answer: Answer, behaviour: Behaviour, ask: Ask): Frame[];
  error(failure: Failure, serial: number): ErrorAnswer;
  errorFrame(failure: Failure): string | Uint8Array;
  /** Puts the framing around one recorded payload. */
  frame(payload: string): string | Uint8Array;
  /** What follows the last payload of a recorded stream. */
  terminator: string;
  models(names: string[]): unknown;
  count(tokens: number): unknown;
}

export function frame(text: Frame["text"], kind: FrameKind, tokens = 0, reasoning = false): Frame {
  return { text, kind, tokens, reasoning };
}

/** A record, or an empty one for anything else. */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** A string, or the empty one for anything else. */
export function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Headers that a failure sends beside its body, the same in every protocol. */
export function failureHeaders(failure: Failure): Record<string, string> {
  const { retryAfter, retryAfterMs } = failure;
  return {
    ...(retryAfter === undefined
      ? {}
      : { "retry-after": retryAfter instanceof Date ? retryAfter.toUTCString() : `${retryAfter}` }),
    ...(retryAfterMs === undefined ? {} : { "retry-after-ms": `${retryAfterMs}` }),
    ...failure.headers,
  };
}

/** What a proxy in front of a provider says when the provider is gone. */
export const HTML_ERROR =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" +
  "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
