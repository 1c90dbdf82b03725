import { createHmac, timingSafeEqual } from "node:crypto";
import { GatewayError } from "../core/errors.ts";
import type { Isolate } from "../core/isolate.ts";
import type { KeyProof, KeyVerifier } from "../core/ports.ts";
import {
  CHECK_LENGTH,
  keyDigest,
  keyDigests,
  mintKey,
  parseKey,
  partsOf,
  remintKey,
} from "./key-token.ts";
import type { KeyPlace, MintedKey } from "./key-token.ts";
import { secretOf } from "./versioned-secrets.ts";
import type { VersionedSecrets } from "./versioned-secrets.ts";

/** The key-check object of one key. */
export interface KeyCheckPort {
  verify(digests: Record<number, string>, address: string | null): Promise<KeyCheckAnswer>;
  /** bcrypt of a digest, for a key that is being made. */
  hash(digest: string): Promise<string>;
}

export interface KeyCheckAnswer extends KeyProof {
  /** Seconds to wait after too many failures of this key from this address; then nothing was tried. */
  retryAfter?: number;
  /** For the token before a regeneration: Unix milliseconds from which it counts no more. */
  until?: number;
}

/** A new key and the columns of its row that prove it. */
export interface IssuedKey extends MintedKey {
  hash: string;
  pepperVersion: number;
}

interface Parts {
  peppers: VersionedSecrets;
  /** The current one and, while it is rotated, the one before. */
  masterKeys: readonly string[];
  isolate: Pick<Isolate, "keyTags" | "tagSecret" | "orgs">;
  keyCheck: (orgId: string, keyId: string) => KeyCheckPort;
  now: () => number;
}

const MAX_TAGS = 10_000;
const TAG_LIFE_MS = 24 * 60 * 60 * 1000;

/**
 * Proves tokens: by the tag that an earlier proof left in this isolate's memory, without any I/O, or else by bcrypt in
 * the key's object. A tag counts for the revision that it was made against and for no later one that this isolate has
 * heard of; what else changed since then, the caller sees by comparing the proof's revision with the opened key's.
 */
export function makeKeyVerifier(parts: Parts): KeyVerifier {
  const { peppers, isolate, now } = parts;
  const tagOf = (text: string) => createHmac("sha256", isolate.tagSecret).update(text).digest();
  const masterTags = parts.masterKeys.map((each) => tagOf(`master\0${each}`));

  const proofOf = (token: string, { orgId, keyId }: KeyPlace): KeyProof | null => {
    const name = nameOf(token, { orgId, keyId });
    const held = isolate.keyTags.get(name);
    if (!held) return null;
    const latest = isolate.orgs.get(orgId)?.keys.get(keyId)?.key?.revision ?? 0;
    const ended = held.until !== undefined && now() >= held.until;
    if (ended || held.revision < latest || now() - held.provenAt > TAG_LIFE_MS) {
      isolate.keyTags.delete(name);
      return null;
    }
    if (!timingSafeEqual(held.tag, tagOf(`${held.revision}\0${token}`))) return null;
    // Moved to the young end of the map, whose old end is forgotten first.
    isolate.keyTags.delete(name);
    isolate.keyTags.set(name, held);
    return { valid: true, revision: held.revision };
  };

  return {
    known(token) {
      const place = partsOf(token);
      const proof = place && proofOf(token, place);
      return proof && { orgId: place.orgId, keyId: place.keyId, ...proof };
    },
    parse: (token) => parseKey(peppers, token),
    async verify(token, place, address) {
      const proof = proofOf(token, place);
      if (proof) return proof;
      const object = parts.keyCheck(place.orgId, place.keyId);
      const answer = await object.verify(keyDigests(peppers, token), address);
      if (answer.retryAfter !== undefined) {
        throw new GatewayError(
          "rate_limit_exceeded",
          "Too many failed attempts with this API key.",
          {
            retryAfter: answer.retryAfter,
          },
        );
      }
      if (answer.valid) {
        const name = nameOf(token, place);
        const tag = new Uint8Array(tagOf(`${answer.revision}\0${token}`));
        isolate.keyTags.delete(name);
        if (isolate.keyTags.size >= MAX_TAGS) {
          const oldest = isolate.keyTags.keys().next().value;
          if (oldest !== undefined) isolate.keyTags.delete(oldest);
        }
        const { revision, until } = answer;
        isolate.keyTags.set(name, {
          tag,
          revision,
          provenAt: now(),
          ...(until !== undefined && { until }),
        });
      }
      return { valid: answer.valid, revision: answer.revision };
    },
    isMaster(token) {
      const given = tagOf(`master\0${token}`);
      return masterTags.reduce((known, tag) => timingSafeEqual(tag, given) || known, false);
    },
  };
}

/** Two tokens of one key may count at a time; the check at their end tells them apart and is no secret. */
function nameOf(token: string, { orgId, keyId }: KeyPlace): string {
  return `${orgId}/${keyId}/${token.slice(-CHECK_LENGTH)}`;
}

/** Makes a key and what its row keeps of it; writes nothing. The token is in the answer and nowhere else. */
export function issueKey(
  parts: Pick<Parts, "peppers" | "keyCheck">,
  orgId: string,
): Promise<IssuedKey> {
  return hashed(parts, mintKey(parts.peppers, orgId));
}

/** The same for another token of a known key. */
export function reissueKey(
  parts: Pick<Parts, "peppers" | "keyCheck">,
  place: KeyPlace,
): Promise<IssuedKey> {
  return hashed(parts, remintKey(parts.peppers, place));
}

async function hashed(
  parts: Pick<Parts, "peppers" | "keyCheck">,
  minted: MintedKey,
): Promise<IssuedKey> {
  const { peppers } = parts;
  const digest = keyDigest(secretOf(peppers, peppers.current), minted.token);
  const hash = await parts.keyCheck(minted.orgId, minted.keyId).hash(digest);
  return { ...minted, hash, pepperVersion: peppers.current };
}
