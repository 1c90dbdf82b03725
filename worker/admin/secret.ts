import * as z from "zod";
import { GatewayError } from "../core/errors.ts";
import { secretParts } from "../providers/hosting.ts";

/** A provider's key, or one part of what it takes. */
export const secretText = z
  .string()
  .min(1, "Must not be empty")
  .max(8192, "At most 8192 characters")
  .regex(/^[\x21-\x7e]+$/, "Must be printable ASCII without spaces");

/** A secret of the environment must not be named from outside: whoever may call could read it off a host of his. */
export function checkSecret(secret: string, param = "litellm_params.api_key"): void {
  if (!secret.startsWith("os.environ/")) return;
  throw new GatewayError(
    "invalid_request",
    `${param}: os.environ/… is not accepted over HTTP; send the secret itself, it is kept sealed.`,
    { param },
  );
}

/** Parts by which people recognize a secret of several; they are no secrets themselves. */
const PUBLIC_PARTS = ["aws_access_key_id", "client_id"] as const;

/** What people recognize a secret by; nothing of one that is too short to spare it. */
export function lastFourOf(secret: string): string {
  const parts = secretParts(secret);
  if (parts === null) return secret.length >= 16 ? secret.slice(-4) : "";
  const name = PUBLIC_PARTS.find((each) => parts[each] !== undefined);
  return name === undefined ? "" : (parts[name] ?? "").slice(-4);
}
