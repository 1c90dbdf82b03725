import { errors, jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { isOrgId, randomBase62 } from "../core/ids.ts";
import type { VersionedSecrets } from "./versioned-secrets.ts";
import { derivedSecret, versionNamed } from "./derived-secrets.ts";

/** Endpoints that a short-lived key can be narrowed to. */
export const SCOPES = ["chat", "models"] as const;
export type Scope = (typeof SCOPES)[number];

/** Seconds that a short-lived key lives: unless asked otherwise, and at most. */
export const TOKEN_SECONDS = 15 * 60;
export const MOST_TOKEN_SECONDS = 60 * 60;

/** What a short-lived key grants: a part of what its mother key may, while that one stays as it is. */
export interface KeyGrant {
  /** Bare org id. */
  orgId: string;
  /** The mother key and the revision at which it gave the grant; a later revision ends the grant. */
  keyId: string;
  revision: number;
  /** Model allowlist on top of the mother's; empty = nothing narrower. */
  models: string[];
  /** Empty = every endpoint of the data plane. */
  scopes: Scope[];
  /** Unix milliseconds. */
  expiresAt: number;
}

/** A short-lived key as it is handed out. `id` is public and names it in records. */
export interface SignedKey {
  token: string;
  id: string;
  expiresAt: number;
}

/** Makes and reads short-lived keys. Reading touches no binding; a forgery costs one HMAC. */
export interface SignedKeys {
  mint(grant: Omit<KeyGrant, "expiresAt">, seconds: number): Promise<SignedKey>;
  /** The grant; `expired` for one that was ours; null for anything else. Never throws. */
  read(token: string): Promise<KeyGrant | "expired" | null>;
}

const PURPOSE = "short-lived key";
const ALGORITHM = "HS256";
const TYPE = "routero-key+jwt";
const AUDIENCE = "routero:data-plane";
/** How far ahead of ours the clock of the isolate that signed may be. */
const SKEW_SECONDS = 60;
const FORM = /^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/;
const MOST_CHARACTERS = 16_384;

const claims = z.strictObject({
  aud: z.literal(AUDIENCE),
  org: z.string().refine(isOrgId),
  key: z.string().min(1).max(64),
  rev: z.int().positive(),
  models: z.array(z.string()).default([]),
  scopes: z.array(z.enum(SCOPES)).default([]),
  jti: z.string().min(1),
  iat: z.int(),
  exp: z.int(),
});

/** True for a text of the form of a signed token; whether it is one of ours, `read` tells. */
export function looksSigned(token: string): boolean {
  return token.length <= MOST_CHARACTERS && FORM.test(token);
}

export function makeSignedKeys(peppers: VersionedSecrets, now: () => number): SignedKeys {
  const secret = (version: number) => derivedSecret(peppers, version, PURPOSE);
  return {
    async mint({ orgId, keyId, revision, models, scopes }, seconds) {
      if (!Number.isInteger(seconds) || seconds < 1 || seconds > MOST_TOKEN_SECONDS) {
        throw new RangeError(`A short-lived key lives 1 to ${MOST_TOKEN_SECONDS} seconds.`);
      }
      const issuedAt = Math.floor(now() / 1000);
      const id = randomBase62(22);
      const token = await new SignJWT({
        org: orgId,
        key: keyId,
        rev: revision,
        ...(models.length > 0 && { models }),
        ...(scopes.length > 0 && { scopes }),
      })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: String(peppers.current) })
        .setAudience(AUDIENCE)
        .setJti(id)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + seconds)
        .sign(secret(peppers.current));
      return { token, id, expiresAt: (issuedAt + seconds) * 1000 };
    },

    async read(token) {
      if (!looksSigned(token)) return null;
      try {
        const { payload } = await jwtVerify(
          token,
          ({ kid }) => {
            const version = versionNamed(peppers, kid);
            if (version === null) throw new errors.JWSInvalid("Unknown key.");
            return secret(version);
          },
          {
            algorithms: [ALGORITHM],
            typ: TYPE,
            audience: AUDIENCE,
            requiredClaims: ["exp", "iat", "jti"],
            currentDate: new Date(now()),
          },
        );
        const { org, key, rev, models, scopes, iat, exp } = claims.parse(payload);
        if (iat > now() / 1000 + SKEW_SECONDS || exp - iat > MOST_TOKEN_SECONDS) return null;
        return { orgId: org, keyId: key, revision: rev, models, scopes, expiresAt: exp * 1000 };
      } catch (cause) {
        // The signature held: only then does jose look at the time.
        return cause instanceof errors.JWTExpired ? "expired" : null;
      }
    },
  };
}
