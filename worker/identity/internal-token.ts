import { jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { randomBase62 } from "../core/ids.ts";
import type { VersionedSecrets } from "../store/versioned-secrets.ts";
import { derivedSecret, versionNamed } from "../store/derived-secrets.ts";

/** One call of one part of the gateway by another: what for, for which organization, on which object, to whom. */
export interface InternalCall {
  /** `<room>.<verb>`, such as `batches.resume`. */
  purpose: string;
  /** Bare org id. */
  orgId: string;
  object: string;
  /** The room that receives it. */
  audience: string;
}

/** The receiver's memory of tokens that were used. */
export interface UsedTokens {
  /** True the first time that an id is shown; false for a repetition, and when it can't be remembered. */
  take(id: string, expiresAt: number, now: number): boolean;
}

const PURPOSE = "internal call";
const ALGORITHM = "HS256";
const TYPE = "routero-internal+jwt";
const LIFE_SECONDS = 60;
const MOST_REMEMBERED = 50_000;

const claims = z.object({
  purpose: z.string(),
  org: z.string(),
  obj: z.string(),
  jti: z.string().min(1),
  iat: z.int(),
  exp: z.int(),
});

/** A token for exactly this call, good once and for a minute. It never carries anything of a user's key. */
export function mintInternalToken(
  peppers: VersionedSecrets,
  call: InternalCall,
  now: number,
): Promise<string> {
  const issuedAt = Math.floor(now / 1000);
  return new SignJWT({ purpose: call.purpose, org: call.orgId, obj: call.object })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: String(peppers.current) })
    .setAudience(call.audience)
    .setJti(randomBase62(22))
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + LIFE_SECONDS)
    .sign(derivedSecret(peppers, peppers.current, PURPOSE));
}

/**
 * True when the token was made for exactly this call, is alive and was not used before; it is used then. One that was
 * made for another call is refused unused. Never throws.
 */
export async function useInternalToken(
  peppers: VersionedSecrets,
  call: InternalCall,
  token: string,
  used: UsedTokens,
  now: number,
): Promise<boolean> {
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const version = versionNamed(peppers, kid);
        if (version === null) throw new Error("Unknown key.");
        return derivedSecret(peppers, version, PURPOSE);
      },
      {
        algorithms: [ALGORITHM],
        typ: TYPE,
        audience: call.audience,
        currentDate: new Date(now),
      },
    );
    const { purpose, org, obj, jti, iat, exp } = claims.parse(payload);
    const meant = purpose === call.purpose && org === call.orgId && obj === call.object;
    // One audience each: a list of them would let a token be used once at every one.
    if (!meant || payload.aud !== call.audience) return false;
    if (iat > now / 1000 + LIFE_SECONDS || exp - iat > LIFE_SECONDS) return false;
    return used.take(jti, exp * 1000, now);
  } catch {
    return false;
  }
}

/**
 * Used tokens of one receiver, in memory: enough where all calls of an audience end in one object that lives longer
 * than a token. When it is full it refuses rather than forgets.
 */
export class UsedInMemory implements UsedTokens {
  readonly #until = new Map<string, number>();

  take(id: string, expiresAt: number, now: number): boolean {
    if (this.#until.has(id)) return false;
    if (this.#until.size >= MOST_REMEMBERED) {
      for (const [known, until] of this.#until) if (until <= now) this.#until.delete(known);
      if (this.#until.size >= MOST_REMEMBERED) return false;
    }
    this.#until.set(id, expiresAt);
    return true;
  }
}
