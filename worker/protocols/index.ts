import type { ProtocolName } from "../core/chat.ts";
import { GatewayError } from "../core/errors.ts";
import { openaiChat } from "./openai-chat/index.ts";
import type { Protocol } from "./protocol.ts";

/** The wire protocol of that name. */
export function protocolOf(name: ProtocolName): Protocol {
  if (name === "openai-chat") return openaiChat;
  throw new GatewayError("unsupported_endpoint", `The protocol '${name}' is not served.`);
}
