import type { Credentialed } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { bareOrgId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { masterPrincipal } from "../policy/authz/roles.ts";
import { findOrg } from "../store/orgs.ts";
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
 * The organization that a call acts in. A key acts in its own and in no other: a header that names another is refused,
 * an argument that does finds nothing, whether it exists or not. The master key acts where the header, else the
 * argument, says, else in the first organization.
 */
export async function settleOrg(
  deps: AdminDeps,
  known: Known,
  facts: OperationFacts,
  header: string | null,
  input: JsonObject,
): Promise<Caller> {
  const argument = facts.acrossOrgs === true ? undefined : input["organization_id"];
  const named = typeof argument === "string" && argument !== "" ? argument : null;
  if (known.caller !== null) {
    if (header !== null && !(await isOwn(deps, known.caller, header))) {
      throw new GatewayError("forbidden", "This key does not belong to that organization.");
    }
    if (named !== null && !(await isOwn(deps, known.caller, named))) {
      throw notFound("organization", "organization_id");
    }
    return known.caller;
  }
  const { call } = known;
  const orgId = await masterOrg(deps, facts, facts.acrossOrgs === true ? null : header, named);
  const principal = masterPrincipal(orgId);
  return { principal, identity: null, at: call.receivedAt, requestId: call.requestId };
}

async function masterOrg(
  deps: AdminDeps,
  facts: OperationFacts,
  header: string | null,
  named: string | null,
): Promise<string> {
  const wanted = header ?? named;
  if (wanted !== null) {
    const org = await findOrg(deps.db, wanted);
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
