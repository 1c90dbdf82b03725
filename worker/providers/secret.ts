import type { Deployment } from "../core/model.ts";
import type { CredentialRecord, OrgShared } from "../core/records.ts";
import { findProvider } from "./catalog.ts";

/** Where the secret of a deployment is; `gone` = it names a credential that is not there, or is another host's. */
export type SecretSource =
  | { kind: "stored"; credential: CredentialRecord }
  | { kind: "platform"; provider: string }
  | { kind: "none" }
  | { kind: "gone" };

/** A secret is sent to the host that it was saved for, and nowhere else. */
export function secretSource(
  shared: Pick<OrgShared, "credentials">,
  { provider, baseUrl, credentialId }: Deployment,
): SecretSource {
  if (credentialId !== undefined) {
    const credential = shared.credentials.find((each) => each.id === credentialId);
    if (credential === undefined || credential.host !== new URL(baseUrl).host) {
      return { kind: "gone" };
    }
    return { kind: "stored", credential };
  }
  // A key for the whole provider, the organization's or else the platform's, goes to the catalog's address alone.
  if (baseUrl !== findProvider(provider)?.baseUrl) return { kind: "none" };
  const { host } = new URL(baseUrl);
  const own = shared.credentials.find(
    (each) => each.byok && each.provider === provider && each.host === host,
  );
  return own ? { kind: "stored", credential: own } : { kind: "platform", provider };
}
