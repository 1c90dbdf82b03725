import type { Checkpoint } from "./checkpoint.ts";
import type { NoteKey } from "./note.ts";

/** Where a verifier reads from: a folder, a bucket, a gateway. Names are relative to the organization's part. */
export interface LogObjects {
  names: () => Promise<string[]>;
  get: (name: string) => Promise<Uint8Array | null>;
}

/** What a verification goes by besides the log itself. */
export interface VerifyOptions {
  /** Keys that are trusted from elsewhere; without any the log's first one is taken on trust. */
  trusted?: readonly NoteKey[];
  /** Witnesses that the log has to be cosigned by. */
  witnesses?: readonly NoteKey[];
  /** A checkpoint that was kept elsewhere. */
  since?: Checkpoint;
  progress?: (done: number, total: number) => void;
}

/** Something that is wrong, and where. */
export interface Fault {
  object: string;
  sequence?: number;
  says: string;
}

/** What a verification found. */
export interface Report {
  origin: string | null;
  /** Records that the newest checkpoint covers. */
  size: number;
  /** The newest checkpoint, signed. */
  head: string | null;
  /** Its root, in base64, and when it was signed, in Unix milliseconds. */
  root: string | null;
  at: number | null;
  checkpoints: number;
  /** Records whose text was there and was compared. */
  records: number;
  /** Records whose text retention dropped; their hashes were checked. */
  expired: number;
  keys: KeyOfLog[];
  /** Who has cosigned checkpoints of it, and the greatest of them. */
  witnesses: Witnessed[];
  faults: Fault[];
  /** What this run can't exclude. */
  limits: string[];
}

/** A key that was trusted, and what it signed. */
export interface KeyOfLog {
  keyId: string;
  trustedBy: "you" | "the log";
  /** Sizes of the first and the last checkpoint that it signed; null where it signed none. */
  from: number | null;
  to: number | null;
  /** The log says that it counts no more. */
  retired: boolean;
}

/** The greatest checkpoint that a witness has cosigned. */
export interface Witnessed {
  name: string;
  keyId: string;
  trustedBy: "you" | "nobody";
  size: number;
  /** Unix milliseconds at which the witness saw it. */
  at: number;
}

/** What can't be said of a log that was found sound. */
export function limitsOf(
  { keys, vouchedAt }: { keys: readonly KeyOfLog[]; vouchedAt: number | null },
  witnesses: readonly Witnessed[],
  withSince: boolean,
): string[] {
  const limits: string[] = [];
  const seen = witnesses.filter(({ trustedBy }) => trustedBy === "you");
  const [last] = seen.toSorted((a, b) => b.size - a.size);
  if (!withSince && last !== undefined)
    limits.push(
      `Up to record ${last.size} ${last.name} vouches that it saw no other history of this log. Without a checkpoint that was kept elsewhere (--since) it can't be excluded that the log was cut off behind its head, or rewritten after that record by the holder of the signing key.`,
    );
  else if (!withSince)
    limits.push(
      "Without a checkpoint that was kept elsewhere (--since) it can't be excluded that the log was cut off behind its head, or rewritten by the holder of the signing key.",
    );
  if (!keys.some(({ trustedBy }) => trustedBy === "you"))
    limits.push(
      "The signing key was taken from the log itself (--trust names one from elsewhere): somebody else's log would be found sound too.",
    );
  if (vouchedAt !== null)
    limits.push(
      `The key that you trust has signed from record ${vouchedAt} on, and by that all that came before: but when, and by whom it was sealed, is what the log says of itself.`,
    );
  return limits;
}
