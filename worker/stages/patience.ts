import type { Chosen } from "../core/call.ts";
import type { Step, Timeouts } from "../core/routing.ts";
import { beliefOf } from "../routing/smart/knowledge.ts";

/** Time to the first content event where nobody set it (PROTOCOLS 10). */
const FIRST_EVENT_MS = 30_000;

/** How long something is waited for, in milliseconds. */
export interface Span {
  ms: number;
  /** What every caller of the group is given: who has less patience tells nothing of the deployment's health. */
  usual: number;
}

/** What an attempt is given (PROTOCOLS 10). */
export interface Patience {
  /** From its begin to the first content of a stream. */
  first: Span;
  /** From its begin to the end of an answer that is not streamed. */
  whole: Span;
  /** Between two events of a stream. */
  between: Span;
}

export function patienceOf(
  { settings, chat }: Pick<Chosen, "settings" | "chat">,
  { deployment, usual }: Pick<Step, "deployment" | "usual">,
): Patience {
  const { reasoning } = chat;
  // What thinks may be silent for as long as it likes.
  const thinks = () =>
    reasoning === undefined ? beliefOf(deployment).thinks : reasoning.effort !== "none";
  const given = ({ first, whole, between, total }: Timeouts) => ({
    first: deployment.timeout ?? first ?? (thinks() ? total : FIRST_EVENT_MS),
    whole: deployment.timeout ?? whole ?? total,
    between,
  });
  const own = given(settings.timeouts);
  const all = given(usual);
  return {
    first: { ms: own.first, usual: all.first },
    whole: { ms: own.whole, usual: all.whole },
    between: { ms: own.between, usual: all.between },
  };
}
