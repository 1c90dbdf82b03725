import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { base62, isOrgId, randomBase62 } from "../core/ids.ts";
import { derivedSecret } from "./derived-secrets.ts";
import type { VersionedSecrets } from "./versioned-secrets.ts";

// Of the form of a virtual key, and no key: another beginning, and a check under another secret.
const TOKEN = /^rt-invite-([0-9A-Za-z]{13})-([0-9A-Za-z]{12})-([0-9A-Za-z]{43})-([0-9A-Za-z]{11})$/;
const TOKEN_LENGTH = 92;
const ID_LENGTH = 12;
const SECRET_LENGTH = 43;
const CHECK_BYTES = 8;
const CHECK_LENGTH = 11;
const PURPOSE = "invitation";

/** Which invitation a token is of, and what the record keeps of it. */
export interface InvitationPlace {
  orgId: string;
  id: string;
  hash: string;
}

/** Makes and reads the tokens of invitations. Reading touches no binding; a forgery costs one HMAC per pepper. */
export interface InvitationTokens {
  mint(orgId: string): InvitationPlace & { token: string };
  /** Null for whatever we did not make. Never throws. */
  parse(token: string): InvitationPlace | null;
}

export function makeInvitationTokens(peppers: VersionedSecrets): InvitationTokens {
  const check = (version: number, orgId: string, id: string, secret: string) => {
    const mac = createHmac("sha256", derivedSecret(peppers, version, PURPOSE));
    const digest = mac.update(`${orgId}\0${id}\0${secret}`).digest();
    return base62(digest.subarray(0, CHECK_BYTES), CHECK_LENGTH);
  };
  return {
    mint(orgId) {
      const [id, secret] = [randomBase62(ID_LENGTH), randomBase62(SECRET_LENGTH)];
      const token = `rt-invite-${orgId}-${id}-${secret}-${check(peppers.current, orgId, id, secret)}`;
      return { orgId, id, token, hash: hashOf(token) };
    },
    parse(token) {
      if (token.length !== TOKEN_LENGTH) return null;
      const [, orgId = "", id = "", secret = "", given = ""] = TOKEN.exec(token) ?? [];
      if (!isOrgId(orgId)) return null;
      let holds = false;
      for (const version of peppers.byVersion.keys()) {
        const right = Buffer.from(check(version, orgId, id, secret));
        holds = timingSafeEqual(Buffer.from(given), right) || holds;
      }
      return holds ? { orgId, id, hash: hashOf(token) } : null;
    },
  };
}

/** 256 random bits need no slow hash: nothing can be tried against it. */
function hashOf(token: string): string {
  return createHash("sha256").update(`routero invitation\0${token}`).digest("hex");
}
