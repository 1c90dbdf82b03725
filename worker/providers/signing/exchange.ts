import { beginningOf } from "../../core/body.ts";
import { isJsonObject } from "../../core/json.ts";
import { parsed } from "../../protocols/fields.ts";
import { checkEgress } from "../egress.ts";
import { SigningFault } from "./fault.ts";
import type { SigningWorld } from "./index.ts";

/** An identity service that takes longer is as good as gone. */
const PATIENCE_MS = 10_000;
/** A token is not used in its last minute: a request that carries it may be on its way that long. */
const MARGIN_MS = 60_000;
const MAX_TOKENS = 1_000;

/**
 * A token for a secret: the one that this isolate holds, or a new one from the identity service at `url` by a form of
 * `fields`. The service is guarded like every configurable address. `name` is what the token is bound to.
 */
export async function exchanged(
  name: string,
  world: SigningWorld,
  ask: () => Promise<{ url: string; fields: Record<string, string> }>,
): Promise<string> {
  const { accessTokens } = world.isolate;
  const key = await digest(name);
  const known = accessTokens.get(key);
  if (known !== undefined && world.now() < known.until) return known.token;
  const { url, fields } = await ask();
  const { token, seconds } = await fetched(url, fields, world);
  if (accessTokens.size >= MAX_TOKENS) {
    const oldest = accessTokens.keys().next().value;
    if (oldest !== undefined) accessTokens.delete(oldest);
  }
  accessTokens.set(key, { token, until: world.now() + seconds * 1000 - MARGIN_MS });
  return token;
}

async function fetched(
  url: string,
  fields: Record<string, string>,
  world: SigningWorld,
): Promise<{ token: string; seconds: number }> {
  let response: Response;
  try {
    checkEgress(url, world.settings, "token_uri");
    response = await world.upstream.send({
      url,
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      body: new URLSearchParams(fields).toString(),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (cause) {
    if (cause instanceof Error && "kind" in cause) {
      throw new SigningFault(
        "The identity service that the stored credential names is not allowed.",
      );
    }
    throw new SigningFault("The provider's identity service can't be reached.", 503);
  }
  if (response.status >= 500) {
    await response.body?.cancel();
    throw new SigningFault("The provider's identity service is failing.", 503);
  }
  const body = parsed(await beginningOf(response.body).catch(() => ""));
  const token = isJsonObject(body) ? body["access_token"] : undefined;
  if (response.status !== 200 || !isJsonObject(body) || typeof token !== "string") {
    // Its words may quote the credential and stay out.
    throw new SigningFault("The provider's identity service refused the stored credential.");
  }
  const seconds = Number(body["expires_in"]);
  return { token, seconds: Number.isFinite(seconds) ? seconds : 300 };
}

/** Tokens are found by a digest, so that no secret is the name of anything. */
async function digest(name: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name));
  return Buffer.from(bytes).toString("base64url");
}
