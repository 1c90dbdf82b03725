import type { Message, Part } from "../../core/chat.ts";

/**
 * Puts together what the model said in one turn. Google's clients keep each chunk of a stream as a content of its own, an
 * empty last one among them; other makers take such pieces for turns, and refuse one between calls and their results.
 */
export function joinTurns(messages: readonly Message[]): Message[] {
  const turns: Message[] = [];
  for (const { role, parts } of messages) {
    const last = turns[turns.length - 1];
    if (role === "assistant" && last?.role === role) last.parts.push(...parts);
    else turns.push({ role, parts: [...parts] });
  }
  for (const turn of turns) if (turn.role === "assistant") turn.parts = joinParts(turn.parts);
  return turns;
}

/** Pieces of a text become one, and so do those of a thought with the proof behind it. */
function joinParts(parts: readonly Part[]): Part[] {
  const out: Part[] = [];
  for (const part of parts) {
    if (isEmpty(part)) continue;
    const last = out[out.length - 1];
    if (isText(part) && last && isText(last)) {
      out[out.length - 1] = { ...last, text: last.text + part.text };
    } else if (part.type === "thinking" && part.redacted === undefined && isUnsigned(last)) {
      out[out.length - 1] = { ...part, text: last.text + part.text };
    } else {
      out.push(part);
    }
  }
  return out.length > 0 ? out : parts.slice(0, 1);
}

type Text = Extract<Part, { type: "text" }>;
type Thinking = Extract<Part, { type: "thinking" }>;

function isText(part: Part): part is Text {
  return part.type === "text" && part.signature === undefined;
}

function isUnsigned(part: Part | undefined): part is Thinking {
  return part?.type === "thinking" && part.signature === undefined && part.redacted === undefined;
}

function isEmpty(part: Part): boolean {
  return (isText(part) || isUnsigned(part)) && part.text === "";
}
