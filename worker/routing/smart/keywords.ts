import { FNV_START, step } from "./words.ts";

/**
 * Kinds of words that the usual keyword routers go by, each with its weight: up to three hits count. Single words and
 * pairs; question marks and fences are counted by the scan.
 */
export const KEYWORDS: readonly { weight: number; words: string; pairs?: string }[] = [
  { weight: 0.15, words: "prove theorem derive logic logical deduce", pairs: "by step,chain of" },
  {
    weight: 0.15,
    words: "function class import def select async const return code algorithm",
  },
  { weight: 0.12, words: "first then next finally" },
  {
    weight: 0.1,
    words: "algorithm optimize optimise architecture distributed kubernetes database protocol",
  },
  {
    weight: 0.1,
    words: "within maximum minimum must constraint",
    pairs: "at most,at least,more than",
  },
  {
    weight: -0.12,
    words: "define translate hello",
    pairs: "what is,yes or,capital of,who is,when did",
  },
  { weight: 0.05, words: "story poem creative imagine brainstorm" },
  { weight: 0.05, words: "quantum genome fpga proteomics homomorphic enthalpy jurisdiction" },
  { weight: 0.08, words: "" },
];
/** The kinds that fences and question marks belong to. */
export const FENCES = 1;
export const QUESTIONS = 8;

const hashOf = (word: string) => {
  let hash = FNV_START;
  for (let at = 0; at < word.length; at++) hash = step(hash, word.charCodeAt(at));
  return hash;
};

/** A hash of two words that follow each other. */
export const pairOf = (first: number, second: number) => Math.imul(first, 31) ^ second;

const kinds = new Map<number, number>();
for (const [kind, { words, pairs = "" }] of KEYWORDS.entries()) {
  const all = [...words.split(" "), ...pairs.split(",")].filter((each) => each !== "");
  for (const each of all) {
    const [first = "", second] = each.split(" ");
    const hash = second === undefined ? hashOf(first) : pairOf(hashOf(first), hashOf(second));
    kinds.set(hash, (kinds.get(hash) ?? 0) | (1 << kind));
  }
}

/** The kinds that a word, or a pair of words, belongs to, as bits in the order of `KEYWORDS`; 0 = none. */
export function kindsOf(hash: number): number {
  return kinds.get(hash) ?? 0;
}
