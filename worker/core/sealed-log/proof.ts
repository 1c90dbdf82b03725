import { fromBase64, toBase64 } from "../bytes.ts";
import { readCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readLeaf, recordHash } from "./leaf.ts";
import type { Leaf } from "./leaf.ts";
import { leafHash, provesInclusion, sameBytes } from "./merkle.ts";
import type { Hash } from "./merkle.ts";
import { isSignedBy } from "./note.ts";
import type { NoteKey } from "./note.ts";

const FIRST_LINE = "c2sp.org/tlog-proof@v1";

/** A proof as one text (C2SP tlog-proof); its extra line holds the leaf, from which the record's hash is read. */
export function proofText(
  leaf: string,
  index: number,
  path: readonly Hash[],
  checkpoint: string,
): string {
  const extra = toBase64(new TextEncoder().encode(leaf));
  const lines = [FIRST_LINE, `extra ${extra}`, `index ${index}`, ...path.map(toBase64)];
  return `${lines.join("\n")}\n\n${checkpoint}`;
}

export interface ReadProof {
  leaf: Leaf;
  checkpoint: Checkpoint;
}

/**
 * Checks such a proof, with the record's canonical text where there is one. Returns what it proves, or what is wrong.
 */
export async function checkProof(
  text: string,
  record: string | null,
  keys: readonly NoteKey[],
): Promise<ReadProof | { wrong: string }> {
  const end = text.indexOf("\n\n");
  const [first, extra, place, ...hashes] = text.slice(0, Math.max(end, 0)).split("\n");
  const leafBytes = fromBase64(/^extra (\S+)$/.exec(extra ?? "")?.[1] ?? "");
  const index = Number(/^index (0|[1-9]\d{0,15})$/.exec(place ?? "")?.[1] ?? Number.NaN);
  const leaf = leafBytes && readLeaf(leafBytes);
  const path = hashes.map(fromBase64);
  if (
    first !== FIRST_LINE ||
    !leaf ||
    Number.isNaN(index) ||
    path.some((each) => each?.length !== 32)
  )
    return { wrong: "this is no proof of a record" };
  const signed = readCheckpoint(text.slice(end + 2));
  if (signed === null) return { wrong: "its checkpoint is not well formed" };
  const { checkpoint, note } = signed;
  const signatures = await Promise.all(keys.map((key) => isSignedBy(note, key)));
  if (!signatures.includes(true)) return { wrong: "no key that you trust signed its checkpoint" };
  if (leaf.sequence !== index + 1) return { wrong: "its leaf names another place" };
  const hash = leafHash(leafBytes);
  if (!provesInclusion(hash, index, checkpoint.size, path as Hash[], checkpoint.root))
    return { wrong: "its hashes do not lead to the root that is signed" };
  if (record !== null && !sameBytes(recordHash(record), leaf.recordHash))
    return { wrong: "the record is not the one that was sealed" };
  return { leaf, checkpoint };
}
