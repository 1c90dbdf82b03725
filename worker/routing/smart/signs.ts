import type { ChatRequest, FinishReason, Part, Tool } from "../../core/chat.ts";
import type { Json } from "../../core/json.ts";
import type { Signs } from "../../core/learning.ts";
import { fitsSchema } from "./fits.ts";
import type { Lesson } from "./learn.ts";

/** An answer longer than this is not checked: it would cost more than it teaches. */
const LONGEST = 65_536;
/** A caller who allows fewer tokens than this has asked for a cut answer. */
const FEW_TOKENS = 512;

/** How much a form is believed: it is sure, and only a part of what makes an answer good. */
const FORM_WEIGHT = 0.5;

/** What an answer shows of itself, whoever judges it: nothing of its content, only whether its form holds. */
export function signsOf(
  chat: Pick<ChatRequest, "tools" | "responseFormat" | "sampling">,
  answer: { parts: readonly Part[]; finish: FinishReason | null },
): Signs {
  const { parts, finish } = answer;
  const cut = finish === "length";
  const room = chat.sampling.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  const calls = parts.filter((part) => part.type === "toolCall");
  // A cut form is the cut's doing, told as that; a refusal has none to hold.
  const whole = finish === "stop" || finish === "tool_calls";
  return {
    truncated: cut && room >= FEW_TOKENS,
    calls: whole ? all(calls.map((call) => callFits(chat.tools, call))) : null,
    form: whole && calls.length === 0 ? formFits(chat, parts) : null,
  };
}

/** What such an answer teaches of the model that gave it; null where its form says nothing. */
export function lessonOf({
  truncated,
  calls,
  form,
}: Signs): Pick<Lesson, "reward" | "weight"> | null {
  const broken = truncated || calls === false || form === false;
  if (!broken && calls === null && form === null) return null;
  return { reward: broken ? 0 : 1, weight: FORM_WEIGHT };
}

/** True when all hold, false when one does not, null when there is nothing to say. */
function all(said: readonly (boolean | null)[]): boolean | null {
  if (said.includes(false)) return false;
  return said.length > 0 && !said.includes(null) ? true : null;
}

function callFits(
  tools: readonly Tool[],
  { name, arguments: text }: { name: string; arguments: string },
): boolean | null {
  const tool = tools.find((each) => each.type === "function" && each.name === name);
  if (tool?.type !== "function") {
    // A tool of the provider's own may have any name.
    return tools.some((each) => each.type === "native") ? null : false;
  }
  if (text.length > LONGEST) return null;
  const value = text.trim() === "" ? {} : parsed(text);
  if (value === undefined) return false;
  return fitsSchema(value, tool.parameters ?? { type: "object" });
}

function formFits(
  { responseFormat }: Pick<ChatRequest, "responseFormat">,
  parts: readonly Part[],
): boolean | null {
  if (responseFormat === undefined || responseFormat.type === "text") return null;
  if (parts.some((part) => part.type === "refusal")) return null;
  const text = parts.map((part) => (part.type === "text" ? part.text : "")).join("");
  if (text.length > LONGEST) return null;
  const value = parsed(text);
  if (value === undefined) return false;
  return responseFormat.type === "schema" ? fitsSchema(value, responseFormat.schema) : true;
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
