import type { Chosen } from "../core/call.ts";
import type { AnnouncedLimits } from "../core/health.ts";
import type { Deps } from "../core/ports.ts";
import { isAboutState } from "../protocols/faults.ts";
import { announcedLimits } from "../protocols/limits.ts";
import { withoutState } from "../protocols/carried.ts";
import { AttemptFault, refusalOf } from "./attempt.ts";
import type { Deadline } from "./deadline.ts";
import type { Span } from "./patience.ts";
import { prepare, type Prepared } from "./prepare.ts";

/** What was sent in the end, and the answer's head. */
export interface Asked {
  prepared: Prepared;
  response: Response;
  /** What its headers say of the provider's limits. */
  limits: AnnouncedLimits | undefined;
}

/**
 * Sends one attempt; throws the provider's refusal. Signed state that the provider does not accept is left out and the
 * same deployment asked once more within the same attempt (PROTOCOLS 23): the caller's history is not its fault. `span`
 * counts from `since`, Unix milliseconds.
 */
export async function ask(
  deps: Deps,
  call: Chosen,
  prepared: Prepared,
  { clock, span, since }: { clock: Deadline; span: Span; since: number },
): Promise<Asked> {
  const send = async (what: Prepared): Promise<Response> => {
    const sent = deps.upstream.send({ ...what.request, signal: clock.signal });
    const response = await clock.within(span, "an answer", sent, since);
    if (response.status === 200) return response;
    const refusal = refusalOf(response, what.protocol);
    throw await clock.within(span, "its refusal", refusal, since);
  };
  try {
    return answered(prepared, await send(prepared));
  } catch (cause) {
    if (!(cause instanceof AttemptFault && isAboutState(cause.fault))) throw cause;
    const bare = await withoutSignatures(deps, call, prepared);
    if (bare === null) throw cause;
    return answered(bare, await send(bare));
  }
}

function answered(prepared: Prepared, response: Response): Asked {
  const limits = announcedLimits(response.headers, prepared.protocol.provider.limits ?? []);
  return { prepared, response, limits };
}

/** The same request without signed state; null where it had none. */
async function withoutSignatures(
  deps: Deps,
  call: Chosen,
  { deployment, rewritten, verbatim }: Prepared,
): Promise<Prepared | null> {
  const { chat, dropped } = withoutState(rewritten?.chat ?? call.chat);
  // A signature that is missing where one must be is put right by writing the request anew.
  if (dropped.length === 0 && !verbatim) return null;
  const bare = await prepare(deps, call, deployment, { ...rewritten, chat });
  return { ...bare, degraded: [...new Set([...bare.degraded, ...dropped])] };
}
