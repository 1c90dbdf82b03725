import { leavesOf, signalsOf, type Predicate, type Tree } from "./condition.ts";
import type { Member, Source } from "./document.ts";
import type { Known } from "./known.ts";
import { DETECTOR_OF } from "./operands.ts";
import { isDetected } from "./signals.ts";

/** A signal without a detector is unknown: whoever reads it has to say what then, unless the rule protects. */
export function needsSaying(
  source: Source,
  known: Known,
  when: Member | undefined,
  tree: Tree<Predicate>,
  protects: boolean,
): void {
  if (protects) {
    const then = "the rule matches every request until it is on, since it protects";
    warnOff(source, known, when, tree, then);
    return;
  }
  const off = offIn(known, tree);
  if (off === undefined) return;
  source.error(
    when?.value ?? when?.key,
    "detector_off",
    `${off} is unknown while the detector '${DETECTOR_OF[off]}' is off: say on_unknown: match or on_unknown: skip`,
  );
}

/** Says what a condition comes to while a detector that it needs is off. */
export function warnOff(
  source: Source,
  known: Known,
  when: Member | undefined,
  tree: Tree<Predicate>,
  then: string,
): void {
  const off = offIn(known, tree);
  if (off === undefined) return;
  source.warn(
    when?.value ?? when?.key,
    "detector_off",
    `${off} is unknown while the detector '${DETECTOR_OF[off]}' is off: ${then}`,
  );
}

/** Says that a condition reads what nobody tells this gateway. */
export function warnAbsent(
  source: Source,
  known: Known,
  when: Member | undefined,
  tree: Tree<Predicate>,
): void {
  if (known.country || !leavesOf(tree).flatMap(signalsOf).includes("region.country")) return;
  source.warn(
    when?.value ?? when?.key,
    "always_absent",
    "region.country is absent in every request here: nobody tells a self-hosted gateway where a caller's network is",
  );
}

/** The first signal of a condition whose detector is off. */
function offIn({ detectors }: Known, tree: Tree<Predicate>): string | undefined {
  if (detectors === null) return undefined;
  return leavesOf(tree)
    .flatMap(signalsOf)
    .find((name) => isDetected(name) && !detectors.some((each) => each === name));
}
