import { createHash } from "node:crypto";
import { sha256 } from "../bytes.ts";

/** 32 bytes of SHA-256. */
export type Hash = Uint8Array;

/** The tree is hashed as RFC 6962 section 2.1 says: leaves and nodes can't be taken for each other. */
export function leafHash(leaf: Uint8Array): Hash {
  return new Uint8Array(createHash("sha256").update(LEAF).update(leaf).digest());
}

/** The hash of an inner node. */
export function nodeHash(left: Hash, right: Hash): Hash {
  return new Uint8Array(createHash("sha256").update(NODE).update(left).update(right).digest());
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The root of the tree that has no leaves. */
export const EMPTY_ROOT: Hash = sha256("");

/** True for the same bytes; for what is public, since it takes longer the more are alike. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** The root over hashes of subtrees that are complete and of one size, in order. */
export function rootOf(hashes: readonly Hash[]): Hash {
  const [first] = hashes;
  if (first === undefined) return EMPTY_ROOT;
  if (hashes.length === 1) return first;
  const split = largestPowerBelow(hashes.length);
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

/** The largest power of two that is smaller than a count of two or more. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

/** The hash of the complete subtree over leaves `index * 2**level` to `(index + 1) * 2**level - 1`. */
export type ReadNode = (level: number, index: number) => Promise<Hash>;

/** The root over leaves `from` to `to` (exclusive), where `from` is where such a subtree may begin. */
async function rangeRoot(read: ReadNode, from: number, to: number): Promise<Hash> {
  const count = to - from;
  const level = Math.log2(count);
  if (Number.isInteger(level)) return read(level, from / count);
  const split = from + largestPowerBelow(count);
  const [left, right] = [await rangeRoot(read, from, split), await rangeRoot(read, split, to)];
  return nodeHash(left, right);
}

/** The audit path of one leaf (counted from 0) in the tree of `size` leaves, from the leaf upwards. */
export async function inclusionProof(read: ReadNode, index: number, size: number): Promise<Hash[]> {
  const path: Hash[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const split = from + largestPowerBelow(to - from);
    if (index < split) {
      path.push(await rangeRoot(read, split, to));
      to = split;
    } else {
      path.push(await rangeRoot(read, from, split));
      from = split;
    }
  }
  return path.toReversed();
}

/** Proves that the tree of `older` leaves is the beginning of the tree of `size` leaves. */
export async function consistencyProof(
  read: ReadNode,
  older: number,
  size: number,
): Promise<Hash[]> {
  if (older === 0 || older === size) return [];
  const path: Hash[] = [];
  let [from, to] = [0, size];
  let whole = true;
  // Down to the subtree that ends where the older tree ended.
  while (older !== to) {
    const split = from + largestPowerBelow(to - from);
    if (older <= split) {
      path.push(await rangeRoot(read, split, to));
      to = split;
    } else {
      path.push(await rangeRoot(read, from, split));
      from = split;
      whole = false;
    }
  }
  if (!whole) path.push(await rangeRoot(read, from, to));
  return path.toReversed();
}

/** Checks an audit path (RFC 9162 section 2.1.3.2). */
export function provesInclusion(
  leaf: Hash,
  index: number,
  size: number,
  proof: readonly Hash[],
  root: Hash,
): boolean {
  if (!isPlace(index) || !isPlace(size) || index >= size) return false;
  let [at, last] = [BigInt(index), BigInt(size - 1)];
  let hash = leaf;
  for (const other of proof) {
    if (last === 0n) return false;
    if (at % 2n === 1n || at === last) {
      hash = nodeHash(other, hash);
      while (at % 2n === 0n && at !== 0n) {
        at /= 2n;
        last /= 2n;
      }
    } else hash = nodeHash(hash, other);
    at /= 2n;
    last /= 2n;
  }
  return last === 0n && sameBytes(hash, root);
}

/** Checks a consistency proof (RFC 9162 section 2.1.4.2). */
export function provesConsistency(
  older: number,
  size: number,
  proof: readonly Hash[],
  olderRoot: Hash,
  root: Hash,
): boolean {
  if (!isPlace(older) || !isPlace(size) || older > size) return false;
  if (older === size) return proof.length === 0 && sameBytes(olderRoot, root);
  if (older === 0) return proof.length === 0 && sameBytes(olderRoot, EMPTY_ROOT);
  const path = isPower(older) ? [olderRoot, ...proof] : [...proof];
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [at, last] = [BigInt(older - 1), BigInt(size - 1)];
  while (at % 2n === 1n) {
    at /= 2n;
    last /= 2n;
  }
  let [before, after] = [first, first];
  for (const other of rest) {
    if (last === 0n) return false;
    if (at % 2n === 1n || at === last) {
      before = nodeHash(other, before);
      after = nodeHash(other, after);
      while (at % 2n === 0n && at !== 0n) {
        at /= 2n;
        last /= 2n;
      }
    } else after = nodeHash(after, other);
    at /= 2n;
    last /= 2n;
  }
  return last === 0n && sameBytes(before, olderRoot) && sameBytes(after, root);
}

function isPlace(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isPower(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}
