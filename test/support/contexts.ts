import type { Timer } from "../../worker/store/audit-group.ts";

/** A request's context: what it started goes on only while it lives. */
export interface Context {
  alive: boolean;
}

interface Due {
  at: number;
  order: number;
  context: Context;
  run: () => void;
}

/** Virtual time with request contexts. Timers and answers of a context that was cut never arrive (PLATFORM 1, 3). */
export class Contexts {
  now = 1_800_000_000_000;
  #order = 0;
  #queue: Due[] = [];

  /** Runs something after a time, unless its context is dead by then. */
  in(ms: number, context: Context, run: () => void): Due {
    const due = { at: this.now + ms, order: this.#order++, context, run };
    this.#queue.push(due);
    return due;
  }

  /** Answers after a time with what `work` says then; never, if the context was cut. */
  later<T>(ms: number, context: Context, work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.in(ms, context, () => {
        void Promise.resolve().then(work).then(resolve, reject);
      });
    });
  }

  after(ms: number, context: Context): Timer {
    let due: Due | undefined;
    const done = new Promise<void>((resolve) => {
      due = this.in(ms, context, resolve);
    });
    const cancel = () => {
      this.#queue = this.#queue.filter((each) => each !== due);
    };
    return { done, cancel };
  }

  /** Lets time pass until nothing is left to happen. */
  async run(): Promise<void> {
    for (;;) {
      await new Promise(setImmediate);
      const next = this.#queue.toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!next) return;
      this.#queue = this.#queue.filter((each) => each !== next);
      this.now = next.at;
      if (next.context.alive) next.run();
    }
  }
}
