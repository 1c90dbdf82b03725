import type { Isolate } from "../core/isolate.ts";
import type { PolicyText } from "../core/policy.ts";
import type { Opened, OrgShared, PolicyPointer } from "../core/records.ts";

/** Bundles that an isolate keeps; those longest unused go first. */
const MAX_BUNDLES = 500;
/** Hashes that are named to the control object, so that it does not send what is here already. */
const MAX_HAVE = 50;

/** The documents that bind a team's requests: the organization's, then its own. */
export function bindingPolicies(
  shared: Pick<OrgShared, "policies">,
  teamId: string | undefined,
): PolicyPointer[] {
  const { policies = [] } = shared;
  if (policies.length === 0) return [];
  const of = (scope: string | undefined) => policies.filter((each) => each.scope === scope);
  return [...of("org"), ...of(teamId)];
}

/** The same with their bundles, out of the isolate's memory; null where one is missing. */
export function policiesIn(
  isolate: Isolate,
  shared: OrgShared,
  teamId: string | undefined,
): PolicyText[] | null {
  const found: PolicyText[] = [];
  for (const pointer of bindingPolicies(shared, teamId)) {
    const text = isolate.bundles.get(pointer.hash);
    if (text === undefined) return null;
    found.push({ ...pointer, text });
  }
  return found;
}

/** Hashes of an organization's documents whose bundles are here. */
export function heldBundles(isolate: Isolate, shared: OrgShared | null): string[] {
  const hashes = (shared?.policies ?? []).map(({ hash }) => hash);
  return hashes.filter((hash) => isolate.bundles.has(hash)).slice(0, MAX_HAVE);
}

/** Takes the bundles of an answer into memory. Nothing else needs a revision: a hash means one text for ever. */
export function holdBundles(isolate: Isolate, { bundles }: Opened): void {
  for (const [hash, text] of Object.entries(bundles ?? {})) {
    isolate.bundles.delete(hash);
    while (isolate.bundles.size >= MAX_BUNDLES) {
      const oldest = isolate.bundles.keys().next().value;
      if (oldest === undefined) break;
      isolate.bundles.delete(oldest);
    }
    isolate.bundles.set(hash, text);
  }
}
