import type { Isolate } from "../../core/isolate.ts";
import type { Settings, Upstream, UpstreamRequest } from "../../core/ports.ts";
import type { ProviderAuth } from "../catalog.ts";
import { secretParts } from "../hosting.ts";
import { awsHeaders } from "./aws.ts";
import { entraToken } from "./entra.ts";
import { googleToken } from "./google.ts";

/** What signing may need of the world: some secrets are exchanged for a token first. */
export interface SigningWorld {
  upstream: Upstream;
  isolate: Pick<Isolate, "accessTokens">;
  settings: Pick<Settings, "allowPrivateUpstreams">;
  now: () => number;
}

/** A request without its credential. */
export type Unsigned = Pick<UpstreamRequest, "url" | "method" | "headers" | "body">;

/**
 * The headers that prove who asks, as the provider's row says; none where the provider takes none. A secret is one
 * key, or a JSON object of named parts. Throws `SigningFault` for a secret that can't be used.
 */
export async function signatureOf(
  auth: ProviderAuth,
  secret: string | null,
  request: Unsigned,
  params: Readonly<Record<string, string>>,
  world: SigningWorld,
): Promise<Record<string, string>> {
  if (auth === "none" || secret === null) return {};
  const parts = secretParts(secret);
  if (typeof auth === "object") return { [auth.header]: secret };
  const key = parts?.["api_key"] ?? (parts === null ? secret : undefined);
  switch (auth) {
    case "bearer":
      return bearer(key ?? secret);
    case "azure":
      if (key !== undefined) return { "api-key": key };
      return bearer(parts?.["azure_ad_token"] ?? (await entraToken(parts ?? {}, world)));
    case "google":
      if (key !== undefined) return { "x-goog-api-key": key };
      return bearer(await googleToken(parts?.["vertex_credentials"] ?? "", world));
    case "aws":
      if (key !== undefined) return bearer(key);
      return awsHeaders(parts ?? {}, request, params);
  }
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
