// How a request is worded: what its first and last lines say and what shape stands between them. Where no rule names the
// task, the learned head reads this and nothing else.
import { AT_OPTIONS, DENSE_NAMES, FIRST_FIELD, type Features } from "./features.ts";
import { withoutCourtesies } from "./small-talk.ts";
import { FNV_START, step } from "./words.ts";

/** Buckets of the hashed words, pairs and shapes. */
export const WORDING_BUCKETS = 1 << 12;

/** Buckets and their values; the arrays belong to the latest call. */
export interface Wording {
  buckets: Uint16Array;
  values: Float32Array;
  count: number;
}

/** Instructions are told at the beginning of the first line or at the end of the last. */
const EACH = 200;
const SECOND = 80;
/** A line of more characters is material to work on. */
const MATERIAL = 180;
/** Characters at the beginning and the end in which figures and symbols are counted. */
const BEGINNING = 400;
const ENDING = 200;
/** Letters of the parts that words are cut into, which families of words and slips of the pen share. */
const PART = 3;
const CUT_FROM = 5;
const OF_WORDS = 2;
const OF_SHAPES = 1;
const FEWEST_WORDS = 6;

const TOKEN = /[a-z\u00c0-\u1fff\u3040-\ud7ff']+|\d+|[?:"{}=;+^$%<>()[\]*\\/_#|-]/g;
const QUOTE = /["“”«]|'[^']{6,}'/;

const MOST = 1024;
const buckets = new Uint16Array(MOST);
const values = new Float32Array(MOST);
const result: Wording = { buckets, values, count: 0 };

const hashOf = (text: string, from = FNV_START) => {
  let hash = from;
  for (let at = 0; at < text.length; at++) hash = step(hash, text.charCodeAt(at));
  return hash;
};
const OF_PARTS = hashOf("~");
const SHAPE = hashOf("#");
const NUMBER = hashOf("0");

/** Reads a prompt's window. `seen` is the scan of the same text. */
export function wordingOf(window: string, { dense }: Pick<Features, "dense">): Wording {
  result.count = 0;
  const text = window.trim();
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const first = lines[0] ?? "";
  const last = lines.at(-1) ?? "";
  const once = new Set<number>();
  addWords(withoutCourtesies(first.slice(0, EACH).toLowerCase()), "h", once);
  if (lines.length > 1 || first.length > EACH) {
    addWords(last.slice(-EACH).toLowerCase(), "t", once);
  }
  if (lines.length > 2) addWords((lines[1] ?? "").slice(0, SECOND).toLowerCase(), "m", once);
  const scale = OF_WORDS / Math.sqrt(Math.max(FEWEST_WORDS, result.count));
  for (let at = 0; at < result.count; at++) values[at] = scale;

  const ends = text.slice(0, BEGINNING) + text.slice(-ENDING);
  const material = lines.some((line) => line.length > MATERIAL);
  const log = (count: number, most: number) => Math.min(most, Math.round(Math.log2(1 + count)));
  addShape("bias");
  addShape(`length${log(text.length, 12)}`);
  addShape(`lines${Math.min(6, Math.round(1.5 * Math.log2(1 + lines.length)))}`);
  addShape(`material${material}`);
  addShape(`asked last${text.endsWith("?")}${material}`);
  addShape(`asked first${first.endsWith("?")}${material}`);
  addShape(`announced${first.endsWith(":")}${material}`);
  addShape(`numbers${Math.min(4, count(ends, /\d+/g))}`);
  addShape(`code${log(count(ends, /[{};=<>_`]|\(\)|->|=>/g), 5)}`);
  addShape(`sums${log(count(ends, /[\^=+*]|\d\s*[-/x]\s*\d/g), 3)}`);
  addShape(`options${Math.min(4, Math.round(5 * (dense[AT_OPTIONS] ?? 0)))}`);
  addShape(`quoted${QUOTE.test(ends)}`);
  addShape(`other script${/[^\0-\u024f]/.test(ends)}`);
  for (let at = FIRST_FIELD; at < dense.length; at++) {
    const share = dense[at] ?? 0;
    if (share > 0) addShape(`field ${DENSE_NAMES[at]}`, 2 * Math.min(1, share));
  }
  return result;
}

/** Each word, pair of words and part of a word once; what begins and ends the line, too. */
function addWords(line: string, place: string, once: Set<number>): void {
  const addOnce = (hash: number) => {
    if (once.has(hash)) return;
    once.add(hash);
    add(hash, 1);
  };
  let previous = hashOf(`${place}^`);
  for (const [token] of line.matchAll(TOKEN)) {
    const word = token.replaceAll("'", "");
    const hash = /^\d/.test(word) ? NUMBER : hashOf(word);
    addOnce(hash);
    addOnce(Math.imul(previous, 31) ^ hash);
    if (word.length >= CUT_FROM) {
      for (let at = 0; at + PART <= word.length; at++) {
        addOnce(hashOf(word.slice(at, at + PART), OF_PARTS));
      }
    }
    previous = hash;
  }
  add(Math.imul(previous, 31) ^ hashOf(`${place}$`), 1);
}

function addShape(name: string, value = 1): void {
  add(hashOf(name, SHAPE), OF_SHAPES * value);
}

function add(hash: number, value: number): void {
  if (result.count >= MOST) return;
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  buckets[result.count] = (mixed ^ (mixed >>> 13)) & (WORDING_BUCKETS - 1);
  values[result.count++] = value;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
