import { createHmac } from "node:crypto";
import type { DecisionData } from "../core/audit-data.ts";
import type { Authenticated, Authorized } from "../core/call.ts";
import type { ChatRequest, Message, Part } from "../core/chat.ts";
import type { DetectedSignal } from "../core/policy.ts";
import type { Deps } from "../core/ports.ts";

/** The newest messages of a request that its record tells of. */
const MOST_MESSAGES = 32;

/** What detectors say of a single message. */
const DETECTED: readonly DetectedSignal[] = [
  "content.pii_detected",
  "content.pii_entities",
  "content.secrets_detected",
  "content.injection_detected",
];

/**
 * What a rule with `log_inputs` puts on record of a request's messages: for each its length, a keyed hash and what the
 * detectors found, never text. Nothing for any other request.
 */
export function inputsOf(
  deps: Deps,
  call: Authenticated | Authorized,
): Pick<DecisionData, "inputs"> {
  const verdict = "verdict" in call ? call.verdict : undefined;
  if (verdict?.audit?.logInputs !== true) return {};
  const { messages } = call.chat;
  const { version, secret } = deps.inputSecret(call.identity.principal.orgId);
  const told = messages.slice(-MOST_MESSAGES);
  return {
    inputs: {
      key_version: version,
      total: messages.length,
      messages: told.map((message) => inputOf(deps, call.chat, message, secret)),
    },
  };
}

function inputOf(deps: Deps, chat: ChatRequest, message: Message, secret: Uint8Array) {
  const text = message.parts.map(textOf).join("\n");
  const alone = { ...chat, messages: [message] };
  const found = DETECTED.flatMap((name) => {
    const value = deps.detectors[name]?.(alone);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    role: message.role,
    bytes: Buffer.byteLength(text),
    hash: createHmac("sha256", secret).update(text).digest("base64url"),
    ...(found.length > 0 && { detected: Object.fromEntries(found) as Record<string, boolean> }),
  };
}

/** What of a part is hashed: its text, or for what is not text its canonical form. */
function textOf(part: Part): string {
  return part.type === "text" ? part.text : JSON.stringify(part);
}
