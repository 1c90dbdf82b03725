import { AttemptFault } from "./attempt.ts";

/** The clock of one attempt: it aborts the provider's request when a wait takes too long or the caller has left. */
export interface Deadline {
  signal: AbortSignal;
  /** Awaits at most `ms` (and never past the total); then aborts and throws a timeout fault that says what was awaited. */
  within: <T>(ms: number, what: string, wait: Promise<T>) => Promise<T>;
  abort: () => void;
}

/** `remaining` gives the milliseconds that the whole request still has. */
export function deadline(remaining: () => number): Deadline {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    async within<T>(ms: number, what: string, wait: Promise<T>): Promise<T> {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const allowed = Math.max(0, Math.min(ms, remaining()));
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(
            new AttemptFault({
              class: "timeout",
              status: 0,
              message: `The provider did not send ${what} within ${Math.round(allowed / 100) / 10} s.`,
            }),
          );
          controller.abort();
        }, allowed);
      });
      try {
        return await Promise.race([wait, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
