const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** `length` random base62 characters, each uniform (about 5.95 bits). */
export function randomBase62(length: number): string {
  let out = "";
  while (out.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length * 2))) {
      // 248 = 4 × 62: bytes above it would favour the alphabet's beginning.
      if (byte < 248 && out.length < length) out += BASE62[byte % 62];
    }
  }
  return out;
}

/** Base62 of unsigned big-endian bytes, left-padded with `0` to `length` characters. */
export function base62(bytes: Uint8Array, length: number): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  let out = "";
  for (; value > 0n; value /= 62n) out = BASE62[Number(value % 62n)] + out;
  return out.padStart(length, "0");
}

/** A 22-character id that sorts by creation time: 8 characters of milliseconds, 14 random. */
export function timeOrderedId(now: number): string {
  return timePrefix(now) + randomBase62(14);
}

/** The 8 characters that such an id begins with. */
export function timePrefix(now: number): string {
  let time = "";
  for (let rest = now; time.length < 8; rest = Math.floor(rest / 62))
    time = BASE62[rest % 62] + time;
  return time;
}

/** Data regions: the letter an org id begins with decides where the org's state lives, for ever (PLATFORM 12). */
export const REGIONS = { g: "global", e: "eu", f: "fedramp" } as const;
export type RegionLetter = keyof typeof REGIONS;
export type Region = (typeof REGIONS)[RegionLetter];

/** A new bare organization id in a region: its letter and 12 base62 characters. */
export function newOrgId(region: Region): string {
  const letter = (Object.keys(REGIONS) as RegionLetter[]).find((key) => REGIONS[key] === region);
  return `${letter}${randomBase62(12)}`;
}

/** True for the bare form of an org id (no `org_` prefix), known region letter included. */
export function isOrgId(text: string): boolean {
  return /^[gef][0-9A-Za-z]{12}$/.test(text);
}

/** The form of an org id that records and answers show. */
export function shownOrgId(orgId: string): string {
  return `org_${orgId}`;
}

/** The bare org id of either form, or the text itself when it is something else (an alias). */
export function bareOrgId(text: string): string {
  return text.replace(/^(?:org|ws)_/, "");
}
