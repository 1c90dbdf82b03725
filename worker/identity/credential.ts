import type { Credentialed, Identity } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import type { Principal } from "../core/principal.ts";
import type { KeyRecord, TeamRecord, UserRecord } from "../core/records.ts";
import { addressAllowed } from "../policy/authz/addresses.ts";
import { masterPrincipal } from "../policy/authz/roles.ts";

/**
 * Proves who is asking. The master key acts in the first organization; a virtual key must be known, unblocked, of its
 * latest revision, alive, and used from an allowed address, by an active user of an unblocked team and organization.
 * Whatever is unknown, revoked or blocked answers with one and the same `invalid_api_key`; what is told apart
 * (`expired_key`, `ip_not_allowed`) is told only to a holder of the key.
 */
export async function proveCredential(
  deps: Pick<Deps, "keys" | "directory" | "now">,
  asked: Credentialed,
): Promise<Identity> {
  const token = asked.credential;
  if (token === null) {
    throw new GatewayError(
      "missing_api_key",
      "No API key was sent. Send one as `Authorization: Bearer sk-…`.",
    );
  }
  if (deps.keys.isMaster(token)) return proveMaster(deps);
  const named = deps.keys.parse(token);
  if (named === null) throw unknownKey();

  const [opened, first] = await Promise.all([
    deps.directory.open(named.orgId, named.keyId),
    deps.keys.verify(token, named, asked.address),
  ]);
  const { key, team, user, shared } = opened;
  if (!first.valid || key === null) throw unknownKey();
  if (first.revision < key.revision) {
    // The key changed after it was last proven in this isolate: only a proof of the present row counts.
    const again = await deps.keys.verify(token, named, asked.address);
    if (!again.valid) throw unknownKey();
    if (again.revision < key.revision) {
      throw new GatewayError(
        "control_plane_unavailable",
        "The key's latest state can't be proven now.",
      );
    }
  }
  if (shared.org.blocked || !isUsable(key, team, user)) throw unknownKey();
  if (key.expiresAt !== undefined && key.expiresAt <= deps.now()) {
    const at = new Date(key.expiresAt).toISOString();
    throw new GatewayError("expired_key", `This API key expired at ${at}.`);
  }
  if (!addressAllowed(key.allowedIps, asked.address)) {
    throw new GatewayError("ip_not_allowed", "This API key may not be used from this address.");
  }
  const principal: Principal = {
    kind: "key",
    orgId: named.orgId,
    keyId: key.id,
    keyHandle: key.handle,
    keyType: key.keyType,
    teamId: key.teamId,
    userId: key.userId,
    role: user?.role ?? "member",
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
  return new GatewayError("invalid_api_key", "Incorrect API key provided.");
}
