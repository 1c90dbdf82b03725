import type { SignalsRead, SignalValue, Verdict } from "../core/policy.ts";
import { DEFAULT_CALENDAR, type Calendar } from "./calendar.ts";
import { decide, type LinkedDocument } from "./decide.ts";
import { FAILED, NO, UNKNOWN, YES, type Answer, type Facts } from "./evaluate.ts";
import { scheduleSignal } from "./scheduled.ts";

/** What a record keeps of a decision's inputs. */
export interface Recorded {
  signals: SignalsRead;
  /** Unix milliseconds. */
  at: number;
}

/**
 * The facts of a recorded decision: values of public signals, answers of predicates over private ones. Without `missing`
 * the documents are those that decided. With it they are others: it is told of each signal that was not read then and is
 * asked for now.
 */
export function recordedFacts(
  { signals, at }: Recorded,
  calendar: Calendar | null,
  missing?: (name: string) => void,
): Facts {
  const { values, predicates } = signals;
  const unknown = new Set(signals.unknown);
  return {
    now: at,
    read(name): SignalValue | undefined {
      // The time stands in the record; other documents may read it by another clock.
      const timed = () => scheduleSignal(name, at, calendar ?? DEFAULT_CALENDAR);
      const anew = missing === undefined ? undefined : timed();
      if (anew !== undefined) return anew;
      if (Object.hasOwn(values, name)) return values[name];
      if (unknown.has(name)) return undefined;
      const told = timed();
      if (told !== undefined) return told;
      missing?.(name);
      return undefined;
    },
    recorded(print, hidden): Answer | undefined {
      const answer = Object.hasOwn(predicates, print) ? predicates[print] : undefined;
      if (answer !== undefined) return answer ? YES : NO;
      if (unknown.has(`failed:${print}`)) return FAILED;
      if (unknown.has(`predicate:${print}`)) return UNKNOWN;
      // What other documents would ask may not have been asked then.
      return signals.onlyHeld === true && hidden && missing === undefined ? NO : undefined;
    },
  };
}

/** Decides anew from a record and the documents of its hashes: the same rule, constraints, overlays or refusal. Pure. */
export function replay(
  documents: readonly LinkedDocument[],
  recorded: Recorded,
  gateway: string,
): Verdict | null {
  const calendar = documents[0]?.linked.plan.calendar ?? null;
  return decide(documents, recordedFacts(recorded, calendar), gateway);
}

/** How one recorded decision would have ended under other documents. */
export interface Simulated {
  verdict: Verdict | null;
  /** Signals that would have been read and are not in the record; with any the verdict is a guess. */
  missing: string[];
}

/** Decides a recorded request by other documents, as far as its record tells. */
export function simulate(
  documents: readonly LinkedDocument[],
  recorded: Recorded,
  gateway: string,
): Simulated {
  const missing = new Set<string>();
  const calendar = documents[0]?.linked.plan.calendar ?? null;
  const facts = recordedFacts(recorded, calendar, (name) => missing.add(name));
  return { verdict: decide(documents, facts, gateway), missing: [...missing] };
}
