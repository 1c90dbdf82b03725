import type { ErrorKind } from "../core/errors.ts";
import { DROPPED_BY, type DroppedBy, type StepWhen } from "../core/routing.ts";

const KIND: Readonly<Record<DroppedBy, ErrorKind>> = {
  policy: "policy_no_candidate",
  residency: "policy_no_candidate",
  allowlist: "policy_no_candidate",
  tags: "policy_no_candidate",
  price: "policy_no_candidate",
  capability: "capability_not_supported",
  context_window: "context_length_exceeded",
  budget: "budget_exceeded",
  health: "no_healthy_deployment",
  limit: "no_healthy_deployment",
};

/** What removed a candidate, null = nothing, and after what its group may serve. */
interface Dropped {
  by: DroppedBy | null;
  when: StepWhen;
}

/** Where a request may begin: chains for one class of faults serve only what that class refused. */
export function beginnings<T>(candidates: readonly T[], read: (candidate: T) => Dropped): T[] {
  const tooLong = candidates.some((each) => {
    const { by, when } = read(each);
    return by === "context_window" && when === "any";
  });
  return candidates.filter((each) => {
    const { when } = read(each);
    return when === "any" || (when === "context_window" && tooLong);
  });
}

/** The refusal of a plan that has no beginning: of the kind that the candidate that came farthest was dropped for. */
export function kindOfEmpty(dropped: readonly (DroppedBy | null)[]): ErrorKind {
  const farthest = dropped.reduce(
    (most, by) => Math.max(most, by === null ? -1 : DROPPED_BY.indexOf(by)),
    0,
  );
  return KIND[DROPPED_BY[farthest] ?? "health"];
}
