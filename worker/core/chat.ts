import type { Json, JsonObject } from "./json.ts";
import type { PrefillForm } from "./model.ts";
import type { TokenUsage } from "./usage.ts";

/**
 * The canonical chat: the hub between all wire protocols, a superset of OpenAI chat. Every protocol file converts to
 * it and back; nothing else in the gateway knows a wire form. A message is a list of parts in the order in which the
 * model said or saw them, so that interleaved thinking, text and tool calls keep their places.
 */

/** The wire protocols that callers speak to us, by the name of their folder in `worker/protocols/`. */
export type DialectName = "openai-chat" | "openai-responses" | "anthropic" | "gemini";
/** All wire protocols: those, and the ones that only providers speak. */
export type ProtocolName = DialectName | "bedrock-converse" | "cohere" | "ollama";

/** A request in the canonical form: the hub between all protocols. */
export interface ChatRequest {
  /** The model as the caller wrote it. */
  model: string;
  messages: Message[];
  stream: boolean;
  /** The caller asked for usage in the stream (`stream_options.include_usage`; always in Anthropic's dialect). */
  streamUsage: boolean;
  sampling: Sampling;
  tools: Tool[];
  toolChoice?: ToolChoice;
  /** False forbids several calls in one answer; absent leaves it to the model. */
  parallelToolCalls?: boolean;
  responseFormat?: ResponseFormat;
  reasoning?: Reasoning;
  /** The caller's end-user id, as the dialect carries it. */
  user?: string;
  /** The last message is the beginning of the answer, to be told to the target in this form. */
  prefill?: PrefillForm;
  /**
   * Members of the caller's own dialect which the canonical form does not name, as they were sent. They travel to
   * targets of the same dialect and are dropped, by name, for others.
   */
  extra: JsonObject;
  /** Members that name something kept at a provider of the caller's own dialect: no other target can serve them. */
  bound?: string[];
  dialect: ProtocolName;
}

/** How the answer is drawn. A zero or an empty list that was sent stays one; what was not sent is absent. */
export interface Sampling {
  /** Most tokens of the answer, reasoning included. */
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  stop?: string[];
  seed?: number;
  n?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  logitBias?: JsonObject;
  logprobs?: boolean;
  topLogprobs?: number;
}

/** How much to think. A caller sends an effort or a token budget; the protocol maps what it got (PROTOCOLS 22). */
export interface Reasoning {
  /** `none` switches thinking off; others grow from minimal to max. */
  effort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";
  budgetTokens?: number;
  /** Anthropic's adaptive mode: the model decides within the effort. */
  adaptive?: boolean;
  /** Show, summarize or omit the thinking, as the provider names it. */
  display?: string;
}

/** The form that the answer has to take. JSON schemas are passed on as they came. */
export type ResponseFormat =
  | { type: "text" }
  | { type: "json" }
  | { type: "schema"; name: string; schema: JsonObject; description?: string; strict?: boolean };

/** A tool on offer. */
export type Tool =
  | {
      type: "function";
      name: string;
      description?: string;
      /** JSON schema of the arguments; absent means no arguments. */
      parameters?: JsonObject;
      strict?: boolean;
      cache?: CacheMark;
      /** It takes a text instead of JSON: `parameters` hold that text, for targets that have no such tools. */
      freeform?: Freeform;
    }
  /** A tool that only one dialect knows (server tools, custom grammars); travels home or is refused. */
  | { type: "native"; dialect: ProtocolName; value: JsonObject };

/** What a tool that takes text says of itself; the format in the form of Responses. */
export interface Freeform {
  description?: string;
  format?: JsonObject;
}

/** Which tool has to be called, if any. */
export type ToolChoice =
  | { type: "auto" }
  | { type: "none" }
  | { type: "required" }
  | { type: "function"; name: string }
  | { type: "native"; dialect: ProtocolName; value: Json };

/** One turn. Tool results stand in turns of the role `tool`. */
export interface Message {
  role: "system" | "developer" | "user" | "assistant" | "tool";
  parts: Part[];
  /** The participant's name, where the dialect has one. */
  name?: string;
}

/** A prompt-cache breakpoint behind this part, in Anthropic's form (`{type: "ephemeral", ttl?}`). */
export type CacheMark = JsonObject;

/** A piece of a turn or an answer; their order is kept in every protocol that has one. */
export type Part =
  | TextPart
  | ImagePart
  | AudioPart
  | FilePart
  | ToolCallPart
  | ToolResultPart
  | ThinkingPart
  | RefusalPart
  | NativePart;

export interface TextPart {
  type: "text";
  text: string;
  /** Citations or annotations of the answer, in the form of the dialect that made them. */
  citations?: Json[];
  /** Google's thought signature; it stands on a part of its own, whose text is empty. */
  signature?: string;
  cache?: CacheMark;
}

