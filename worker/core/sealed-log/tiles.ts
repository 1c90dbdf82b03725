import { rootOf } from "./merkle.ts";
import type { Hash, ReadNode } from "./merkle.ts";

/** Hashes of a full tile, and leaves of a full entries tile (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;
const HASH_BYTES = 32;

/** A tile: `level` is in tiles, so that a hash of level 1 stands over 256 leaves. Width 256 is a full one. */
export interface Tile {
  level: number | "entries";
  index: number;
  width: number;
}

/** A tile's place, as tlog-tiles writes it: `tile/0/x001/234.p/7`. */
export function tilePath({ level, index, width }: Tile): string {
  const groups = String(index)
    .padStart(Math.ceil(String(index).length / 3) * 3, "0")
    .match(/.{3}/g) ?? ["000"];
  const digits = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group));
  const partial = width < TILE_WIDTH ? `.p/${width}` : "";
  return `tile/${level}/${digits.join("/")}${partial}`;
}

const TILE = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** Reads such a path; null for one that this form would not be written in. */
export function readTilePath(path: string): Tile | null {
  const [, level, digits = "", partial] = TILE.exec(path) ?? [];
  if (level === undefined) return null;
  const tile: Tile = {
    level: level === "entries" ? level : Number(level),
    index: Number(digits.replaceAll(/[x/]/g, "")),
    width: partial === undefined ? TILE_WIDTH : Number(partial),
  };
  return tilePath(tile) === path ? tile : null;
}

/** Every tile of a log of `size` leaves, with its last partial ones. */
export function tilesOf(size: number): Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0; TILE_WIDTH ** level <= size; level++) {
    const hashes = Math.floor(size / TILE_WIDTH ** level);
    const full = Math.floor(hashes / TILE_WIDTH);
    for (const kind of level === 0 ? ([0, "entries"] as const) : [level]) {
      for (let index = 0; index < full; index++)
        tiles.push({ level: kind, index, width: TILE_WIDTH });
      if (hashes % TILE_WIDTH > 0)
        tiles.push({ level: kind, index: full, width: hashes % TILE_WIDTH });
    }
  }
  return tiles;
}

/** Entries as tlog-tiles keeps them: each leaf after its length in two bytes. */
export function packEntries(leaves: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(leaves.reduce((sum, leaf) => sum + 2 + leaf.length, 0));
  let at = 0;
  for (const leaf of leaves) {
    if (leaf.length > 0xffff) throw new RangeError("A leaf has at most 65,535 bytes.");
    out[at] = leaf.length >> 8;
    out[at + 1] = leaf.length & 0xff;
    out.set(leaf, at + 2);
    at += 2 + leaf.length;
  }
  return out;
}

/** The leaves of an entries tile; null where lengths don't come out even. */
export function unpackEntries(bytes: Uint8Array): Uint8Array[] | null {
  const leaves: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const [high, low] = [bytes[at], bytes[at + 1]];
    if (high === undefined || low === undefined) return null;
    const end = at + 2 + high * 256 + low;
    if (end > bytes.length) return null;
    leaves.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return leaves;
}

/** Hashes in a row, as a tile of the tree holds them. */
export function packHashes(hashes: readonly Hash[]): Uint8Array {
  const out = new Uint8Array(hashes.length * HASH_BYTES);
  for (const [at, hash] of hashes.entries()) out.set(hash, at * HASH_BYTES);
  return out;
}

/** The hashes of such a tile. */
export function unpackHashes(bytes: Uint8Array): Hash[] {
  const hashes: Hash[] = [];
  for (let at = 0; at < bytes.length; at += HASH_BYTES)
    hashes.push(bytes.slice(at, at + HASH_BYTES));
  return hashes;
}

/**
 * The right border of a growing tree: of each level of tiles the hashes of its last tile, which is never full. All of
 * the tree's root and of its next tiles follows from it.
 */
export class Border {
  size: number;
  readonly levels: Hash[][];

  constructor(size = 0, levels: readonly (readonly Hash[])[] = []) {
    this.size = size;
    this.levels = levels.map((level) => [...level]);
  }

  /** Adds a leaf by its hash; returns the tiles that became full by it, lowest level first. */
  push(leaf: Hash): { tile: Tile; hashes: Hash[] }[] {
    const full: { tile: Tile; hashes: Hash[] }[] = [];
    this.size += 1;
    let hash = leaf;
    for (let level = 0; ; level++) {
      const tail = (this.levels[level] ??= []);
      tail.push(hash);
      if (tail.length < TILE_WIDTH) return full;
      const index = this.size / TILE_WIDTH ** (level + 1) - 1;
      full.push({ tile: { level, index, width: TILE_WIDTH }, hashes: tail });
      this.levels[level] = [];
      hash = rootOf(tail);
    }
  }

  /** The last tiles, as far as they hold anything. */
  partial(): { tile: Tile; hashes: Hash[] }[] {
    return this.levels.flatMap((hashes, level) => {
      const index = Math.floor(this.size / TILE_WIDTH ** (level + 1));
      const tile: Tile = { level, index, width: hashes.length };
      return hashes.length === 0 ? [] : [{ tile, hashes: [...hashes] }];
    });
  }

  root(): Hash {
    // A level's hashes count as one list with the root of what is right of them, if there is any.
    let right: Hash[] = [];
    for (const hashes of this.levels) {
      right = joined(hashes, right);
    }
    return rootOf(right);
  }
}

/** The complete subtrees of `hashes` and, as a last one that may be smaller, what is right of them. */
function joined(hashes: readonly Hash[], right: readonly Hash[]): Hash[] {
  if (right.length === 0) return [...hashes];
  const rest = rootOf(right);
  return [...hashes, rest];
}

/** Reads nodes out of tiles of a tree of `size` leaves; `fetch` gives a tile's bytes and rejects where there are none. */
export function tileNodes(size: number, fetch: (tile: Tile) => Promise<Uint8Array>): ReadNode {
  const kept = new Map<string, Promise<Hash[]>>();
  return async (level, index) => {
    const tileLevel = Math.floor(level / TILE_HEIGHT);
    const height = level % TILE_HEIGHT;
    const first = index * 2 ** height;
    const tileIndex = Math.floor(first / TILE_WIDTH);
    const there = Math.floor(size / TILE_WIDTH ** tileLevel);
    const width = Math.min(TILE_WIDTH, there - tileIndex * TILE_WIDTH);
    const tile: Tile = { level: tileLevel, index: tileIndex, width };
    const path = tilePath(tile);
    let hashes = kept.get(path);
    if (hashes === undefined) kept.set(path, (hashes = fetch(tile).then(unpackHashes)));
    const from = first % TILE_WIDTH;
    return rootOf((await hashes).slice(from, from + 2 ** height));
  };
}
