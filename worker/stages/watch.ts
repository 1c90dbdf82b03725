import type { Chosen } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import { admit } from "./authorize.ts";

/**
 * A stream looks this often whether its caller may still have it. A look finds what an earlier one sent for, at the
 * directory's pace of 2 s: twice this, that pace and an answer stay below the promised 5 s.
 */
const LOOK_MS = 1_000;

/** Refusals that say nothing against a request that was admitted: its key ran out in time, or others guess at it. */
const TOLERATED: ReadonlySet<string> = new Set(["expired_key", "rate_limit_exceeded"]);

/** Watches the right of one running stream's caller (PLATFORM 15). */
export interface CallerWatch {
  /** True once the right has ended. */
  readonly ended: boolean;
  /** The work's own outcome, or a throw of the refusal as soon as the right ends. */
  orEnded: <T>(work: Promise<T>) => Promise<T>;
  stop: () => void;
}

/**
 * Starts to watch; it lives in the request's own context and ends with `stop`. The caller's right ends when its key is
 * revoked, changed to another token or blocked, when what stands above the key is, when the model leaves an allowlist or
 * the customer is blocked, or when none of this can be known fresh any more.
 */
export function watchCaller(deps: Deps, call: Chosen): CallerWatch {
  let refusal: GatewayError | null = null;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wake: () => void = () => undefined;

  const look = async () => {
    const found = await refusalOf(deps, call);
    if (stopped) return;
    if (found === null) timer = setTimeout(() => void look(), LOOK_MS);
    else {
      refusal = found;
      wake();
    }
  };
  // The master key is part of the configuration: it can't be revoked under a running isolate.
  if (call.identity.principal.keyId !== undefined) void look();

  return {
    get ended() {
      return refusal !== null;
    },
    async orEnded<T>(work: Promise<T>): Promise<T> {
      if (refusal !== null) throw refusal;
      let forget: () => void = () => undefined;
      const end = new Promise<void>((resolve) => {
        wake = resolve;
        forget = resolve;
      });
      try {
        const result = await Promise.race([work, end.then(() => ENDED)]);
        if (refusal === null) return result as T;
        work.catch(() => undefined);
        throw refusal;
      } finally {
        wake = () => undefined;
        forget();
      }
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

const ENDED = Symbol("ended");

/** Why the caller may not have the rest; null where the rows are those that admitted it, or admit it anew. */
async function refusalOf(deps: Deps, call: Chosen): Promise<GatewayError | null> {
  const { identity } = call;
  const { orgId, keyId = "" } = identity.principal;
  try {
    const { shared, key, team, user } = await deps.directory.open(orgId, keyId);
    const same =
      shared === identity.shared &&
      key === identity.key &&
      team === identity.team &&
      user === identity.user;
    // The rows are replaced as a whole when they change: being the same object means being unchanged.
    if (!same) admit(deps, { ...call, identity: await deps.prove(call) });
    return null;
  } catch (cause) {
    if (cause instanceof GatewayError) return TOLERATED.has(cause.kind) ? null : cause;
    return new GatewayError(
      "control_plane_unavailable",
      "The control plane can't be reached now.",
      {
        cause,
      },
    );
  }
}