/** Bytes come as base64 with their media type, references as a URL; an `id` names a file kept by the provider. */
export type MediaSource =
  | { type: "url"; url: string }
  | { type: "data"; data: string; mediaType: string }
  | { type: "id"; id: string };

export interface ImagePart {
  type: "image";
  source: MediaSource;
  detail?: string;
  cache?: CacheMark;
}

export interface AudioPart {
  type: "audio";
  /** Base64. An answer's audio may also carry its id and transcript. */
  data: string;
  format: string;
  id?: string;
  transcript?: string;
}

export interface FilePart {
  type: "file";
  source: MediaSource;
  filename?: string;
  cache?: CacheMark;
}

export interface ToolCallPart {
  type: "toolCall";
  id: string;
  name: string;
  /** The arguments as JSON text, exactly as the model wrote them (it may be empty or broken). */
  arguments: string;
  /** A provider's signature bound to this call (Gemini thought signatures). */
  signature?: string;
  cache?: CacheMark;
  /** The tool takes a text, which is the arguments' `input`. */
  freeform?: boolean;
}

export interface ToolResultPart {
  type: "toolResult";
  callId: string;
  /** The tool's name, where the dialect repeats it; else it stands in the call of that id. */
  name?: string;
  parts: Part[];
  isError?: boolean;
  cache?: CacheMark;
  /** Of a call that is. */
  freeform?: boolean;
}

export interface ThinkingPart {
  type: "thinking";
  /** Empty when the provider shows none (redacted, omitted). */
  text: string;
  /** Proof of the provider that it said this; required when the turn is sent back to it. */
  signature?: string;
  /** Opaque encrypted thinking, instead of text or beside its summary; empty where its provider keeps it by its id. */
  redacted?: string;
  /** Who can read signature or redacted thinking; absent = Anthropic's family. */
  family?: "openai";
  /** The account at the provider that made it and alone can read it, where that is known. */
  account?: string;
  /** The provider's id of this piece of thinking. */
  id?: string;
}

export interface RefusalPart {
  type: "refusal";
  text: string;
}

/** A block that only its own dialect knows (server tool use, compaction, …): travels home, is dropped elsewhere. */
export interface NativePart {
  type: "native";
  dialect: ProtocolName;
  value: JsonObject;
}

/** Why an answer ended. `pause` and `refusal` are Anthropic's; to OpenAI clients they read `stop`, `content_filter`. */
export type FinishReason =
  | "stop"
  | "length"
  | "tool_calls"
  | "content_filter"
  | "refusal"
  | "pause"
  | "context_window"
  | "error";

/** A whole answer in the canonical form. */
export interface ChatResponse {
  id: string;
  /** Unix seconds. */
  created: number;
  /** The model as the provider named it. */
  model: string;
  choices: Choice[];
  /** Absent when the provider sent none. */
  usage?: TokenUsage;
  /** Members of the provider's dialect which the canonical form does not name. */
  extra: JsonObject;
  dialect: ProtocolName;
}

/** One of the answers that `sampling.n` asked for. */
export interface Choice {
  index: number;
  parts: Part[];
  finish: FinishReason;
  /** The stop sequence that was hit. */
  stopSequence?: string;
  logprobs?: Json;
  /** Members of the dialect's choice (or of Anthropic's message) which the canonical form does not name. */
  extra?: JsonObject;
}

/**
 * One step of a streamed answer. Parts are opened once, in order, each with an index that is unique within its
 * choice; deltas name the part they extend; `finish` closes a choice; `done` says that the provider ended properly.
 */
export type ChatEvent =
  | { type: "start"; id: string; model: string; created: number; extra?: JsonObject }
  /** `part` holds what is known at the beginning: text, arguments and thinking empty or the first piece. */
  | { type: "open"; choice: number; part: number; value: Part }
  | { type: "delta"; choice: number; part: number; delta: PartDelta }
  | { type: "close"; choice: number; part: number }
  | {
      type: "finish";
      choice: number;
      reason: FinishReason;
      stopSequence?: string;
      extra?: JsonObject;
    }
  /** The usage so far; the last one wins. */
  | { type: "usage"; usage: TokenUsage }
  /** The provider reported a failure inside the stream. */
  | { type: "failure"; failure: StreamFailure }
  | { type: "done" };

/** What a piece of a stream adds to an open part. */
export type PartDelta =
  | { type: "text"; text: string; logprobs?: Json }
  | { type: "arguments"; text: string }
  | { type: "thinking"; text: string }
  | { type: "signature"; signature: string }
  | { type: "refusal"; text: string }
  | { type: "citation"; citation: Json }
  | { type: "audio"; data?: string; transcript?: string; id?: string }
  /** A delta of a native block, in its dialect's form. */
  | { type: "native"; value: JsonObject };

/** A provider's in-stream error as it named it; status is what the same error would be over HTTP. */
export interface StreamFailure {
  status: number;
  type?: string;
  code?: string;
  message: string;
}
