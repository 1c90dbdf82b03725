import type { Extensions } from "../core/call.ts";
import type { CustomerRules, OrgShared } from "../core/records.ts";

/** What was laid down for the customer that a request names; undefined where there is nothing, or no customer. */
export function rulesOf(call: {
  identity: { shared: OrgShared };
  extensions: Extensions;
}): CustomerRules | undefined {
  const { customers } = call.identity.shared;
  const { customerId } = call.extensions;
  if (customers === undefined || customerId === undefined) return undefined;
  // Names such as `constructor`, which every object has, name nobody.
  return Object.hasOwn(customers, customerId) ? customers[customerId] : undefined;
}
