import type { Tally } from "../../core/learning.ts";
import { SHIPPED } from "./family-counts.ts";

/** Weighed successes and failures. */
export type FamilyCounts = [good: number, bad: number];

/**
 * The level between an organization's own record and the belief by tier and price: counts per model family from public
 * outcomes, made by scripts/smart/evidence.ts and shipped with a release. It holds nothing of any organization.
 */
export interface Evidence {
  version: number;
  /** SHA-256 of the outcomes that it was counted from. */
  data: string;
  /** By the beginning of a model's own name. */
  families: Readonly<
    Record<
      string,
      { readonly all: FamilyCounts; readonly tasks: Readonly<Record<string, FamilyCounts>> }
    >
  >;
}

/** What is known of one family. */
export interface FamilyRecord {
  all: Tally;
  tasks: Readonly<Record<string, Tally>>;
}

export const EVIDENCE: Evidence = SHIPPED;

/** Observations that the record of a family is worth at most, in all and within one task: test questions are no traffic. */
const MOST = 30;
const MOST_OF_TASK = 10;

/** Families by their names' beginnings, the longest first. */
export function familyRecords(evidence: Evidence["families"]): [string, FamilyRecord][] {
  return Object.entries(evidence)
    .map(([prefix, { all, tasks }]): [string, FamilyRecord] => [
      prefix,
      {
        all: held(all, MOST),
        tasks: Object.fromEntries(
          Object.entries(tasks).map(([task, counts]) => [task, held(counts, MOST_OF_TASK)]),
        ),
      },
    ])
    .toSorted(([a], [b]) => b.length - a.length);
}

function held([good, bad]: FamilyCounts, most: number): Tally {
  const share = Math.min(1, most / Math.max(1, good + bad));
  return { good: good * share, bad: bad * share };
}
