import { LedgerBook } from "../../durable-objects/ledger-book.ts";
import { OutboxDrain } from "../../durable-objects/ledger-outbox.ts";
import { HoldQueue } from "../../durable-objects/ledger-queue.ts";
import { makeLedgerSink } from "../../durable-objects/ledger-sink.ts";
import type { LedgerPort } from "../../worker/core/account.ts";
import type { Definition } from "../../worker/core/limits.ts";
import { pause } from "../../worker/core/time.ts";
import { LedgerMemory } from "./ledger-memory.ts";

/** What becomes of the calls between isolates and ledgers, and among ledgers. */
export interface Network {
  /** A number below another, the same in each run of the same seed. */
  below: (n: number) => number;
  /** Calls of 100 that go wrong in some way. */
  faults: number;
}

/** How often the object's alarm rings while anything is on its books. */
const ALARM_MS = 1_000;

/** Ledgers as their objects run them, behind a network that delays, loses and doubles; time is that of fake timers. */
export class LedgerHomes {
  readonly #network: Network;
  readonly #homes = new Map<string, Home>();

  constructor(network: Network) {
    this.#network = network;
  }

  /** A ledger as somebody sees it who is gone when `alive` says so: nothing of theirs leaves or arrives then. */
  port(name: string, alive: () => boolean = () => true): LedgerPort {
    const home = this.home(name);
    const call =
      <Message, Answer>(work: (message: Message) => Answer | Promise<Answer>) =>
      (message: Message): Promise<Answer> =>
        this.#call(structuredClone(message), work, alive, home);
    return {
      hold: call((message) => home.hold(message)),
      single: call((message) => home.queue.ask(message)),
      return: call((message) => home.posting(() => home.book.return(message, Date.now()))),
      settle: call((rows) => home.posting(() => home.book.settle(rows, Date.now()))),
      settleAbandoned: call((decision) =>
        home.posting(() => home.book.settleAbandoned(decision, Date.now())),
      ),
      debit: call((debits) => home.posting(() => home.book.debit(debits, Date.now()))),
      spent: call((messages) => home.posting(() => home.book.spent(messages, Date.now()))),
      define: async (definitions) => home.posting(() => home.book.define(definitions, Date.now())),
      spend: async (scopes) => home.book.spend(scopes, Date.now()),
    };
  }

  home(name: string): Home {
    const known = this.#homes.get(name) ?? new Home((other) => this.port(other));
    this.#homes.set(name, known);
    return known;
  }

  define(name: string, definitions: readonly Definition[]): void {
    const home = this.home(name);
    home.posting(() => home.book.define(definitions, Date.now()));
  }

  all(): [string, Home][] {
    return [...this.#homes];
  }

  heal(): void {
    this.#network.faults = 0;
  }

  async #call<Message, Answer>(
    message: Message,
    work: (message: Message) => Answer | Promise<Answer>,
    alive: () => boolean,
    home: Home,
  ): Promise<Answer> {
    const { queue } = home;
    const { below, faults } = this.#network;
    const fate = below(100) < faults ? FATES[below(FATES.length)] : "fine";
    const far = fate === "slow" ? 3_000 : 40;
    if (!alive()) return never();
    await pause(below(far));
    if (fate === "lost") throw new Error("No way there.");
    const answer = structuredClone(await work(message));
    if (fate === "twice") {
      // One that was made anew remembers no refusal: what it grants after all is free when it is reclaimed.
      const again = async () => void (home.queue === queue && (await work(message)));
      setTimeout(() => void again().catch(() => undefined), below(6_000));
    }
    await pause(below(far));
    if (fate === "no answer") throw new Error("No way back.");
    return fate === "hangs" || !alive() ? never() : answer;
  }
}

const FATES = ["lost", "no answer", "hangs", "slow", "twice"] as const;

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** One ledger, as `durable-objects/ledger.ts` runs it. */
export class Home {
  readonly storage = new LedgerMemory();
  /** Looks at the books after each change. */
  watch: () => void = () => undefined;
  book = new LedgerBook(this.storage);
  queue = this.#newQueue();
  readonly #drain = new OutboxDrain({
    outbox: (limit) => this.book.outbox(limit),
    delivered: (seqs) => this.book.delivered(seqs),
  });
  readonly #sink;

  constructor(port: (name: string) => LedgerPort) {
    this.#sink = makeLedgerSink({
      trail: { deliver: async (batch) => batch.map(({ seq }) => seq) },
      ledger: (_, home) => port(home),
      delivery: () => ({ tell: async () => undefined }),
    });
    const alarm = () => {
      while (this.book.tick(Date.now()));
      void this.#drain.run(this.#sink);
      setTimeout(alarm, ALARM_MS);
    };
    setTimeout(alarm, ALARM_MS);
  }

  hold(message: Parameters<LedgerBook["hold"]>[0]) {
    return this.posting(() => this.book.hold(message, Date.now(), this.queue.closed));
  }

  posting<T>(work: () => T): T {
    const value = work();
    this.queue.retry();
    this.watch();
    setTimeout(() => void this.#drain.run(this.#sink), 250);
    return value;
  }

  /** The object is made anew over what is on disk; who waited there is answered by nobody. */
  restart(): void {
    this.book = new LedgerBook(this.storage);
    this.queue = this.#newQueue();
  }

  #newQueue(): HoldQueue {
    const { book } = this;
    const queue: HoldQueue = new HoldQueue({
      attempt: (message, less, waiting) => {
        const reply = book.single(message, Date.now(), less, waiting);
        this.watch();
        return reply;
      },
      // What an object waits for is gone with it.
      setTimer: (work, ms) => setTimeout(() => this.queue === queue && work(), ms),
      clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
    });
    return queue;
  }
}
