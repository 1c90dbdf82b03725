import type { ProtocolName } from "./chat.ts";

/** The smallest limit of an answer, in tokens, that a protocol takes; a smaller one is sent as this, and held for as this. */
export const LEAST_OUTPUT: Readonly<Partial<Record<ProtocolName, number>>> = {
  "openai-responses": 16,
};
