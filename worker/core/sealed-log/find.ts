import { readCheckpoint } from "./checkpoint.ts";
import { HEAD, tileName } from "./layout.ts";
import { readLeaf } from "./leaf.ts";
import { inclusionProof } from "./merkle.ts";
import { proofText } from "./proof.ts";
import type { LogObjects } from "./report.ts";
import { TILE_WIDTH, tileNodes, unpackEntries } from "./tiles.ts";
import type { Tile } from "./tiles.ts";

/** Reads a tile; where a partial one is gone, the full one begins with the same. */
export function tileReader(objects: Pick<LogObjects, "get">): (tile: Tile) => Promise<Uint8Array> {
  return async (tile) => {
    const full = { ...tile, width: TILE_WIDTH };
    const bytes = (await objects.get(tileName(tile))) ?? (await objects.get(tileName(full)));
    if (bytes === null) throw new Error(`${tileName(tile)} is missing.`);
    return bytes;
  };
}

/**
 * The proof of one event out of a log's objects alone, as a C2SP tlog-proof; null where the log does not have it.
 * Throws where the head or a tile that it takes is missing.
 */
export async function proofFrom(
  objects: Pick<LogObjects, "get">,
  eventId: string,
): Promise<{ sequence: number; proof: string } | null> {
  const head = await objects.get(HEAD);
  const text = new TextDecoder().decode(head ?? new Uint8Array());
  const signed = readCheckpoint(text);
  if (signed === null) throw new Error(`${HEAD} is missing or not well formed.`);
  const { size } = signed.checkpoint;
  const read = tileReader(objects);
  for (let from = 0; from < size; from += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - from);
    const leaves = unpackEntries(await read({ level: "entries", index: from / TILE_WIDTH, width }));
    for (const [at, bytes] of (leaves ?? []).slice(0, width).entries()) {
      if (readLeaf(bytes)?.eventId !== eventId) continue;
      const path = await inclusionProof(tileNodes(size, read), from + at, size);
      const leaf = new TextDecoder().decode(bytes);
      return { sequence: from + at + 1, proof: proofText(leaf, from + at, path, text) };
    }
  }
  return null;
}
