import type { Payer } from "../core/scope.ts";
import type { Authenticated, Authorized, Credentialed } from "../core/call.ts";

/** Money always belongs to a team; a key without one uses the org's default team (PLATFORM 27). */
export function teamOf(call: Authenticated<Credentialed>): string {
  const { principal, shared } = call.identity;
  return principal.teamId ?? shared.org.defaultTeamId ?? "default";
}

/** Whose money a request spends. */
export function payerOf(call: Authorized): Payer {
  const { orgId, userId, keyId } = call.identity.principal;
  const { customerId } = call.extensions;
  return {
    orgId,
    teamId: teamOf(call),
    ...(userId !== undefined && { userId }),
    ...(keyId !== undefined && { keyId }),
    ...(customerId !== undefined && { customerId }),
    group: call.model,
  };
}
