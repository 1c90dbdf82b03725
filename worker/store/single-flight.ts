/** How long a follower waits for another request's flight before it acts for itself. */
const FOLLOW_MS = 250;
/** A mark older than this is void: the context that carried the flight may have died with its request. */
const VOID_MS = 2_000;
const MAX_STEP_MS = 16;
const MAX_MARKS = 10_000;

interface Flight {
  startedAt: number;
  settled: boolean;
}

/**
 * Work of an isolate that is worth doing once for many requests (PLATFORM 5). A flight belongs to the request that
 * started it and is kept alive by that one. Others only look at its mark, which is plain data, and find what it brought
 * in memory: to hang on a promise of a request that was cut would be to hang for ever.
 */
export class Flights {
  readonly #byName = new Map<string, Flight>();

  /** True while a mark of this name is young, whether its flight still runs or failed: for work nobody waits for. */
  recent(name: string, now: number): boolean {
    const flight = this.#byName.get(name);
    return flight !== undefined && now - flight.startedAt < VOID_MS;
  }

  /**
   * Waits at most 250 ms for a running flight of this name; null at once if there is none. Never throws: a follower
   * does not inherit a failure, it looks at memory and goes on alone.
   */
  follow(name: string, now: number): Promise<void> | null {
    const flight = this.#byName.get(name);
    if (!flight || flight.settled || now - flight.startedAt >= VOID_MS) return null;
    return watch(flight);
  }

  /** Starts a flight in place of any other of its name, kept alive by the request that starts it. */
  start(
    name: string,
    now: number,
    work: () => Promise<void>,
    waitUntil: (work: Promise<unknown>) => void,
  ): Promise<void> {
    const flight: Flight = { startedAt: now, settled: false };
    // Marks of failed and cut flights stay until they are replaced, or forgotten here.
    if (this.#byName.size >= MAX_MARKS) this.#byName.clear();
    this.#byName.set(name, flight);
    const settle = (landed: boolean) => {
      flight.settled = true;
      // A failed flight leaves its mark until it is void, so that a dead control plane is not stormed.
      if (landed && this.#byName.get(name) === flight) this.#byName.delete(name);
    };
    const done = work();
    waitUntil(
      done.then(
        () => settle(true),
        () => settle(false),
      ),
    );
    return done;
  }
}

/** Looks at the mark by timers of the follower's own, the more rarely the longer it takes. */
async function watch(flight: Flight): Promise<void> {
  let step = 1;
  for (let left = FOLLOW_MS; left > 0 && !flight.settled; left -= step) {
    step = Math.min(step * 2, MAX_STEP_MS, left);
    await new Promise((resolve) => setTimeout(resolve, step));
  }
}
