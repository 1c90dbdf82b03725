import { FENCES, kindsOf, KEYWORDS, pairOf, QUESTIONS } from "./keywords.ts";
import { FIELD_NAMES } from "./lexicon.ts";
import {
  fieldsOfStem,
  fieldsOfWord,
  FNV_START,
  isWordCode,
  LONGEST_STEM,
  SHORTEST_STEM,
  step,
} from "./words.ts";

/** Characters read at each end of a prompt: questions stand at the end, instructions at either. */
export const WINDOW = 2048;
/** Buckets of the hashed words and word pairs. */
export const BUCKETS = 1 << 12;
const MOST_GRAMS = 2048;

/** Names of the structural features, in the order of `Features.dense`. Fields of the lexicon follow them. */
const STRUCTURE = [
  "bias",
  "length",
  "lengthSquared",
  "words",
  "lines",
  "wordLength",
  "longWords",
  "numbers",
  "numberShare",
  "maths",
  "latex",
  "symbols",
  "code",
  "fence",
  "questions",
  "sentences",
  "sentenceLength",
  "options",
  "optionLength",
  "numericOptions",
  "blanks",
  "quotes",
  "parentheses",
  "commas",
  "otherScript",
  "variety",
  "stemLength",
] as const;

export const DENSE_NAMES: readonly string[] = [...STRUCTURE, ...FIELD_NAMES];
export const DENSE = DENSE_NAMES.length;
export const FIRST_FIELD = STRUCTURE.length;

export const AT_LENGTH = STRUCTURE.indexOf("length");
export const AT_OPTIONS = STRUCTURE.indexOf("options");

/** What one prompt looks like. The arrays belong to the one scan in progress: read them before the next one. */
export interface Features {
  dense: Float32Array;
  /** Buckets of the prompt's words and pairs, each once, and how many there are. */
  buckets: Uint16Array;
  weights: Float32Array;
  grams: number;
  /** Hashes of the prompt's different words, and how many there are. */
  vocabulary: Int32Array;
  different: number;
  /** Hits of each kind of keyword. */
  keywords: Uint16Array;
  /** Letters, and those of them beyond the Latin script. */
  letters: number;
  distant: number;
}

const dense = new Float32Array(DENSE);
const buckets = new Uint16Array(MOST_GRAMS);
const weights = new Float32Array(MOST_GRAMS);
const vocabulary = new Int32Array(MOST_GRAMS);
const counts = new Uint16Array(BUCKETS);
const fields = new Uint16Array(FIELD_NAMES.length);
const keywords = new Uint16Array(KEYWORDS.length);
const stems = new Int32Array(LONGEST_STEM + 1);
const result: Features = {
  dense,
  buckets,
  weights,
  grams: 0,
  vocabulary,
  different: 0,
  letters: 0,
  distant: 0,
  keywords,
};

/** Letters, digits and everything else, by code unit below 128. */
const LETTER = 1;
const DIGIT = 2;
const kinds = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90)) kinds[code] = LETTER;
  else if (code >= 48 && code <= 57) kinds[code] = DIGIT;
}

/** The part of a prompt that is read: all of it, or its two ends. */
export function windowOf(prompt: string, each = WINDOW): string {
  return prompt.length <= 2 * each ? prompt : `${prompt.slice(0, each)}\n${prompt.slice(-each)}`;
}

/**
 * One pass over a prompt. Letter case is not looked at, and labels of answer options ("A.", "(b)", "3)") count as
 * options and as nothing else, so that neither changes what is seen. `fullLength` is that of the whole prompt.
 */
