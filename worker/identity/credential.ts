import type { Credentialed, Identity, Received } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deps, KeyVerifier } from "../core/ports.ts";
import type { Principal } from "../core/principal.ts";
import type { KeyRecord, TeamRecord, UserRecord } from "../core/records.ts";
import { addressAllowed } from "../policy/authz/addresses.ts";
import { allows } from "../providers/resolve.ts";
import { looksSigned } from "../store/signed-key.ts";
import type { KeyGrant, Scope, SignedKeys } from "../store/signed-key.ts";
import { masterPrincipal, roleOf } from "../policy/authz/roles.ts";

type Parts = Pick<Deps, "keys" | "directory" | "now"> & { signedKeys: SignedKeys };

/**
 * Proves who is asking. The master key acts in the first organization; a virtual key must be known, unblocked, of its
 * latest revision, alive, and used from an allowed address, by an active user of an unblocked team and organization. A
 * short-lived key is held to all that its mother key is held to. Whatever is unknown, revoked or blocked answers with
 * one and the same `invalid_api_key`; what is told apart (`expired_key`, `ip_not_allowed`) is told only to a holder.
 */
export async function proveCredential(parts: Parts, asked: Credentialed): Promise<Identity> {
  const token = asked.credential;
  if (token === null) {
    throw new GatewayError(
      "missing_api_key",
      "No API key was sent. Send one as `Authorization: Bearer sk-…` (or `x-api-key`, `api-key`, `x-goog-api-key`).",
    );
  }
  const known = parts.keys.known(token);
  if (known === null && parts.keys.isMaster(token)) return proveMaster(parts);
  const proven = looksSigned(token)
    ? await proveSigned(parts, token, asked)
    : await proveKey(parts, token, asked, known);
  return admitted(parts, asked, proven);
}

/** What a token proved: the organization and the key behind it. */
interface Proven extends Omit<Identity, "principal" | "key"> {
  orgId: string;
  key: KeyRecord;
}

async function proveKey(
  parts: Parts,
  token: string,
  asked: Credentialed,
  known: ReturnType<KeyVerifier["known"]>,
): Promise<Proven> {
  const named = known ?? parts.keys.parse(token);
  if (named === null) throw unknownKey();
  const [opened, first] = await Promise.all([
    parts.directory.open(named.orgId, named.keyId),
    known ?? parts.keys.verify(token, named, asked.address),
  ]);
  const { key } = opened;
  if (!first.valid || key === null) throw unknownKey();
  if (first.revision < key.revision) {
    // The key changed after it was last proven in this isolate: only a proof of the present row counts.
    const again = await parts.keys.verify(token, named, asked.address);
    if (!again.valid) throw unknownKey();
    if (again.revision < key.revision) {
      throw new GatewayError(
        "control_plane_unavailable",
        "The key's latest state can't be proven now.",
      );
    }
  }
  return { ...opened, key, orgId: named.orgId };
}

/**
 * A short-lived key: no bcrypt and no call of its own, the mother key's row decides. Any later revision of that row ends
 * it; an earlier one is a copy that has not heard yet, as it may for 5 s.
 */
async function proveSigned(parts: Parts, token: string, asked: Credentialed): Promise<Proven> {
  const grant = await parts.signedKeys.read(token);
  if (grant === "expired") throw new GatewayError("expired_key", "This short-lived key expired.");
  if (grant === null) throw unknownKey();
  const { orgId } = grant;
  const opened = await parts.directory.open(orgId, grant.keyId);
  const mother = opened.key;
  if (mother === null || mother.revision > grant.revision || mother.keyType !== "default") {
    throw unknownKey();
  }
  const proven = { ...opened, key: narrowed(mother, grant), orgId };
  if (grant.scopes.length > 0 && !grant.scopes.includes(endpointOf(asked))) {
    // Who holds a dead key is not told what it was good for.
    refuseUnusable(parts, asked, proven);
    throw new GatewayError("forbidden", "This short-lived key is not meant for this endpoint.");
  }
  return proven;
}

/** Allows no model: an empty list would allow all. */
const NO_MODEL = "\0";

/** The mother key as far as a grant hands it on: models that both allow, and the data plane alone. */
function narrowed(mother: KeyRecord, grant: KeyGrant): KeyRecord {
  const key: KeyRecord = { ...mother, keyType: "llm_api" };
  if (grant.models.length === 0) return key;
  const both =
    mother.models.length === 0
      ? grant.models
      : [
          ...grant.models.filter((each) => allows(mother.models, each)),
          ...mother.models.filter((each) => allows(grant.models, each)),
        ];
  return { ...key, models: both.length === 0 ? [NO_MODEL] : [...new Set(both)] };
}

/** What is asked for beyond calling a model is the list of models; admin calls are refused by the key's type. */
function endpointOf(asked: Credentialed | Received): Scope {
  return "endpoint" in asked ? asked.endpoint : "models";
}

function refuseUnusable(parts: Parts, asked: Credentialed, proven: Proven): void {
  const { key, team, user, shared } = proven;
  if (shared.org.blocked || !isUsable(key, team, user)) throw unknownKey();
  if (key.expiresAt !== undefined && key.expiresAt <= parts.now()) {
    const at = new Date(key.expiresAt).toISOString();
    throw new GatewayError("expired_key", `This API key expired at ${at}.`);
  }
  if (!addressAllowed(key.allowedIps, asked.address)) {
    throw new GatewayError("ip_not_allowed", "This API key may not be used from this address.");
  }
}

function admitted(parts: Parts, asked: Credentialed, proven: Proven): Identity {
  refuseUnusable(parts, asked, proven);
  const { orgId, key, team, user, shared } = proven;
  const principal: Principal = {
    kind: "key",
    orgId,
    keyId: key.id,
    keyHandle: key.handle,
    keyType: key.keyType,
    teamId: key.teamId,
    userId: key.userId,
    role: roleOf(user, key.teamId),
  };
  return { principal, shared, key, team, user };
}

async function proveMaster(deps: Pick<Deps, "directory">): Promise<Identity> {
  const orgId = await deps.directory.firstOrg();
  if (orgId === null) {
    throw new GatewayError(
      "not_found",
      "There is no organization yet; POST /organization/new makes the first one.",
    );
  }
  const shared = await deps.directory.openOrg(orgId);
  return { principal: masterPrincipal(orgId), shared, key: null, team: null, user: null };
}

/** A key whose team or user is blocked, inactive or gone is as dead as a blocked one. */
function isUsable(key: KeyRecord, team: TeamRecord | null, user: UserRecord | null): boolean {
  if (key.blocked || team?.blocked === true) return false;
  if (key.teamId !== undefined && team === null) return false;
  return key.userId === undefined || (user !== null && user.active);
}

function unknownKey(): GatewayError {
  return new GatewayError(
    "invalid_api_key",
    "Incorrect API key provided: it is no key of this gateway (virtual keys begin with `sk-rt-`), or it was revoked or blocked.",
  );
}
