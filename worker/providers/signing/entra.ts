import { exchanged } from "./exchange.ts";
import { SigningFault } from "./fault.ts";
import type { SigningWorld } from "./index.ts";

const SCOPE = "https://cognitiveservices.azure.com/.default";
const AUTHORITY = "https://login.microsoftonline.com";

/** A Microsoft Entra token for an application's id and secret in its tenant. */
export function entraToken(
  parts: Readonly<Record<string, string>>,
  world: SigningWorld,
): Promise<string> {
  const { tenant_id: tenant, client_id: client, client_secret: secret } = parts;
  if (tenant === undefined || client === undefined || secret === undefined) {
    throw new SigningFault(
      "The stored Azure credential holds neither a key, a token nor an application.",
    );
  }
  const authority = parts["azure_authority_host"] ?? AUTHORITY;
  const url = `${authority.replace(/\/+$/, "")}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`;
  return exchanged(["entra", url, client, secret].join("\n"), world, async () => ({
    url,
    fields: {
      grant_type: "client_credentials",
      client_id: client,
      client_secret: secret,
      scope: SCOPE,
    },
  }));
}
