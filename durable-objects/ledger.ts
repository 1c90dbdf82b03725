import { DurableObject } from "cloudflare:workers";
import type {
  AbandonedDecision,
  ForeignDebit,
  HoldMessage,
  HoldReply,
  LedgerSink,
  ReturnMessage,
  ScopeSpend,
  SettleResult,
  SettleRow,
  SingleMessage,
  SingleReply,
  SpentMessage,
} from "../worker/core/account.ts";
import type { Scope } from "../worker/core/scope.ts";
import type { Definition } from "../worker/core/limits.ts";
import { delivery, ledger } from "./addresses.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { LedgerBook } from "./ledger-book.ts";
import { OutboxDrain } from "./ledger-outbox.ts";
import { HoldQueue } from "./ledger-queue.ts";
import { makeLedgerSink } from "./ledger-sink.ts";
import { LedgerSqlite } from "./ledger-sqlite.ts";
import { ledgerSink } from "./trail.ts";

/** What could not leave is tried again after this time. */
const RETRY_MS = 1_000;
/** What is posted within this time leaves together. */
const GATHER_MS = 250;
/** The object wakes at least this often while anything is on its books. */
const WAKE_MS = 60_000;

/** One object per organization and team, and a few for what spans teams: RPC, storage, alarm and outbox around `LedgerBook`. */
export class Ledger extends DurableObject<Env> {
  /** Where usage and outcomes go. */
  sink: LedgerSink;
  readonly #book: LedgerBook;
  readonly #drain: OutboxDrain;
  readonly #queue: HoldQueue;
  /** When the alarm is due, as far as this instance knows. */
  #alarmAt = Infinity;
  #gathering = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#book = new LedgerBook(new LedgerSqlite(ctx.storage));
    this.#drain = new OutboxDrain(this.#book);
    this.#queue = new HoldQueue({
      attempt: (message, settleForLess, waiting) =>
        this.#book.single(message, Date.now(), settleForLess, waiting),
      setTimer: (work, ms) => setTimeout(work, ms),
      clearTimer: (timer) => clearTimeout(timer as number),
    });
    const trail = ledgerSink(env, (message, fields) =>
      console.error(JSON.stringify({ level: "error", msg: message, ...fields })),
    );
    this.sink = makeLedgerSink({
      trail,
      ledger: (orgId, home) => ledger(env, orgId, home),
      delivery: (orgId) => delivery(env, orgId),
    });
    if (this.#book.nextDue() !== null || this.#book.outbox(1).length > 0) this.#arm(RETRY_MS);
  }

  hold(message: HoldMessage): Promise<Answer<HoldReply>> {
    return answered(async () => {
      this.#arm(WAKE_MS);
      const reply = this.#book.hold(message, Date.now(), this.#queue.closed);
      this.#queue.retry();
      return reply;
    });
  }

  single(message: SingleMessage): Promise<Answer<SingleReply>> {
    return answered(async () => {
      this.#arm(WAKE_MS);
      const reply = await this.#queue.ask(message);
      if (!reply.granted) {
        this.#arm(RETRY_MS);
        this.#drainSoon();
      }
      return reply;
    });
  }

  debit(debits: ForeignDebit[]): Promise<Answer<null>> {
    return answered(async () =>
      this.#posting(() => {
        this.#book.debit(debits, Date.now());
        return null;
      }),
    );
  }

  spent(messages: SpentMessage[]): Promise<Answer<null>> {
    return answered(async () => {
      this.#posting(() => this.#book.spent(messages, Date.now()));
      return null;
    });
  }

  define(definitions: Definition[]): Promise<Answer<number>> {
    return answered(async () => {
      const drainMs = this.#posting(() => this.#book.define(definitions, Date.now()));
      // What a scope spent is where it lives now before the change is answered, unless that can't be reached.
      if (definitions.some(({ moved }) => moved)) await this.#drain.run(this.sink);
      return drainMs;
    });
  }

  return(message: ReturnMessage): Promise<Answer<null>> {
    return answered(async () => {
      this.#book.return(message, Date.now());
      this.#queue.retry();
      return null;
    });
  }

  settle(rows: SettleRow[]): Promise<Answer<SettleResult[]>> {
    return answered(async () => this.#posting(() => this.#book.settle(rows, Date.now())));
  }

  settleAbandoned(decision: AbandonedDecision): Promise<Answer<SettleResult>> {
    return answered(async () =>
      this.#posting(() => this.#book.settleAbandoned(decision, Date.now())),
    );
  }

  spend(scopes: Scope[]): Promise<Answer<ScopeSpend[]>> {
    return answered(async () => this.#book.spend(scopes, Date.now()));
  }

  override async alarm(): Promise<void> {
    try {
      this.#alarmAt = Infinity;
      // The successor first: whatever fails below is tried again (PLATFORM 11).
      this.#arm(RETRY_MS);
      while (this.#book.tick(Date.now()));
      if (await this.#drain.run(this.sink)) this.#rest();
    } catch {
      // The successor is due.
    }
  }

  /** A mutation that fills the outbox. The alarm becomes durable together with it; the drain need not wait for that. */
  #posting<T>(mutate: () => T): T {
    this.#arm(RETRY_MS);
    const result = mutate();
    this.#queue.retry();
    this.#drainSoon();
    return result;
  }

  /** Gathers what is posted meanwhile; a memory that dies before then leaves it to the alarm. */
  #drainSoon(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    setTimeout(() => {
      this.#gathering = false;
      this.ctx.waitUntil(this.#drain.run(this.sink));
    }, GATHER_MS);
  }

  /** Sees to it that the alarm rings within this time. */
  #arm(withinMs: number): void {
    const at = Date.now() + withinMs;
    if (this.#alarmAt <= at) return;
    this.#alarmAt = at;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(at));
  }

  /** Sleeps until the next row is due; not while the outbox has filled anew. */
  #rest(): void {
    if (this.#book.outbox(1).length > 0) return;
    const { storage } = this.ctx;
    const due = this.#book.nextDue();
    this.#alarmAt = due ?? Infinity;
    this.ctx.waitUntil(due === null ? storage.deleteAlarm() : storage.setAlarm(due));
  }
}
