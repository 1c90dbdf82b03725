// What is said of the need by hand and stands beside the learned head, with weights that no training row can take away: on
// kinds of prompts that nothing was learned of it is the best that is known.
import type { Category } from "./categories.ts";
import { AT_LENGTH, AT_OPTIONS, windowOf } from "./features.ts";
import { KEYWORDS } from "./keywords.ts";

/** Need that each doubling of a prompt's length adds, less of it where answers are listed, and the bits of a usual one. */
const PER_DOUBLING = 0.1;
const WITH_OPTIONS = 0.4;
const USUAL_BITS = 7.6;
/** Beyond these bits length is mostly material: what is worked on, not what is asked. */
const MATERIAL_FROM = 11;
const READING_FROM = 10;
const OF_MATERIAL = 0.25;
/** Tasks that are told in a sentence and done to a text, and talk: the length and the words say little of how hard it is. */
const SAID_AT_THE_ENDS: ReadonlySet<Category> = new Set<Category>([
  "summarize",
  "rewrite",
  "translate",
  "classify_extract",
  "chat",
]);
/** Characters read at each end where that is so. */
const ENDS = 120;
const ENDS_OF_TALK = 60;
/** What the keywords' sum weighs. */
const OF_KEYWORDS = 0.4;
/** Prompts shorter and longer than these, in characters, and what the keyword rules make of it. */
const SHORT = 200;
const LONG = 2000;
const BY_SIZE = 0.1;

/** What of a prompt is looked at for its need, and the length that counts for it. */
export function readFor(prompt: string, ruled: Category | null): { text: string; length: number } {
  if (ruled === null || !SAID_AT_THE_ENDS.has(ruled)) {
    return { text: windowOf(prompt), length: prompt.length };
  }
  const text = windowOf(prompt, ruled === "chat" ? ENDS_OF_TALK : ENDS);
  return { text, length: text.length };
}

/** Part of the need that length alone and the usual keyword rules tell; `ruled` = the task that a rule named. */
export function fixedNeed(
  { dense, keywords }: { dense: Float32Array | Float64Array; keywords: Uint16Array },
  ruled: Category | null,
): number {
  const bits = 8 * (dense[AT_LENGTH] ?? 0);
  const most = ruled === "reading" ? READING_FROM : MATERIAL_FROM;
  const counted = bits <= most ? bits : most + OF_MATERIAL * (bits - most);
  const options = (dense[AT_OPTIONS] ?? 0) > 0;
  const length = PER_DOUBLING * (counted - USUAL_BITS) * (options ? WITH_OPTIONS : 1);
  let sum = bits > Math.log2(LONG) ? BY_SIZE : bits < Math.log2(SHORT) ? -BY_SIZE : 0;
  for (const [kind, { weight }] of KEYWORDS.entries()) {
    sum += weight * Math.min(1, (keywords[kind] ?? 0) / 3);
  }
  return length + OF_KEYWORDS * sum;
}
