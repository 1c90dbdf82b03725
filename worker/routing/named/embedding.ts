import { FNV_START, step } from "../smart/words.ts";

/** A text as weights of hashed features; of length 1 unless it has no words. */
export type Embedding = ReadonlyMap<number, number>;

/** Words that tell nothing of what is asked. */
const EMPTY = new Set(
  "a an and are as at be but by can could do does for from get give had has have how i if in into is it its just let like may me my no not of on or our please she should so some such tell than that the their them then there these they this those to us want was we were what when which who why will with would you your".split(
    " ",
  ),
);
/** Share of a word's pieces, and of two words in a row, beside the whole word. */
const PIECE = 0.35;
const PAIR = 0.5;
const PIECE_LENGTH = 4;
const MOST_WORDS = 400;

/** The words that tell something, lower case, in order. */
export function wordsOf(text: string): string[] {
  const all = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return all
    .slice(0, MOST_WORDS)
    .map(plainForm)
    .filter((word) => !EMPTY.has(word));
}

/** English endings taken off, so that "translating" and "translate" meet. */
function plainForm(word: string): string {
  if (word.length < 5) return word.length === 4 && /[^s]s$/.test(word) ? word.slice(0, -1) : word;
  return word.replace(/(?:ations?|ings?|ers?|ies|ed|es|e|s|y)$/, "");
}

/**
 * A text's place by its words, their beginnings and ends, and their pairs, hashed: near texts share words or parts of
 * words. Nothing is called and nothing learned; texts that mean the same in other words are not near.
 */
export function embed(text: string, rarity: (feature: number) => number = () => 1): Embedding {
  const counts = new Map<number, number>();
  const add = (feature: string, weight: number) => {
    const hash = hashOf(feature);
    counts.set(hash, Math.max(counts.get(hash) ?? 0, weight * rarity(hash)));
  };
  let before: string | null = null;
  for (const word of wordsOf(text)) {
    add(word, 1);
    if (word.length > PIECE_LENGTH) {
      add(`^${word.slice(0, PIECE_LENGTH)}`, PIECE);
      add(`${word.slice(-PIECE_LENGTH)}$`, PIECE);
    }
    if (before !== null) add(`${before} ${word}`, PAIR);
    before = word;
  }
  const length = Math.sqrt([...counts.values()].reduce((sum, each) => sum + each * each, 0));
  if (length > 0) for (const [feature, weight] of counts) counts.set(feature, weight / length);
  return counts;
}

function hashOf(text: string): number {
  let hash = FNV_START;
  for (let at = 0; at < text.length; at++) hash = step(hash, text.charCodeAt(at));
  return hash;
}
