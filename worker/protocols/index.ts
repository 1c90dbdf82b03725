import type { DialectName, ProtocolName } from "../core/chat.ts";
import { anthropic } from "./anthropic/index.ts";
import { bedrockConverse } from "./bedrock-converse/index.ts";
import { cohere } from "./cohere/index.ts";
import { gemini } from "./gemini/index.ts";
import { ollama } from "./ollama/index.ts";
import { openaiChat } from "./openai-chat/index.ts";
import { openaiResponses } from "./openai-responses/index.ts";
import type { Dialect, Protocol } from "./protocol.ts";

const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  "openai-chat": openaiChat,
  "openai-responses": openaiResponses,
  anthropic,
  gemini,
};

const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  ...DIALECTS,
  "bedrock-converse": bedrockConverse,
  cohere,
  ollama,
};

/** The wire protocol of that name, as providers speak it. */
export function protocolOf(name: ProtocolName): Protocol {
  return PROTOCOLS[name];
}

/** The wire protocol of that name, as callers speak it too. */
export function dialectOf(name: DialectName): Dialect {
  return DIALECTS[name];
}
