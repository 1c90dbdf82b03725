import { FIELD_NAMES, FIELDS } from "./lexicon.ts";

/** FNV-1a, one character at a time: `hash = step(hash, code)` from `FNV_START`. */
export const FNV_START = 0x811c9dc5 | 0;
export function step(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

/** Stems have between these many letters. */
export const SHORTEST_STEM = 4;
export const LONGEST_STEM = 8;

const SIZE = 1 << 12;
const keys = new Int32Array(SIZE);
const masks = new Int32Array(SIZE);
const STEM_SALT = 0x5bd1e995 | 0;

for (const [bit, name] of FIELD_NAMES.entries()) {
  for (const entry of FIELDS[name].split(/\s+/)) {
    const stem = entry.endsWith("*");
    const letters = (stem ? entry.slice(0, -1) : entry).slice(0, stem ? LONGEST_STEM : 64);
    let hash = FNV_START;
    for (let at = 0; at < letters.length; at++) hash = step(hash, letters.charCodeAt(at));
    put(stem && letters.length >= SHORTEST_STEM ? hash ^ STEM_SALT : hash, 1 << bit);
  }
}

/** The fields that a whole word of this hash stands in, as bits in the order of `FIELD_NAMES`. */
export function fieldsOfWord(hash: number): number {
  return find(hash);
}

/** The fields of a stem of 4 to 8 letters. */
export function fieldsOfStem(hash: number): number {
  return find(hash ^ STEM_SALT);
}

function slotOf(key: number): number {
  return (key ^ (key >>> 15)) & (SIZE - 1);
}

function put(hash: number, mask: number): void {
  const key = hash === 0 ? 1 : hash;
  let slot = slotOf(key);
  while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & (SIZE - 1);
  keys[slot] = key;
  masks[slot] = (masks[slot] ?? 0) | mask;
}

function find(hash: number): number {
  const key = hash === 0 ? 1 : hash;
  let slot = slotOf(key);
  for (;;) {
    const there = keys[slot];
    if (there === key) return masks[slot] ?? 0;
    if (there === 0) return 0;
    slot = (slot + 1) & (SIZE - 1);
  }
}

/** Letters beyond ASCII: everything but punctuation, symbols and spaces of the common blocks. */
export function isWordCode(code: number): boolean {
  return (
    code >= 0xc0 &&
    code !== 0xd7 &&
    code !== 0xf7 &&
    !(code >= 0x2000 && code <= 0x2bff) &&
    !(code >= 0x3000 && code <= 0x303f) &&
    !(code >= 0xff00 && code <= 0xff0f)
  );
}
