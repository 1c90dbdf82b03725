import type { FromUrl } from "../core/call.ts";
import type {
  ChatEvent,
  ChatRequest,
  ChatResponse,
  DialectName,
  ProtocolName,
} from "../core/chat.ts";
import type { PublicError } from "../core/errors.ts";
import type { UpstreamFault } from "../core/fault.ts";
import type { JsonObject, JsonScan } from "../core/json.ts";
import type { ModelFacts } from "../core/model.ts";
import type { Framing } from "./framing.ts";
import type { LimitHeaders } from "./limits.ts";
import type { ForeignMember } from "./openai-chat/foreign.ts";
import type { SseEvent } from "./sse.ts";

/**
 * One wire protocol, pure: `provider` is what we speak to upstreams. Nothing in here does I/O, reads a clock or keeps
 * state outside the reducers it returns.
 */
export interface Protocol {
  name: ProtocolName;
  provider: ProviderProtocol;
}

/** A wire protocol in both directions: `client` is what callers of this dialect speak to us. */
export interface Dialect extends Protocol {
  name: DialectName;
  provider: ProviderProtocol & { verbatim: Verbatim };
  client: ClientDialect;
}

/** Facts that a wire form may need and that are neither content nor parameters. */
export interface AnswerContext {
  /** The gateway's id of the request; error bodies and headers name it. */
  requestId: string;
  /** Unix seconds, for answers that need a creation time. */
  created: number;
  /** The caller's body, for answers that repeat what was asked. */
  asked?: JsonObject;
  /** The caller wants its stream as one JSON array, where the dialect has that. */
  array?: boolean;
}

/** `routero` of the last usage chunk; cost as decimal USD text. */
export interface StreamMeta {
  cost: string;
  provider: string;
  model: string;
  fallbacks: number;
}

export interface ClientDialect {
  /** Reads a caller's body. Throws `invalid_request` whose `param` is the path of the wrong member. */
  parseRequest(body: JsonObject, fromUrl?: FromUrl): ChatRequest;
  encodeResponse(response: ChatResponse, context: AnswerContext): JsonObject;
  /** Content type of a streamed answer. */
  streamType(context: AnswerContext): string;
  /** A reducer from canonical events to the stream's text, framing included. */
  encodeStream(options: StreamOptions): StreamEncoder;
  encodeError(error: PublicError, context: AnswerContext): JsonObject;
  /**
   * What ends a failed stream explicitly (PROTOCOLS 4), framing included, in pieces that are written one by one. `begun`
   * says that a part of the answer was sent before.
   */
  encodeStreamError(error: PublicError, context: AnswerContext, begun: boolean): string[];
  /** What may be sent while nothing else can be (PROTOCOLS 3), framing included. */
  keepAlive(context: AnswerContext): string;
}

export interface StreamOptions extends AnswerContext {
  /** The caller asked for usage. */
  includeUsage: boolean;
  /** Asked when the usage is written, since the cost is only known then; absent = no `routero` member. */
  meta?: () => StreamMeta;
}

export interface StreamEncoder {
  /** The stream's text for this event, possibly empty. */
  push(event: ChatEvent): string;
  /**
   * Takes over an answer that the caller has the beginning of: nothing of `delivered` is written again, and what follows
   * goes on with it. `own` = the beginning was not written by an encoder but by a provider of this dialect, whose ids
   * and numbers stay as they are; `last` is the data of the last event that was sent. Called once, before any `push`.
   */
  resume(delivered: readonly ChatEvent[], own: boolean, last?: string): void;
}

/** What a protocol has to know of the target to write a request for it. */
export interface Target {
  /** The model's name at the provider. */
  model: string;
  facts: ModelFacts;
  /** How usage in streams is had: asked for, always there, or never. */
  streamUsage: "include_usage" | "always" | "none";
  /** Members of messages and tools that are other makers' and that it is known to refuse. */
  refuses?: readonly ForeignMember[];
  /** Whose credential at whose address: signed state of another account is no good there. */
  account?: string;
  /** Tokens that the answer may have at most, by budget and context; the model's own maximum where absent. */
  outputLimit?: number;
}

/** How long a tool's name may be, and what may not stand in it. */
export interface NameRule {
  most: number;
  strange: RegExp;
}

/** Where a request goes, as far as its URL and the form of its answer depend on it. */
export interface Destination {
  /** The deployment's base URL, without a trailing slash. */
  baseUrl: string;
  /** The model's name at the provider. */
  model: string;
  stream: boolean;
  /** The caller gets the stream as one JSON array. */
  array?: boolean;
}

export interface BuiltRequest {
  body: JsonObject;
  /** Names of what the caller sent and this target can't express, for `x-routero-degraded`. */
  degraded: string[];
}

export interface ProviderProtocol {
  /** Path and query below the base URL, whose own version segment is not doubled. */
  path(to: Destination): string;
  /** Where the tokens of a request are counted for nothing, below the base URL; absent where they are not. */
  countPath?(to: Destination): string;
  /** How a streamed answer comes. */
  framing(to: Destination): Framing;
  /** Headers that the protocol itself demands (versions), lower case. */
  headers: Readonly<Record<string, string>>;
  /** Where its answers announce its limits. */
  limits?: readonly LimitHeaders[];
  /** Caller's headers that travel through on the same protocol (PROTOCOLS 25), lower case. */
  passHeaders: readonly string[];
  /** How tools may be called; absent = as anybody likes. */
  toolNames?: NameRule;
  /** Writes the request for a target. Throws `capability_not_supported` for what must not be dropped silently. */
  buildRequest(request: ChatRequest, target: Target): BuiltRequest;
  /** Throws `upstream_bad_response` when the body is not an answer of this protocol. */
  parseResponse(body: JsonObject): ChatResponse;
  /** A reducer from the stream's events to canonical events. */
  parseStream(): StreamParser;
  parseError(status: number, headers: Headers, body: string): UpstreamFault;
  /** Same protocol at both ends (PROTOCOLS 1); absent where no caller speaks it. */
  verbatim?: Verbatim;
}

export interface StreamParser {
  /** Canonical events of this wire event. Throws `upstream_bad_response` on what the protocol does not allow. */
  push(event: SseEvent): ChatEvent[];
  /**
   * Called at the clean end of the body. Yields `done` if it was not pushed yet and the protocol counts the stream
   * as complete; yields nothing for a cut (PROTOCOLS 5).
   */
  end(): ChatEvent[];
}

/** The rules by which a request and an answer of the same protocol pass through unchanged. */
export interface Verbatim {
  /**
   * The caller's text with the model's value replaced, extension members removed and the usage option injected where
   * needed. `injectedUsage` says that the answer's usage must be taken out again; `lost` names what another maker's model
   * left in the conversation and this one is known to refuse (PROTOCOLS 23): it is gone.
   */
  request(
    text: string,
    scan: JsonScan,
    body: JsonObject,
    target: Target,
  ): { text: string; injectedUsage: boolean; lost: string[] };
  /**
   * One raw SSE block (its blank line included) as the caller may see it: `""` drops it. `event` is the same block,
   * parsed. With `injectedUsage` the usage we asked for is cut out; with `meta` it is appended to the last usage.
   */
  block(
    raw: Uint8Array,
    event: SseEvent | null,
    options: { injectedUsage: boolean; meta?: () => StreamMeta },
  ): Uint8Array;
  /** A stream ends with words of its own, which providers leave out now and then behind the last finish reason. */
  hasLastWords?: true;
}
