// How a need-for-strong score is judged: RouteLLM's measures, over every threshold.
import type { Outcome, Pair } from "./data.ts";

export interface Judged {
  /** Area under the share of the quality gap that is recovered, over the share of strong calls; chance is 0.5. */
  apgr: number;
  /** Least share of strong calls, percent, that recovers half and four fifths of the gap. */
  cpt50: number;
  cpt80: number;
  /** Share of strong calls from 0 to 1, and the quality reached. */
  shares: number[];
  quality: number[];
}

/** The curve of a score: rows go to the strong model from the highest score down; ties are a straight line. */
export function judge(rows: readonly Outcome[], scores: readonly number[], pair: Pair): Judged {
  const weak = rows.map((row) => row.scores[pair.weak] ?? 0);
  const strong = rows.map((row) => row.scores[pair.strong] ?? 0);
  const count = rows.length;
  const order = rows.map((_, at) => at).toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const base = weak.reduce((sum, each) => sum + each, 0) / count;
  const gap = strong.reduce((sum, each) => sum + each, 0) / count - base;
  const shares = [0];
  const quality = [base];
  let reached = base;
  for (let at = 0; at < count;) {
    const tied = scores[order[at] ?? 0];
    while (at < count && scores[order[at] ?? 0] === tied) {
      const row = order[at++] ?? 0;
      reached += ((strong[row] ?? 0) - (weak[row] ?? 0)) / count;
    }
    shares.push(at / count);
    quality.push(reached);
  }
  const recovered = quality.map((each) => (each - base) / gap);
  let apgr = 0;
  for (let at = 1; at < shares.length; at++) {
    const width = (shares[at] ?? 0) - (shares[at - 1] ?? 0);
    apgr += (width * ((recovered[at] ?? 0) + (recovered[at - 1] ?? 0))) / 2;
  }
  const cpt = (target: number) => 100 * shareAt(shares, recovered, target);
  return { apgr, cpt50: cpt(0.5), cpt80: cpt(0.8), shares, quality };
}

/** The first share at which a curve reaches a level. */
export function shareAt(shares: number[], levels: number[], target: number): number {
  for (let at = 1; at < shares.length; at++) {
    const [left = 0, right = 0] = [levels[at - 1], levels[at]];
    if (right < target) continue;
    const [from = 0, to = 0] = [shares[at - 1], shares[at]];
    return right > left ? from + ((to - from) * Math.max(0, target - left)) / (right - left) : to;
  }
  return 1;
}

/** Quality at a share of strong calls. */
export function qualityAt({ shares, quality }: Judged, share: number): number {
  const at = Math.max(
    1,
    shares.findIndex((each) => each >= share),
  );
  const [from = 0, to = 1] = [shares[at - 1], shares[at]];
  const [left = 0, right = 0] = [quality[at - 1], quality[at]];
  return to > from ? left + ((right - left) * (share - from)) / (to - from) : right;
}

/** Accuracy and macro-F1 of named categories, over the categories that the truth holds. */
export function judgeCategories(truth: readonly string[], said: readonly string[]) {
  const names = [...new Set(truth)];
  const right = truth.filter((each, at) => each === said[at]).length;
  const f1 = names.map((name) => {
    let both = 0;
    let wrong = 0;
    for (let at = 0; at < truth.length; at++) {
      if (truth[at] === name && said[at] === name) both++;
      else if (truth[at] === name || said[at] === name) wrong++;
    }
    return (2 * both) / (2 * both + wrong || 1);
  });
  return {
    accuracy: right / truth.length,
    macroF1: f1.reduce((sum, each) => sum + each, 0) / names.length,
    f1: Object.fromEntries(names.map((name, at) => [name, f1[at] ?? 0])),
  };
}

const KEYWORDS: readonly [number, RegExp][] = [
  [0.15, /\b(?:prove|theorem|derive|step by step|chain of thought|logic(?:al)?|deduce)\b/gi],
  [0.15, /\b(?:function|class|import|def|select|async|const|return|code|algorithm)\b|```/gi],
  [0.12, /\b(?:first|then|next|finally|step \d)\b/gi],
  [0.1, /\b(?:algorithm|optimi[sz]e|architecture|distributed|kubernetes|database|protocol)\b/gi],
  [0.1, /\b(?:at most|at least|within|no more than|maximum|minimum|must|constraint)\b/gi],
  [-0.12, /\b(?:what is|define|translate|hello|yes or no|capital of|who is|when did)\b/gi],
  [0.05, /\b(?:story|poem|creative|imagine|brainstorm)\b/gi],
  [0.05, /\b(?:quantum|genom|fpga|proteomics|homomorphic|enthalpy|jurisdiction)\w*/gi],
  [0.08, /\?/g],
];

/** A keyword router in the usual style: counts of nine kinds of words with fixed weights, length among them. */
export function keywordScore(prompt: string): number {
  let sum = prompt.length > 2000 ? 0.1 : prompt.length < 200 ? -0.1 : 0;
  for (const [weight, pattern] of KEYWORDS) {
    const hits = prompt.match(pattern)?.length ?? 0;
    sum += weight * Math.min(1, hits / 3);
  }
  return sum + prompt.length * 1e-6;
}

export const lengthScore = (prompt: string) => prompt.length;
