import type { Credentialed } from "./call.ts";
import { readCredential } from "./credential.ts";
import { timeOrderedId } from "./ids.ts";
import type { Deps } from "./ports.ts";

/** The identity-free facts of any request that needs a credential: its id, its key, where it comes from. */
export function greet(deps: Pick<Deps, "now" | "addressOf">, request: Request): Credentialed {
  return {
    requestId: `req_${timeOrderedId(deps.now())}`,
    receivedAt: deps.now(),
    credential: readCredential(request.headers),
    address: deps.addressOf(request),
    ...countryOf(request),
  };
}

/** The ids that every answer carries: ours, and the caller's own as correlation if it is fit for a header. */
export function idHeaders(requestId: string, own: string | null | undefined) {
  return {
    "x-routero-call-id": requestId,
    "x-request-id": own != null && /^[\w.:-]{1,128}$/.test(own) ? own : requestId,
  };
}

/** Where the platform places the client; a header could be written by anybody and is not looked at. */
function countryOf(request: Request): { country?: string } {
  const { cf } = request as { cf?: { country?: unknown } };
  const country = cf?.country;
  return typeof country === "string" && /^[A-Z]{2}$/.test(country) ? { country } : {};
}
