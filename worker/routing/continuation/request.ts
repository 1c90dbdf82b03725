import type { ChatRequest, Message } from "../../core/chat.ts";
import type { Prefill } from "../../core/model.ts";
import type { Delivered } from "./delivered.ts";

/**
 * How another target goes on with an answer: from its beginning as the target's own (`native`), asked in words
 * (`instruction`), or from the start, where the caller has nothing of the answer but thinking (`anew`).
 */
export type Continuation =
  | { form: "native"; prefill: Prefill }
  | { form: "instruction" }
  | { form: "anew" };

const INSTRUCTION =
  "Your last message was cut off by a technical fault while you were writing it. Go on with it exactly at the next " +
  "character. Write only what is missing: do not repeat anything of it, do not comment, do not introduce it.";

/** Why a cut answer can't be continued (PROTOCOLS 13), as public text; null where it can. */
export function obstacleTo(chat: ChatRequest, delivered: Delivered): string | null {
  const { sampling, responseFormat, toolChoice } = chat;
  if ((sampling.n ?? 1) > 1) return "it has several choices";
  if (delivered.obstacle !== null) return delivered.obstacle;
  // Thinking is no part of the answer: whatever the answer is to be, it has not begun.
  if (delivered.text === "") return null;
  if (responseFormat !== undefined && responseFormat.type !== "text")
    return "it is structured output";
  if (sampling.logprobs === true) return "it carries log probabilities";
  if (toolChoice !== undefined && toolChoice.type !== "auto" && toolChoice.type !== "none") {
    return "it has to call a tool";
  }
  if (chat.extra["audio"] !== undefined) return "it holds audio";
  return null;
}

/** How to ask a target that takes a beginning in this form, if it takes one. */
export function continuationFor(
  chat: ChatRequest,
  delivered: Delivered,
  prefill: Prefill | undefined,
): Continuation {
  if (delivered.text === "") return { form: "anew" };
  const { reasoning, tools } = chat;
  const thinks = reasoning !== undefined && reasoning.effort !== "none";
  const native =
    prefill !== undefined &&
    (tools.length === 0 || prefill.withTools === true) &&
    (!thinks || prefill.withThinking === true) &&
    delivered.text.trim() !== "";
  return native ? { form: "native", prefill } : { form: "instruction" };
}

/**
 * The request that asks for the rest (PROTOCOLS 15): the caller's own, with what was delivered at its end.
 */
export function continuationRequest(
  chat: ChatRequest,
  delivered: Delivered,
  how: Continuation,
): ChatRequest {
  const left = tokensLeft(chat, delivered);
  if (how.form === "anew") return chat;
  const sampling =
    left === undefined ? chat.sampling : { ...chat.sampling, maxOutputTokens: Math.max(1, left) };
  const begun = withBegun(
    chat.messages,
    how.form === "native" ? delivered.text.trimEnd() : delivered.text,
  );
  if (how.form === "native") {
    return { ...chat, sampling, messages: begun, prefill: how.prefill.form };
  }
  const ask: Message = { role: "user", parts: [{ type: "text", text: INSTRUCTION }] };
  return { ...chat, sampling, messages: [...begun, ask] };
}

/** True where the caller's limit leaves nothing: the answer ends with `length`, and nobody is asked. */
export function limitSpent(chat: ChatRequest, delivered: Delivered): boolean {
  return (tokensLeft(chat, delivered) ?? 1) <= 0;
}

/** Bytes that a continuation's prompt has at most beyond the caller's request: what was delivered, and the words that ask. */
export function addedBytes(delivered: Delivered): number {
  return new TextEncoder().encode(delivered.text + INSTRUCTION).byteLength;
}

function tokensLeft({ sampling }: ChatRequest, delivered: Delivered): number | undefined {
  const limit = sampling.maxOutputTokens;
  const spent = tokensOf(delivered.text) + Math.ceil(delivered.thinkingLength / 4);
  return limit === undefined ? undefined : limit - spent;
}

/** The turns and the begun answer; a caller that began the answer itself had that continued. */
function withBegun(messages: readonly Message[], text: string): Message[] {
  const last = messages[messages.length - 1];
  const before = last?.parts[last.parts.length - 1];
  if (last?.role !== "assistant" || before?.type !== "text") {
    return [...messages, { role: "assistant", parts: [{ type: "text", text }] }];
  }
  const joined = { ...before, text: before.text + text };
  return [...messages.slice(0, -1), { ...last, parts: [...last.parts.slice(0, -1), joined] }];
}

/**
 * Tokens that a text is taken for where no provider counted it: four characters each, letters of other scripts one and
 * a half.
 */
function tokensOf(text: string): number {
  let others = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) others++;
  return Math.ceil((text.length - others) / 4 + others / 1.5);
}
