/** How long a follower waits for another request's flight before it acts for itself. */
const FOLLOW_MS = 250;
/** A mark older than this is void: the context that carried the flight may have died with its request. */
const VOID_MS = 2_000;

interface Flight {
  startedAt: number;
  done: Promise<void>;
  settled: boolean;
}

/**
 * Work of an isolate that is worth doing once for many requests (PLATFORM 5). A flight belongs to the request that
 * started it: that one keeps it alive, the others only watch it for a moment, and what they gain is found in memory.
 */
export class Flights {
  readonly #byName = new Map<string, Flight>();

  /** True while a mark of this name is young, whether its flight still runs or failed: for work nobody waits for. */
  recent(name: string, now: number): boolean {
    const flight = this.#byName.get(name);
    return flight !== undefined && now - flight.startedAt < VOID_MS;
  }

  /**
   * Watches a running flight of this name for at most 250 ms; null at once if there is none. Never throws: a follower
   * does not inherit a failure, it looks at memory and goes on alone.
   */
  follow(name: string, now: number): Promise<void> | null {
    const flight = this.#byName.get(name);
    if (!flight || flight.settled || now - flight.startedAt >= VOID_MS) return null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FOLLOW_MS);
    });
    const landed = flight.done.catch(() => undefined);
    return Promise.race([landed, patience]).finally(() => clearTimeout(timer));
  }

  /** Starts a flight in place of any other of its name, kept alive by the request that starts it. */
  start(
    name: string,
    now: number,
    work: () => Promise<void>,
    waitUntil: (work: Promise<unknown>) => void,
  ): Promise<void> {
    const done = work();
    const flight: Flight = { startedAt: now, done, settled: false };
    this.#byName.set(name, flight);
    const clear = (landed: boolean) => {
      flight.settled = true;
      // A failed flight leaves its mark until it is void, so that a dead control plane is not stormed.
      if (landed && this.#byName.get(name) === flight) this.#byName.delete(name);
    };
    waitUntil(
      done.then(
        () => clear(true),
        () => clear(false),
      ),
    );
    return done;
  }
}
