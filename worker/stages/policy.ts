import type { Authorized } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { REGIONS, type RegionLetter } from "../core/ids.ts";
import type { Verdict } from "../core/policy.ts";
import type { Deps } from "../core/ports.ts";
import { DEFAULT_CALENDAR } from "../policy/calendar.ts";
import { decide } from "../policy/decide.ts";
import { linkedDocument } from "../policy/library.ts";
import { readerOf } from "../policy/reader.ts";
import { teamOf } from "./payer.ts";
import { sourcesOf } from "./signals.ts";

/**
 * What the organization's and the team's documents say of a request; null where there are none. The documents were
 * opened with the identity, so that a request sees one version of each from beginning to end.
 */
export function judge(deps: Deps, call: Authorized): Verdict | null {
  const { shared, principal } = call.identity;
  const policies = deps.directory.policiesOf(shared, teamOf(call));
  if (policies === null) {
    throw new GatewayError("control_plane_unavailable", "The policy can't be read now.");
  }
  if (policies.length === 0) return null;
  const documents = policies.map((policy) => linkedDocument(deps.isolate, policy));
  const now = deps.now();
  const calendar = documents[0]?.linked.plan.calendar ?? DEFAULT_CALENDAR;
  const read = readerOf(sourcesOf(deps, call), now, calendar);
  return decide(documents, { read, now }, REGIONS[principal.orgId[0] as RegionLetter]);
}

/** Refuses what a rule blocks, naming the policy, its version and the rule. */
export function refuseBlocked({ verdict, identity }: Authorized): void {
  if (verdict?.block == null) return;
  const rule = verdict.rule ?? "defaults";
  const { message } = verdict.block;
  const part = verdict.parts.find(
    ({ hash, version }) => hash === verdict.hash && version === verdict.version,
  );
  const whose = part === undefined || part.scope === "org" ? identity.shared.org.alias : "team";
  throw new GatewayError(
    "policy_blocked",
    message === ""
      ? `Policy '${whose}' (version ${verdict.version}) blocks this request by its rule '${rule}'.`
      : `${message} (policy '${whose}', version ${verdict.version}, rule '${rule}')`,
    { members: { policy: { name: whose, version: verdict.version, hash: verdict.hash, rule } } },
  );
}
