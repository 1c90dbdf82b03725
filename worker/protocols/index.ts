import type { ProtocolName } from "../core/chat.ts";
import { anthropic } from "./anthropic/index.ts";
import { openaiChat } from "./openai-chat/index.ts";
import type { Protocol } from "./protocol.ts";

const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  "openai-chat": openaiChat,
  anthropic,
};

/** The wire protocol of that name. */
export function protocolOf(name: ProtocolName): Protocol {
  return PROTOCOLS[name];
}
