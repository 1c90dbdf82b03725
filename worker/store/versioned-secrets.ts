/** Secrets by version. The highest version is current; the others still open what they made. */
export interface VersionedSecrets {
  current: number;
  byVersion: ReadonlyMap<number, Uint8Array>;
}

const ENTRY = /^([1-9][0-9]{0,5}):([A-Za-z0-9+/_-]+={0,2})$/;
const SECRET_BYTES = 32;

/**
 * Reads `1:<base64 of 32 bytes>,2:…`, the form of every secret that is rotated. A wrong value throws an error that
 * names the setting and the fault, and never the value.
 */
export function parseVersionedSecrets(setting: string, text: string): VersionedSecrets {
  const byVersion = new Map<number, Uint8Array>();
  for (const entry of text.split(",")) {
    const match = ENTRY.exec(entry.trim());
    if (!match) {
      throw new Error(
        `${setting} must look like 1:<base64 of 32 bytes>, entries joined by commas.`,
      );
    }
    const version = Number(match[1]);
    const secret = new Uint8Array(Buffer.from(match[2] ?? "", "base64"));
    if (secret.length !== SECRET_BYTES) {
      throw new Error(`${setting}: version ${version} must be ${SECRET_BYTES} bytes of base64.`);
    }
    if (byVersion.has(version)) throw new Error(`${setting}: version ${version} is there twice.`);
    byVersion.set(version, secret);
  }
  return { current: Math.max(...byVersion.keys()), byVersion };
}

/** The secret of a version; throws an error that names only the version. */
export function secretOf(secrets: VersionedSecrets, version: number): Uint8Array {
  const secret = secrets.byVersion.get(version);
  if (!secret) throw new Error(`Version ${version} of this secret is not configured.`);
  return secret;
}
