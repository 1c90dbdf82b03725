const MAX_SOURCES = 10_000;

/** Counts failures per source in fixed windows; in memory, bounded, forgotten with its object. */
export class FailureLimit {
  readonly #most: number;
  readonly #windowMs: number;
  readonly #sources = new Map<string, { failures: number; endsAt: number }>();

  constructor(most: number, windowMs: number) {
    this.#most = most;
    this.#windowMs = windowMs;
  }

  /** Seconds until this source may try again; 0 = now. */
  wait(source: string, now: number): number {
    const known = this.#sources.get(source);
    if (!known || known.endsAt <= now || known.failures < this.#most) return 0;
    return Math.ceil((known.endsAt - now) / 1000);
  }

  count(source: string, now: number): void {
    const known = this.#sources.get(source);
    if (known && known.endsAt > now) {
      known.failures++;
      return;
    }
    if (this.#sources.size >= MAX_SOURCES) {
      const oldest = this.#sources.keys().next().value;
      if (oldest !== undefined) this.#sources.delete(oldest);
    }
    this.#sources.delete(source);
    this.#sources.set(source, { failures: 1, endsAt: now + this.#windowMs });
  }
}
