import { readCosignature } from "./cosignature.ts";
import { keyName } from "./layout.ts";
import { keyIdOf } from "./note.ts";
import type { NoteKey } from "./note.ts";
import type { Witnessed } from "./report.ts";

export interface CosignatureParts {
  cosignatures: readonly { name: string; size: number; keyId: string }[];
  /** Witnesses that the log has to be cosigned by. */
  given: readonly NoteKey[];
  /** Public keys that lie beside the log, by id. */
  keys: ReadonlyMap<string, NoteKey>;
  /** What a checkpoint of this size says, without its signatures. */
  bodyOf: (size: number) => string | undefined;
  text: (name: string) => Promise<string>;
  fault: (object: string, says: string) => void;
}

/** Every cosignature has to be right, whoever it is by, and a witness that was named must have given one. */
export async function checkCosignatures(parts: CosignatureParts): Promise<Witnessed[]> {
  const given = new Map(parts.given.map((key) => [keyIdOf(key), key]));
  const seen = new Map<string, Witnessed>();
  for (const { name, keyId, size } of parts.cosignatures) {
    if (!parts.keys.has(keyId))
      parts.fault(keyName(keyId), "is missing, though a cosignature is by this key");
    const key = given.get(keyId) ?? parts.keys.get(keyId);
    const body = parts.bodyOf(size);
    if (body === undefined) parts.fault(name, "cosigns no checkpoint of this log");
    if (body === undefined || key === undefined) continue;
    const at = await readCosignature(body, await parts.text(name), key);
    if (at === null) parts.fault(name, "is not a right cosignature of its checkpoint");
    else if (size > (seen.get(keyId)?.size ?? 0)) {
      const trustedBy = given.has(keyId) ? "you" : "nobody";
      seen.set(keyId, { name: key.name, keyId, trustedBy, size, at });
    }
  }
  for (const [keyId, { name }] of given)
    if (!seen.has(keyId)) parts.fault("audit/cosignatures", `holds none of ${name} (${keyId})`);
  return [...seen.values()];
}
