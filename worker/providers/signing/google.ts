import { importPKCS8, SignJWT } from "jose";
import { isJsonObject } from "../../core/json.ts";
import { exchanged } from "./exchange.ts";
import { SigningFault } from "./fault.ts";
import type { SigningWorld } from "./index.ts";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URI = "https://oauth2.googleapis.com/token";

/** What a service account's JSON key says that matters here. */
export interface ServiceAccount {
  client_email: string;
  private_key: string;
  private_key_id?: string;
  token_uri: string;
}

/** Reads a service account's JSON key; null for anything else. */
export function serviceAccount(text: string): ServiceAccount | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isJsonObject(value)) return null;
  const { client_email, private_key, private_key_id, token_uri = TOKEN_URI } = value;
  if (typeof client_email !== "string" || typeof private_key !== "string") return null;
  if (typeof token_uri !== "string") return null;
  return {
    client_email,
    private_key,
    token_uri,
    ...(typeof private_key_id === "string" && { private_key_id }),
  };
}

/** An access token for a service account: a signed assertion, exchanged at its token address. */
export function googleToken(credentials: string, world: SigningWorld): Promise<string> {
  const account = serviceAccount(credentials);
  if (account === null) throw new SigningFault("The stored Google service account is no JSON key.");
  return exchanged(["google", credentials].join("\n"), world, async () => ({
    url: account.token_uri,
    fields: {
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: await assertion(account, Math.floor(world.now() / 1000)),
    },
  }));
}

async function assertion(account: ServiceAccount, seconds: number): Promise<string> {
  try {
    const key = await importPKCS8(account.private_key, "RS256");
    return await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({
        alg: "RS256",
        typ: "JWT",
        ...(account.private_key_id !== undefined && { kid: account.private_key_id }),
      })
      .setIssuer(account.client_email)
      .setAudience(account.token_uri)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + 3600)
      .sign(key);
  } catch {
    throw new SigningFault("The private key of the stored Google service account can't be read.");
  }
}
