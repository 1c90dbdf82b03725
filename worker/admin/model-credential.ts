import type { Statement } from "../core/ports.ts";
import { findCredential, type CredentialRow } from "../store/credentials.ts";
import type { AdminContext } from "./context.ts";
import { invalidField } from "./faults.ts";
import { newCredential } from "./new-credential.ts";
import { withoutPrices, type LitellmParams, type Place } from "./new-model.ts";
import { notFound } from "./operation.ts";

/** The stored credential that a model names; its absence is refused like that of anything else. */
export async function namedCredential(
  ctx: AdminContext,
  params: Pick<LitellmParams, "litellm_credential_name">,
): Promise<CredentialRow | null> {
  const name = params.litellm_credential_name;
  if (name == null) return null;
  ctx.require("credential", "read", { orgId: ctx.orgId });
  const row = await findCredential(ctx.deps.db, ctx.orgId, name);
  if (row?.name == null) throw notFound("credential", "litellm_params.litellm_credential_name");
  return row;
}

/** The address of a model: its own, or else the one that its credential was stored with. */
export function addressed<T extends Pick<LitellmParams, "api_base">>(
  params: T,
  named: CredentialRow | null,
): T {
  return params.api_base == null && named?.apiBase != null
    ? { ...params, api_base: named.apiBase }
    : params;
}

/** The credential of a new deployment: a named one, or its own with the statement that keeps it, or none. */
export async function credentialFor(
  ctx: AdminContext,
  params: Pick<LitellmParams, "api_key">,
  place: Place,
  named: CredentialRow | null,
): Promise<{ row: CredentialRow; statement?: Statement } | null> {
  const { api_key: secret } = params;
  if (named !== null) {
    if (secret != null) {
      throw invalidField(["litellm_params", "api_key"], "Not together with a stored credential");
    }
    if (named.provider !== place.provider || named.host !== place.host) {
      throw invalidField(
        ["litellm_params", "litellm_credential_name"],
        "This credential was stored for another provider or host",
      );
    }
    return { row: named };
  }
  if (secret == null) return null;
  return newCredential(ctx, sealingOf(place, secret));
}

/** What it takes to seal a deployment's own secret. */
export function sealingOf(place: Place, secret: string) {
  const { provider, host } = place;
  if (host === null) {
    throw invalidField(["litellm_params", "api_key"], `${provider} takes no key`);
  }
  return { provider, host, apiBase: null, secret };
}

/** The columns of a deployment that its parameters fill; secrets and prices are kept elsewhere. */
export function deploymentColumnsOf(place: Place, params: LitellmParams) {
  const { api_key: _, tags, timeout, weight, order, ...kept } = params;
  return {
    provider: place.provider,
    model: place.model,
    protocol: place.protocol,
    baseUrl: place.baseUrl,
    region: params.region_name ?? null,
    weight: weight ?? 1,
    order: order ?? 0,
    tags: tags ?? [],
    timeoutMs: timeout == null ? null : Math.ceil(timeout * 1000),
    litellmParams: { ...withoutPrices(kept), ...(timeout != null && { timeout }) },
  };
}
