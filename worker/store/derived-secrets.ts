import { hkdfSync } from "node:crypto";
import { secretOf } from "./versioned-secrets.ts";
import type { VersionedSecrets } from "./versioned-secrets.ts";

const SECRET_BYTES = 32;

/**
 * A secret for one purpose, derived from a version of the pepper (HKDF-SHA256, the purpose as info). What is signed for
 * one purpose proves nothing for another, and every isolate has the secret without any I/O.
 */
export function derivedSecret(
  peppers: VersionedSecrets,
  version: number,
  purpose: string,
): Uint8Array {
  const info = `routero ${purpose}`;
  return new Uint8Array(hkdfSync("sha256", secretOf(peppers, version), "", info, SECRET_BYTES));
}

/** The version that a signature's key id names, or null; an unknown one is as bad as none. */
export function versionNamed(peppers: VersionedSecrets, keyId: string | undefined): number | null {
  const version = /^[1-9]\d{0,5}$/.test(keyId ?? "") ? Number(keyId) : null;
  return version !== null && peppers.byVersion.has(version) ? version : null;
}
