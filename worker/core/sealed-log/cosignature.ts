import { isSignedBy, readNote } from "./note.ts";
import type { NoteKey } from "./note.ts";

// A witness looks at checkpoints of many logs and signs each that goes on with the one it signed before (C2SP
// tlog-cosignature, v1). What the archive keeps of it is its one signature line, beside the checkpoint.

/**
 * The time at which a witness saw a checkpoint, in Unix milliseconds, by the line with which it says so; null for
 * anything but exactly one right line of this key. `body` is the checkpoint's text without signatures.
 */
export async function readCosignature(
  body: string,
  line: string,
  key: NoteKey,
): Promise<number | null> {
  const note = readNote(`${body}\n${line}`);
  const [signature, ...more] = note?.signatures ?? [];
  if (note?.body !== body || signature === undefined || more.length > 0) return null;
  if (key.kind !== "witness" || !(await isSignedBy(note, key))) return null;
  const { buffer, byteOffset } = signature.bytes;
  const at = Number(new DataView(buffer, byteOffset).getBigUint64(0)) * 1_000;
  return Number.isSafeInteger(at) ? at : null;
}

/** The signature lines of what a witness answers, or of a whole cosigned checkpoint; null where there are none. */
export function cosignatureLines(text: string): string[] | null {
  const end = text.lastIndexOf("\n\n");
  const lines = text.slice(end < 0 ? 0 : end + 2).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.length > 0 && lines.every((line) => line.startsWith("— "))
    ? lines.map((line) => `${line}\n`)
    : null;
}
