import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { base62, isOrgId, randomBase62 } from "../core/ids.ts";
import { secretOf } from "./versioned-secrets.ts";
import type { VersionedSecrets } from "./versioned-secrets.ts";

// sk-rt-<orgId>-<keyId>-<secret>-<check>: the organization says which object knows the key, the check
// says that we issued it, and only the secret is secret.
const TOKEN = /^sk-rt-([0-9A-Za-z]{13})-([0-9A-Za-z]{12})-([0-9A-Za-z]{43})-([0-9A-Za-z]{11})$/;
const TOKEN_LENGTH = 88;

const KEY_ID_LENGTH = 12;
/** 43 base62 characters carry 256 bits. */
const SECRET_LENGTH = 43;
const CHECK_BYTES = 8;
/** Characters at the end of a token that say it is ours. */
export const CHECK_LENGTH = 11;

/** The places of a key: which organization, and which of its keys. */
export interface KeyPlace {
  orgId: string;
  keyId: string;
}

/** A new key. `token` is shown once and never kept. */
export interface MintedKey extends KeyPlace {
  token: string;
  handle: string;
  name: string;
}

/** A new random key of an organization, checked by the current pepper. */
export function mintKey(peppers: VersionedSecrets, orgId: string): MintedKey {
  if (!isOrgId(orgId)) throw new TypeError("A key needs a bare organization id.");
  const keyId = randomBase62(KEY_ID_LENGTH);
  return tokenOf(peppers, { orgId, keyId }, randomBase62(SECRET_LENGTH));
}

/** A new secret under a known key id, for a key that is regenerated in place. */
export function remintKey(peppers: VersionedSecrets, place: KeyPlace): MintedKey {
  return tokenOf(peppers, place, randomBase62(SECRET_LENGTH));
}

function tokenOf(peppers: VersionedSecrets, place: KeyPlace, secret: string): MintedKey {
  const check = checkOf(secretOf(peppers, peppers.current), place, secret);
  const token = `sk-rt-${place.orgId}-${place.keyId}-${secret}-${check}`;
  return { ...place, token, handle: keyHandle(place), name: keyName(token) };
}

/**
 * The places that a token names, if its check holds under any pepper; else null. Never throws, whatever the text, and
 * touches nothing: noise costs one pattern match, a forgery one HMAC per pepper (PLATFORM 17).
 */
export function parseKey(peppers: VersionedSecrets, token: string): KeyPlace | null {
  const parts = partsOf(token);
  if (parts === null) return null;
  const { orgId, keyId, secret } = parts;
  const given = Buffer.from(parts.check);
  let holds = false;
  for (const pepper of peppers.byVersion.values()) {
    const right = Buffer.from(checkOf(pepper, { orgId, keyId }, secret));
    holds = timingSafeEqual(given, right) || holds;
  }
  return holds ? { orgId, keyId } : null;
}

/** What a token says of itself: nothing of it is proven. Null where it has another form. */
export function partsOf(token: string): (KeyPlace & { secret: string; check: string }) | null {
  if (token.length !== TOKEN_LENGTH) return null;
  const [, orgId = "", keyId = "", secret = "", check = ""] = TOKEN.exec(token) ?? [];
  return isOrgId(orgId) ? { orgId, keyId, secret, check } : null;
}

function checkOf(pepper: Uint8Array, place: KeyPlace, secret: string): string {
  const mac = createHmac("sha256", pepper)
    .update(`routero key check\0${place.orgId}\0${place.keyId}\0${secret}`)
    .digest();
  return base62(mac.subarray(0, CHECK_BYTES), CHECK_LENGTH);
}

/**
 * The public name of a key in logs, audit and answers. It is made of the places alone, so that nothing about the secret
 * can be read out of it or tried against it.
 */
export function keyHandle(place: KeyPlace): string {
  const hash = createHash("sha256").update(`routero key handle\0${place.orgId}\0${place.keyId}`);
  return `sha256:${hash.digest("hex")}`;
}

/** What people recognize a key by: `sk-…` and its last four characters. */
export function keyName(token: string): string {
  return `sk-…${token.slice(-4)}`;
}

/** What bcrypt sees in place of a token under one pepper: 43 characters, since bcrypt reads only 72 bytes. */
export function keyDigest(pepper: Uint8Array, token: string): string {
  return createHmac("sha256", pepper).update(`routero key digest\0${token}`).digest("base64url");
}

/** The digests of a token by version of the pepper: the row tells which one counts. */
export function keyDigests(peppers: VersionedSecrets, token: string): Record<number, string> {
  const digests: Record<number, string> = {};
  for (const [version, pepper] of peppers.byVersion) digests[version] = keyDigest(pepper, token);
  return digests;
}
