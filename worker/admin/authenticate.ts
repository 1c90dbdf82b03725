import type { Credentialed } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { bareOrgId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Principal } from "../core/principal.ts";
import { masterPrincipal } from "../policy/authz/roles.ts";
import { findKey } from "../store/keys.ts";
import { findOrg, findOrgByAlias } from "../store/orgs.ts";
import { findPerson, findUser, personOf, userRecord, type UserRow } from "../store/users.ts";
import type { Caller } from "./context.ts";
import { notFound, type OperationFacts } from "./operation.ts";
import type { AdminDeps } from "./ports.ts";

/** Who calls, before the organization is settled. */
export interface Known {
  call: Credentialed;
  /** Null for the master key. */
  caller: Caller | null;
}

/** Proves the credential of an admin call; the master key, a virtual key, or the refusal. */
export async function authenticateAdmin(deps: AdminDeps, call: Credentialed): Promise<Known> {
  if (call.credential !== null && deps.keys.isMaster(call.credential))
    return { call, caller: null };
  const identity = await deps.prove(call);
  const { principal } = identity;
  return {
    call,
    caller: { principal, identity, at: call.receivedAt, requestId: call.requestId },
  };
}

/**
 * The organization that a call acts in: where the header, else the argument, else the user's own choice
 * (/user/switch_org) says. A key acts in its own organization and in others that its user belongs to, if it may cross
 * over. A header that names another one is refused, an argument that does finds nothing, whether it exists or not. The
 * master key acts where it is told, else in the first organization.
 */
export async function settleOrg(
  deps: AdminDeps,
  known: Known,
  facts: OperationFacts,
  header: string | null,
  input: JsonObject,
): Promise<Caller> {
  const argument =
    facts.acrossOrgs === true ? undefined : input[facts.orgFrom ?? "organization_id"];
  const named = typeof argument === "string" && argument !== "" ? argument : null;
  if (known.caller !== null) {
    const { caller } = known;
    const asked = header === null ? null : await inOrg(deps, caller, header);
    if (header !== null && asked === null) {
      throw new GatewayError("forbidden", "This key does not belong to that organization.");
    }
    if (named !== null) {
      const meant = await inOrg(deps, caller, named);
      if (meant === null || (asked !== null && asked.principal.orgId !== meant.principal.orgId)) {
        throw notFound("organization", "organization_id");
      }
      return meant;
    }
    if (asked !== null) return asked;
    const chosen = facts.acrossOrgs === true ? undefined : caller.identity?.user?.activeOrgId;
    // A choice that holds no more is none.
    return (chosen === undefined ? null : await inOrg(deps, caller, chosen)) ?? caller;
  }
  const { call } = known;
  const orgId = await masterOrg(deps, facts, facts.acrossOrgs === true ? null : header, named);
  const principal = masterPrincipal(orgId);
  return { principal, identity: null, at: call.receivedAt, requestId: call.requestId };
}

/** The caller in an organization of the user's; null where the key may not act there, or there is none. */
async function inOrg(deps: AdminDeps, caller: Caller, name: string): Promise<Caller | null> {
  if (await isOwn(deps, caller, name)) return caller;
  const { identity } = caller;
  const org = await findOrg(deps.db, name);
  // Asked whether there is such an organization or not: the way to a refusal tells nothing.
  const user = await crossing(deps, caller, org?.id ?? "");
  if (org === null || org.blocked || user === null || identity === null) return null;
  const principal: Principal = {
    ...caller.principal,
    orgId: org.id,
    teamId: undefined,
    userId: user.id,
    role: user.role,
  };
  const shared = await deps.directory.openOrg(org.id);
  const there = { principal, shared, key: identity.key, team: null, user: userRecord(user, []) };
  return { ...caller, principal, identity: there, home: caller.home ?? caller };
}

/**
 * The user that the caller is in another organization. Whoever administers an organization has its users' keys in hand,
 * and shall not come into another one by them: a key crosses over only while nobody but the platform made or changed it.
 */
export async function crossing(
  deps: AdminDeps,
  caller: Caller,
  orgId: string,
): Promise<UserRow | null> {
  const { orgId: home, userId = "", keyId = "" } = (caller.home ?? caller).principal;
  const [user, key] = await Promise.all([
    findUser(deps.db, home, userId),
    findKey(deps.db, home, keyId),
  ]);
  const there = await findPerson(deps.db, orgId, user === null ? "" : personOf(user));
  const trusted = key?.createdBy === PLATFORM && key.updatedBy === PLATFORM;
  return trusted && user?.id === userId && there?.active === true ? there : null;
}

/** How records name the master key. */
const PLATFORM = "master";

async function masterOrg(
  deps: AdminDeps,
  facts: OperationFacts,
  header: string | null,
  named: string | null,
): Promise<string> {
  const wanted = header ?? named;
  if (wanted !== null) {
    const byAlias = facts.orgFrom !== undefined && header === null;
    const org =
      (await findOrg(deps.db, wanted)) ?? (byAlias ? await findOrgByAlias(deps.db, wanted) : null);
    if (org === null) throw notFound("organization", "organization_id");
    return org.id;
  }
  const first = await deps.directory.firstOrg();
  if (first !== null) return first;
  if (facts.acrossOrgs === true) return "";
  throw new GatewayError(
    "not_found",
    "There is no organization yet; POST /organization/new makes the first one.",
  );
}

async function isOwn(deps: AdminDeps, caller: Caller, name: string): Promise<boolean> {
  const { orgId } = caller.principal;
  if (bareOrgId(name) === orgId || name === caller.identity?.shared.org.alias) return true;
  return (await findOrg(deps.db, name))?.id === orgId;
}
