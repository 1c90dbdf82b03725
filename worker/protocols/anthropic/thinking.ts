import type { ChatRequest, Message } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { budgetOf, effortOf } from "../effort.ts";
import type { Target } from "../protocol.ts";

/** The smallest budget that Anthropic takes. */
const LEAST_BUDGET = 1024;

/** What is written for thinking: the `thinking` member and the effort of `output_config`. */
export interface Thinking {
  thinking?: JsonObject;
  effort?: string;
}

/**
 * Thinking as the model is told it (PROTOCOLS 22): adaptive with an effort on newer models, a budget on older ones,
 * as it was sent where the model is not known. `forced` says that a tool must be called, beside which no model
 * thinks. What can't be had is named in `degraded`.
 */
export function buildThinking(
  request: ChatRequest,
  { facts }: Target,
  { maxTokens, forced }: { maxTokens: number; forced: boolean },
  degraded: Set<string>,
): Thinking {
  const { reasoning } = request;
  if (!reasoning) return {};
  const home = request.dialect === "anthropic";
  const off = reasoning.effort === "none";
  const display = reasoning.display === undefined ? {} : { display: reasoning.display };
  const lost = (): Thinking => {
    degraded.add(home ? "thinking" : "reasoning_effort");
    return {};
  };
  if (facts.reasoning === "none") return off ? {} : lost();
  if (off) {
    if (home) return { thinking: { type: "disabled" } };
    // Some adaptive models refuse to be switched off: their least effort without a word about thinking.
    if (facts.reasoning === "adaptive") {
      degraded.add("reasoning_effort");
      return { effort: "low" };
    }
    return {};
  }
  const asked = home && !reasoning.adaptive && reasoning.budgetTokens === undefined;
  // An effort alone, from this dialect, tunes the answer and switches nothing on.
  if (asked) return effortFor(reasoning.effort);
  if (forced) return lost();
  const adaptive =
    facts.reasoning === undefined
      ? reasoning.adaptive || (!home && reasoning.budgetTokens === undefined)
      : facts.reasoning !== "budget";
  if (adaptive) {
    return { thinking: { type: "adaptive", ...display }, ...effortFor(effortOf(reasoning)) };
  }
  const wanted = budgetOf(reasoning) ?? LEAST_BUDGET;
  // A budget leaves at least a fifth of the answer's tokens to the answer itself.
  const budget = Math.min(wanted, Math.floor(maxTokens * 0.8));
  if (budget < LEAST_BUDGET || lacksThinking(request.messages)) return lost();
  if (budget < wanted) degraded.add(home ? "thinking" : "reasoning_effort");
  return { thinking: { type: "enabled", budget_tokens: budget, ...display } };
}

function effortFor(effort: string | undefined): Thinking {
  if (effort === undefined) return {};
  return { effort: effort === "minimal" ? "low" : effort };
}

/** With a budget, a tool result may only answer a turn that still holds its thinking. */
function lacksThinking(messages: readonly Message[]): boolean {
  if (messages[messages.length - 1]?.role !== "tool") return false;
  const turn = messages.findLast((message) => message.role === "assistant");
  return !turn?.parts.some(
    (part) =>
      part.type === "thinking" && (part.signature !== undefined || part.redacted !== undefined),
  );
}
