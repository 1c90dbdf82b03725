import type { Authenticated, Credentialed } from "../core/call.ts";
import type { Deps } from "../core/ports.ts";

/** Turns the credential into an identity, or refuses; everything after this line knows whose request it is. */
export async function authenticate<T extends Credentialed>(
  deps: Deps,
  call: T,
): Promise<Authenticated<T>> {
  return { ...call, identity: await deps.prove(call) };
}
