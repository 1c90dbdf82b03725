import type { Authenticated, Authorized, Credentialed, Received } from "../core/call.ts";
import { GatewayError, type ErrorKind } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import { allows, shortName } from "../providers/resolve.ts";
import { judge } from "./policy.ts";

/** The policy gate: may this identity call, with this model, with these features? */
export function authorize(deps: Deps, call: Authenticated<Received>): Authorized {
  const model = admit(deps, call);
  const [feature] = Object.keys(call.extensions.features);
  if (feature !== undefined) {
    throw new GatewayError("feature_not_found", `${feature}: there is no such object here.`, {
      param: feature,
    });
  }
  const authorized: Authorized = { ...call, model };
  const verdict = judge(deps, authorized);
  return verdict === null ? authorized : { ...authorized, verdict };
}

/**
 * The part of the gate that has to hold for as long as a request runs: the right to call, for this customer, this
 * model. Answers what the name of the model stands for.
 */
export function admit(deps: Deps, call: Authenticated<Received>): string {
  mayCall(deps, call);
  const { customerId } = call.extensions;
  if (customerId !== undefined && call.identity.shared.blockedCustomers.includes(customerId)) {
    throw new GatewayError("forbidden", "This customer is blocked.", { param: "customer_id" });
  }
  const { key, team } = call.identity;
  const asked = call.chat.model;
  const ofItsKey = aliasOf(key?.aliases, asked);
  const model = ofItsKey ?? aliasOf(team?.aliases, asked) ?? asked;
  const [ofKey, ofTeam, ofOrg] = allowlists(call);
  // Who wrote an alias may list it by its own name; every list above must cover what it stands for.
  permit(ofKey, [asked, model]);
  permit(ofTeam, ofItsKey === undefined ? [asked, model] : [model]);
  permit(ofOrg, [model]);
  return model;
}

/** What a name stands for; names such as `constructor`, which every object has, stand for nothing. */
function aliasOf(aliases: Record<string, string> | undefined, name: string): string | undefined {
  return aliases !== undefined && Object.hasOwn(aliases, name) ? aliases[name] : undefined;
}

/** Throws unless every list covers a model by this name. */
export function permitted(call: Authenticated<Credentialed>, name: string): void {
  for (const each of allowlists(call)) permit(each, [name]);
}

function permit({ list, kind, whose }: Allowlist, names: string[]): void {
  if (names.some((name) => allows(list, name))) return;
  const model = shortName(names[0] ?? "");
  throw new GatewayError(
    kind,
    `The model '${model}' is not among those that ${whose} may call: GET /v1/models lists them.`,
    { param: "model" },
  );
}

/** Asks the authorizer whether this identity may use the data plane at all. */
export function mayCall(deps: Deps, call: Authenticated<Credentialed>): void {
  const { principal } = call.identity;
  const { orgId, teamId } = principal;
  const verdict = deps.authorizer.check(principal, "inference", "call", {
    orgId,
    ...(teamId !== undefined && { teamId }),
  });
  if (!verdict.allowed) throw new GatewayError("forbidden", verdict.reason);
}

interface Allowlist {
  list: readonly string[];
  kind: ErrorKind;
  whose: string;
}

/** The lists that all have to cover a model: the key's, the team's, the organization's. */
export function allowlists(call: Authenticated<Credentialed>): [Allowlist, Allowlist, Allowlist] {
  const { key, team, shared } = call.identity;
  return [
    { list: key?.models ?? [], kind: "key_model_not_allowed", whose: "this key" },
    { list: team?.models ?? [], kind: "team_model_not_allowed", whose: "this key's team" },
    { list: shared.org.models, kind: "org_model_not_allowed", whose: "this organization" },
  ];
}
