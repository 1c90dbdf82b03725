/** One linear head over the structural features, the task and, where it has them, the hashed words. */
export interface Head {
  bias: number;
  dense: Float32Array;
  categories: Float32Array;
  grams: Float32Array | null;
}

/** A head as it is stored: int8 weights in base64, each part with its scale. */
export interface StoredHead {
  bias: number;
  dense: Packed;
  categories: Packed;
  grams?: Packed;
}

export interface Packed {
  scale: number;
  int8: string;
}

/** What `scripts/smart/train.ts` writes. */
export interface StoredModel {
  version: string;
  means: readonly number[];
  scales: readonly number[];
  need: StoredHead;
  light: StoredHead;
  heavy: StoredHead;
  /** Which task a wording asks for: a row of weights a category, one after another. */
  tasks: Packed;
  /** From the raw need to a chance. */
  calibration: { slope: number; intercept: number };
  /** Need at which the next tier begins. */
  tiers: { light: number; standard: number; heavy: number };
  /** Need at every twentieth of the training prompts, from the least to the greatest. */
  ranks: readonly number[];
  /** Confidence from which the learned task is named, and from which it (or that it is mere talk) is believed as a rule is. */
  sure: { name: number; act: number; talk: number };
  /** Share of unknown words above which a prompt is unfamiliar. */
  unfamiliar: number;
  /** Bits of the hashes of known words, base64. */
  words: string;
}

function bytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
}

function unpack({ scale, int8 }: Packed): Float32Array {
  return Float32Array.from(new Int8Array(bytes(int8).buffer), (each) => each * scale);
}

function head(stored: StoredHead): Head {
  return {
    bias: stored.bias,
    dense: unpack(stored.dense),
    categories: unpack(stored.categories),
    grams: stored.grams === undefined ? null : unpack(stored.grams),
  };
}

/** Weights as they are used. */
export function unpackModel(stored: StoredModel) {
  return {
    version: stored.version,
    means: Float32Array.from(stored.means),
    scales: Float32Array.from(stored.scales),
    need: head(stored.need),
    light: head(stored.light),
    heavy: head(stored.heavy),
    tasks: unpack(stored.tasks),
    calibration: stored.calibration,
    tiers: stored.tiers,
    ranks: stored.ranks,
    sure: stored.sure,
    unfamiliar: stored.unfamiliar,
    words: bytes(stored.words),
  };
}

export type Model = ReturnType<typeof unpackModel>;

/** The two bits of a word's hash in a table of known words. */
export function wordBits(hash: number, bits: number): [number, number] {
  const first = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b) >>> 0;
  const second = Math.imul(hash ^ (hash >>> 13), 0x2c1b3c6d) >>> 0;
  return [first % bits, second % bits];
}

/** True for a word that the training data held (and for a few others: hashes collide). */
export function knowsWord({ words }: Model, hash: number): boolean {
  const [first, second] = wordBits(hash, words.length * 8);
  const holds = (bit: number) => ((words[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  return holds(first) && holds(second);
}
