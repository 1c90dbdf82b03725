import { firstEventId } from "../worker/core/audit-record.ts";
import type { AuditRecord } from "../worker/core/audit.ts";
import { DAY_MS } from "../worker/core/time.ts";

// Why a log is not sealed until somebody does something about it. Records are taken meanwhile.

/** The archive and the object's own state are not of the same history. */
export class ArchiveAhead extends Error {
  override name = "ArchiveAhead";

  constructor(archived: number, known: number) {
    super(
      `The archive's head is of ${archived} records, this log's own state of ${known}: one of them was put back to an earlier day. To seal on would sign a second history. docs/audit.md, Restoring, says what to do.`,
    );
  }
}

/** Something else lies where an object of the log belongs. Nothing is sealed until somebody has looked at it. */
export class ArchiveDiffers extends Error {
  override name = "ArchiveDiffers";
  readonly object: string;

  constructor(object: string) {
    super("An object of the audit log is not what was written.");
    this.object = object;
  }
}

/** Nobody would vouch for what this key signs. Nothing is sealed until the setting is put right. */
export class SigningKeyDiffers extends Error {
  override name = "SigningKeyDiffers";

  constructor(version: number, keyId: string, retired: boolean) {
    super(
      retired
        ? `Version ${version} of AUDIT_SIGNING_KEY was retired in this log: give the key that signs now the highest version.`
        : `Version ${version} of AUDIT_SIGNING_KEY is not the key ${keyId} that this log knows by that version: put that one back, and add a new key under a higher version.`,
    );
  }
}

const KINDS = [ArchiveAhead, ArchiveDiffers, SigningKeyDiffers] as const;

/** The event that tells an organization that its log is not sealed, one a day for each reason; null for any other fault. */
export function unsealedEvent(orgId: string, cause: unknown, now: number): AuditRecord | null {
  const kind = KINDS.findIndex((each) => cause instanceof each);
  if (kind < 0 || !(cause instanceof Error)) return null;
  const day = firstEventId(now - (now % DAY_MS));
  return {
    // Not the id of the day's checkpoint.
    eventId: day.padEnd(25, "0") + String(kind + 1),
    type: "audit.unsealed",
    at: now,
    orgId,
    actor: "service:audit-log",
    data: {
      cause: cause.name,
      says: cause.message,
      object: cause instanceof ArchiveDiffers ? cause.object : null,
    },
  };
}
