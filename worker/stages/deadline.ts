import { GatewayError } from "../core/errors.ts";
import { AttemptFault } from "./attempt.ts";
import type { Span } from "./patience.ts";

/** A silence this long tells something of a deployment, whatever else its callers are given. */
const TELLING_MS = 30_000;

/** The clock of one attempt: it aborts the provider's request when a wait takes too long or the caller has left. */
export interface Deadline {
  signal: AbortSignal;
  /**
   * Awaits at most the span's `ms` from `since` (from now where absent), and never past the request's own end; then
   * aborts and throws a timeout fault that says what was awaited.
   */
  within: <T>(span: Span, what: string, wait: Promise<T>, since?: number) => Promise<T>;
  abort: () => void;
}

/** `until` = Unix milliseconds at which the whole request ends. */
export function deadline(until: number, now: () => number): Deadline {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    async within<T>({ ms, usual }: Span, what: string, wait: Promise<T>, since = now()) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const begun = now();
      const left = Math.max(0, until - begun);
      const allowed = Math.max(0, Math.min(since + ms - begun, left));
      const waited = begun - since + allowed;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(
            new AttemptFault({
              class: "timeout",
              status: 0,
              message: `The provider did not send ${what} within ${timeText(waited)}${allowed === left ? ", when this request's time was up" : ""}.`,
              // Others would have waited for what this request did not.
              ...(waited < Math.min(usual, TELLING_MS) && { early: waited }),
            }),
          );
          controller.abort();
        }, allowed);
      });
      try {
        return await Promise.race([wait.catch(brokeOff), late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** What the wait itself threw is the connection's, unless it says what it is. */
function brokeOff(cause: unknown): never {
  if (cause instanceof AttemptFault || cause instanceof GatewayError) throw cause;
  throw new AttemptFault({
    class: "connection",
    status: 0,
    message: "The connection to the provider failed.",
  });
}

function timeText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
