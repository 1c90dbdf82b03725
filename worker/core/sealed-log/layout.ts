import canonicalize from "canonicalize";
import { toBase64 } from "../bytes.ts";
import { keyIdOf, readVerifierKey, verifierKey } from "./note.ts";
import type { NoteKey } from "./note.ts";
import { readTilePath, TILE_WIDTH, tilePath } from "./tiles.ts";
import type { Tile } from "./tiles.ts";

// Where the objects of a log lie, relative to its organization's place in the archive. All but the head are written once.

/** The newest checkpoint: the only object that is ever replaced. */
export const HEAD = "audit-head/checkpoint";
/** Everything that is written once, so that one rule of the bucket can lock it. */
export const FOLDER = "audit/";

export function tileName(tile: Tile): string {
  return FOLDER + tilePath(tile);
}

export function checkpointName(size: number): string {
  return `${FOLDER}checkpoints/${size}`;
}

export function segmentName({ first, last }: { first: number; last: number }): string {
  return `${FOLDER}segments/${first}-${last}.jsonl.gz`;
}

export function keyName(keyId: string): string {
  return `${FOLDER}keys/${keyId}.json`;
}

/** A compiled policy that records name, by the hash that they name it by. */
export function policyName(hash: string): string {
  return `${FOLDER}policies/${hash}`;
}

export function cosignatureName(size: number, keyId: string): string {
  return `${FOLDER}cosignatures/${size}/${keyId}`;
}

/** What the archive keeps of a public key; every part follows from the key itself. */
export function keyFile(key: NoteKey): string {
  return canonicalize({
    algorithm: "Ed25519",
    key_id: keyIdOf(key),
    name: key.name,
    public_key: toBase64(key.publicKey),
    verifier_key: verifierKey(key),
  }) as string;
}

/** The key that such a file holds; null unless every part of it follows from the key. */
export function readKeyFile(text: string): NoteKey | null {
  const key = readVerifierKey(/"verifier_key":"([^"]+)"/.exec(text)?.[1] ?? "");
  return key !== null && keyFile(key) === text ? key : null;
}

/** What an object of a log is, by its name. */
export type ObjectKind =
  | { kind: "head" }
  | { kind: "checkpoint"; size: number }
  | { kind: "segment"; first: number; last: number }
  | { kind: "tile"; tile: Tile }
  | { kind: "key"; keyId: string }
  | { kind: "policy"; hash: string }
  | { kind: "cosignature"; size: number; keyId: string };

const FORMS: readonly [RegExp, (parts: string[]) => ObjectKind][] = [
  [/^checkpoints\/([1-9]\d{0,15})$/, ([size]) => ({ kind: "checkpoint", size: Number(size) })],
  [
    /^segments\/([1-9]\d{0,15})-([1-9]\d{0,15})\.jsonl\.gz$/,
    ([first, last]) => ({ kind: "segment", first: Number(first), last: Number(last) }),
  ],
  [/^keys\/([0-9a-f]{8})\.json$/, ([keyId = ""]) => ({ kind: "key", keyId })],
  [/^policies\/([0-9a-f]{64})$/, ([hash = ""]) => ({ kind: "policy", hash })],
  [
    /^cosignatures\/([1-9]\d{0,15})\/([0-9a-f]{8})$/,
    ([size, keyId = ""]) => ({ kind: "cosignature", size: Number(size), keyId }),
  ],
];

/** Reads the name of an object; null for one that belongs to no log. */
export function kindOf(name: string): ObjectKind | null {
  if (name === HEAD) return { kind: "head" };
  if (!name.startsWith(FOLDER)) return null;
  const rest = name.slice(FOLDER.length);
  const tile = readTilePath(rest);
  if (tile !== null) return { kind: "tile", tile };
  for (const [form, make] of FORMS) {
    const parts = form.exec(rest);
    if (parts !== null) return make(parts.slice(1));
  }
  return null;
}

/** True for an object that is made by a log of more than `size` records: it is newer than that checkpoint. */
export function isBeyond(name: string, size: number): boolean {
  const known = kindOf(name);
  if (known?.kind === "checkpoint" || known?.kind === "cosignature") return known.size > size;
  if (known?.kind === "segment") return known.last > size;
  if (known?.kind !== "tile") return false;
  const { level, index, width } = known.tile;
  const leaves = level === "entries" ? 1 : TILE_WIDTH ** level;
  return (index * TILE_WIDTH + width) * leaves > size;
}