export function scan(text: string, fullLength: number): Features {
  dense.fill(0);
  fields.fill(0);
  keywords.fill(0);
  let grams = 0;
  let words = 0;
  let letters = 0;
  let long = 0;
  let numbers = 0;
  let digits = 0;
  let maths = 0;
  let latex = 0;
  let symbols = 0;
  let code = 0;
  let fences = 0;
  let questions = 0;
  let sentences = 0;
  let blanks = 0;
  let quotes = 0;
  let parentheses = 0;
  let commas = 0;
  let other = 0;
  let distant = 0;
  let lines = 1;
  let options = 0;
  let optionLetters = 0;
  let numericOptions = 0;
  let stemEnd = 0;
  let fresh = 0;

  let previous = 0;
  let lineStart = true;
  let inOption = false;
  let optionStart = 0;
  let optionDigits = 0;
  const end = text.length;
  let at = 0;
  while (at < end) {
    const first = text.charCodeAt(at);
    if (lineStart && first !== 32) {
      const label = labelEnd(text, at);
      if (label > 0) {
        if (options === 0) stemEnd = at;
        options++;
        inOption = true;
        at = label;
        optionStart = at;
        optionDigits = 0;
        lineStart = false;
        previous = 0;
        continue;
      }
    }
    const kind = first < 128 ? (kinds[first] ?? 0) : isWordCode(first) ? LETTER : 0;
    if (kind === LETTER) {
      lineStart = false;
      const start = at;
      let hash = FNV_START;
      let length = 0;
      let each = first;
      for (;;) {
        const lower = each >= 65 && each <= 90 ? each + 32 : each;
        hash = step(hash, lower);
        length++;
        if (length <= LONGEST_STEM) stems[length] = hash;
        if (each >= 128) {
          other++;
          if (each >= 0x370 && (each < 0x1e00 || each > 0x1eff)) distant++;
        }
        at++;
        if (at >= end) break;
        each = text.charCodeAt(at);
        if (each < 128 ? (kinds[each] ?? 0) !== LETTER : !isWordCode(each)) break;
      }
      words++;
      letters += length;
      if (length >= 8) long++;
      let mask = fieldsOfWord(hash);
      for (let size = SHORTEST_STEM; size <= LONGEST_STEM && size <= length; size++) {
        mask |= fieldsOfStem(stems[size] ?? 0);
      }
      while (mask !== 0) {
        const bit = 31 - Math.clz32(mask & -mask);
        fields[bit] = (fields[bit] ?? 0) + 1;
        mask &= mask - 1;
      }
      if (start > 0 && text.charCodeAt(start - 1) === 92) latex++;
      const pair = previous === 0 ? 0 : pairOf(previous, hash);
      let hits = kindsOf(hash) | (previous === 0 ? 0 : kindsOf(pair));
      while (hits !== 0) {
        const kind = 31 - Math.clz32(hits & -hits);
        keywords[kind] = (keywords[kind] ?? 0) + 1;
        hits &= hits - 1;
      }
      if (grams < MOST_GRAMS - 2) {
        const bucket = bucketOf(hash);
        if (counts[bucket] === 0) {
          buckets[grams++] = bucket;
          vocabulary[fresh++] = hash;
        }
        counts[bucket] = (counts[bucket] ?? 0) + 1;
        if (previous !== 0) {
          const both = bucketOf(pair);
          if (counts[both] === 0) buckets[grams++] = both;
          counts[both] = (counts[both] ?? 0) + 1;
        }
      }
      previous = hash;
      continue;
    }
    if (kind === DIGIT) {
      lineStart = false;
      numbers++;
      while (at < end && (kinds[text.charCodeAt(at)] ?? 0) === DIGIT) {
        digits++;
        at++;
      }
      if (inOption) optionDigits++;
      previous = 0;
      continue;
    }
    at++;
    switch (first) {
      case 10:
        lines++;
        if (inOption) {
          optionLetters += at - optionStart;
          if (optionDigits > 0) numericOptions++;
          inOption = false;
        }
        lineStart = true;
        previous = 0;
        break;
      case 32:
      case 9:
      case 13:
        break;
      case 63:
        questions++;
        sentences++;
        previous = 0;
        break;
      case 46:
      case 33:
        sentences++;
        previous = 0;
        break;
      case 44:
        commas++;
        break;
      case 34:
      case 0x201c:
      case 0x201d:
        quotes++;
        break;
      case 40:
        parentheses++;
        break;
      case 43:
      case 61:
      case 94:
      case 42:
      case 47:
      case 60:
      case 62:
      case 0xd7:
      case 0xf7:
      case 0x2212:
      case 0x2264:
      case 0x2265:
        maths++;
        break;
      case 36:
      case 92:
        latex++;
        break;
      case 123:
      case 125:
      case 91:
      case 93:
      case 59:
        code++;
        break;
      case 95:
        if (text.charCodeAt(at) === 95) blanks++;
        break;
      case 96:
        if (text.charCodeAt(at) === 96) fences++;
        break;
      default:
        if (first >= 128) symbols++;
        break;
    }
    if (first !== 32 && first !== 10 && first !== 9 && first !== 13) lineStart = false;
  }
  if (inOption) {
    optionLetters += end - optionStart;
    if (optionDigits > 0) numericOptions++;
  }

  let norm = 0;
  for (let index = 0; index < grams; index++) {
    const bucket = buckets[index] ?? 0;
    const weight = Math.log1p(counts[bucket] ?? 0);
    counts[bucket] = 0;
    weights[index] = weight;
    norm += weight * weight;
  }
  const scale = norm > 0 ? 1 / Math.sqrt(norm) : 0;
  for (let index = 0; index < grams; index++) weights[index] = (weights[index] ?? 0) * scale;
  keywords[QUESTIONS] = questions;
  keywords[FENCES] = (keywords[FENCES] ?? 0) + Math.ceil(fences / 2);
  result.grams = grams;
  result.different = fresh;
  result.letters = letters;
  result.distant = distant;

  const size = Math.log2(1 + fullLength) / 8;
  const per = 1 / Math.max(8, words);
  const values = [
    1,
    size,
    size * size,
    Math.log2(1 + words) / 8,
    Math.log2(lines) / 4,
    words > 0 ? letters / words / 5 : 0,
    long * per * 4,
    Math.log2(1 + numbers) / 4,
    (digits / Math.max(20, text.length)) * 10,
    Math.log2(1 + maths) / 4,
    Math.log2(1 + latex) / 4,
    Math.log2(1 + symbols) / 4,
    Math.log2(1 + code) / 4,
    fences > 0 ? 1 : 0,
    Math.min(3, questions) / 3,
    Math.log2(1 + sentences) / 4,
    Math.min(60, words / Math.max(1, sentences)) / 30,
    Math.min(10, options) / 5,
    options > 0 ? Math.log2(1 + optionLetters / options) / 6 : 0,
    options > 0 ? numericOptions / options : 0,
    Math.min(2, blanks),
    Math.log2(1 + quotes) / 4,
    Math.log2(1 + parentheses) / 4,
    commas * per * 8,
    (other * 4) / Math.max(20, text.length),
    words > 0 ? fresh / words : 0,
    options > 0 ? Math.log2(1 + stemEnd) / 8 : size,
  ];
  dense.set(values);
  for (let bit = 0; bit < FIELD_NAMES.length; bit++) {
    dense[FIRST_FIELD + bit] = Math.sqrt((fields[bit] ?? 0) * per) * 2;
  }
  return result;
}

function bucketOf(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) & (BUCKETS - 1);
}

/** The place behind an option's label at the start of a line (`A.`, `b)`, `(3)`, `iv.`), 0 where there is none. */
function labelEnd(text: string, from: number): number {
  let at = from;
  const open = text.charCodeAt(at) === 40;
  if (open) at++;
  const start = at;
  while (at - start < 4) {
    const code = text.charCodeAt(at);
    if (!(code < 128 && (kinds[code] ?? 0) !== 0)) break;
    at++;
  }
  const length = at - start;
  if (length === 0 || length > 3) return 0;
  if (length > 1 && !/^(?:\d{1,2}|[ivx]{2,3})$/i.test(text.slice(start, at))) return 0;
  const close = text.charCodeAt(at);
  if (close !== 41 && (open || (close !== 46 && close !== 58))) return 0;
  const after = text.charCodeAt(at + 1);
  return after === 32 || after === 9 ? at + 2 : 0;
}
