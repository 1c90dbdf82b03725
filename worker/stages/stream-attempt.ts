import { joined } from "../core/bytes.ts";
import type { Chosen, Progress } from "../core/call.ts";
import type { ChatEvent, ChatRequest } from "../core/chat.ts";
import { GatewayError } from "../core/errors.ts";
import type { AnnouncedLimits } from "../core/health.ts";
import type { Deployment } from "../core/model.ts";
import { costOf, usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import type { TokenUsage } from "../core/usage.ts";
import { isFramed, splitterOf } from "../protocols/framing.ts";
import type { StreamMeta } from "../protocols/protocol.ts";
import {
  shownUsage,
  Splice,
  TRIM_MS,
  type Continuation,
  type Share,
} from "../routing/continuation/index.ts";
import { ask } from "./ask.ts";
import { AttemptFault, record, type AttemptResult } from "./attempt.ts";
import type { CallerView, Unit } from "./caller-view.ts";
import { deadline, type Deadline } from "./deadline.ts";
import { patienceOf, type Patience } from "./patience.ts";
import { prepare, type Prepared } from "./prepare.ts";
import { complete, translatingReader, verbatimReader } from "./stream-reader.ts";
import { StreamTally } from "./stream-tally.ts";
import { timer, type Timer } from "./timer.ts";

/** The rest of an answer that was begun elsewhere: how it is asked for, and the request that asks. */
export interface Rest {
  how: Continuation;
  chat: ChatRequest;
}

/** What all attempts of one stream share. */
export interface StreamState {
  deps: Deps;
  call: Chosen;
  progress: Progress;
  view: CallerView;
  /** What each attempt brought to the answer so far. */
  shares: Share[];
  /** The attempt whose content the caller gets; others beside it have lost. */
  serving: StreamAttempt | null;
  /** Those that have not ended. */
  running: Set<StreamAttempt>;
}

/**
 * One attempt at one deployment: wire events in, the caller's bytes out; usage and times on the side. Without a `rest`
 * it answers the caller's request, with one it goes on with the answer that the caller has.
 */
export class StreamAttempt {
  private readonly state: StreamState;
  private readonly deployment: Deployment;
  private readonly patience: Patience;
  private readonly rest: Rest | null;
  private readonly splice: Splice | null;
  private readonly clock: Deadline;
  private readonly tally: StreamTally;
  private readonly startedAt: number;
  private requestBytes: number;
  private served = false;
  private sent = false;
  /** The provider's answer is whole but for the last words, which are the gateway's to say. */
  unsaid = false;
  /** A whole answer of which the provider's filter left nothing but the end. */
  withheld: Uint8Array | null = null;
  private closed = false;
  private limits: AnnouncedLimits | undefined;

  constructor(state: StreamState, step: Step, rest: Rest | null) {
    const { deps, call } = state;
    this.state = state;
    this.deployment = step.deployment;
    this.patience = patienceOf(call, step);
    this.rest = rest;
    this.splice = rest && new Splice(state.view.delivered, rest.how);
    this.clock = deadline(call.deadline, deps.now);
    this.tally = new StreamTally(call.chat, deps.now);
    this.startedAt = deps.now();
    this.requestBytes = call.bytes;
    state.progress.running.push(this.startedAt);
  }

  /** Ends the provider's request. */
  abort(): void {
    this.clock.abort();
  }

  async *run(): AsyncGenerator<Uint8Array, void> {
    const { clock, tally, splice } = this;
    const { view, deps } = this.state;
    const { first, between } = this.patience;
    const { prepared, reader } = await this.open(await this.prepared());
    const splitter = splitterOf(prepared.framing);
    const read = this.reader(prepared);
    let pending: Unit[] = [];
    let trimmed: Timer | null = null;
    let next: ReturnType<typeof reader.read> | null = null;
    // How long an event was waited for already: bytes that end none put nothing off, nor does a caller who reads slowly.
    let quiet = 0;
    try {
      while (!tally.done) {
        next ??= reader.read();
        const waits = tally.firstContentAt === null;
        if (splice?.holding) trimmed ??= timer(TRIM_MS);
        const either = trimmed === null ? next : Promise.race([next, trimmed.over]);
        // Signs of life are no content: what they may delay is counted from the begin.
        const waitedFrom = deps.now();
        const step = await (waits
          ? clock.within(first, "the first of its answer", either, this.startedAt)
          : clock.within(between, "the next event", either, waitedFrom - quiet));
        quiet += deps.now() - waitedFrom;
        let failure: unknown;
        try {
          if (step !== "over") next = null;
          if (step === "over") pending.push(...read.force());
          else if (step.done) {
            pending.push(...read.end(splitter.end()));
            this.unsaid = read.unsaid;
            if (!tally.done) failure = cut();
          } else {
            const blocks = splitter.push(step.value);
            if (blocks.length > 0) quiet = 0;
            for (const block of blocks) pending.push(read.block(block));
          }
        } catch (cause) {
          failure = cause;
        }
        // What came before a fault in the same bytes belongs to an answer that has already begun.
        if (failure !== undefined && !view.begun) throw failure;
        if (step === "over" || !splice?.holding) {
          trimmed?.stop();
          trimmed = null;
        }
        if (tally.filtered && !view.begun) {
          this.withheld = joined(pending.map((unit) => unit.bytes));
          throw filtered();
        }
        if (tally.produced || view.begun) {
          const ready = complete(pending, tally.done);
          pending = pending.slice(ready.length);
          if (ready.length > 0) {
            this.serve();
            view.deliver(ready, prepared.verbatim);
            const bytes = joined(ready.map((unit) => unit.bytes));
            if (bytes.byteLength > 0) yield bytes;
          }
        }
        if (failure !== undefined) throw failure;
      }
    } finally {
      // After the terminal event nothing more is wanted; after a fault the provider's request ends here too.
      trimmed?.stop();
      clock.abort();
      next?.catch(() => undefined);
      void reader.cancel().catch(() => undefined);
    }
  }

  /** Writes the attempt's row; once, however it ended. `charged` = what it was asked costs, whatever it answered. */
  close(result: Omit<AttemptResult, "usage" | "sent">, charged = false): void {
    if (this.closed) return;
    this.closed = true;
    const { deps, call, progress, shares } = this.state;
    progress.running.splice(progress.running.indexOf(this.startedAt), 1);
    const asked = charged && this.sent;
    const usage = asked || this.tally.produced ? this.usageSoFar() : undefined;
    if (usage !== undefined && this.served) {
      shares.push(this.share(usage));
      progress.usage = shownUsage(shares);
    }
    record(
      deps,
      call,
      progress,
      this.deployment,
      {
        startedAt: this.startedAt,
        endedAt: deps.now(),
        firstContentAt: this.tally.firstContentAt,
      },
      { ...result, sent: this.sent, limits: this.limits, ...(usage !== undefined && { usage }) },
    );
  }

  /** What the filter left of the answer, where nobody else had one: it is the caller's after all. */
  handOver(): Uint8Array {
    const { progress, shares } = this.state;
    shares.push(this.share(this.usageSoFar()));
    progress.usage = shownUsage(shares);
    progress.deployment = this.deployment;
    return this.withheld ?? new Uint8Array();
  }

  /** The end of an answer that the caller has all of, but for the end: the provider told its finish and was cut. */
  conclusion(): Uint8Array {
    const { view } = this.state;
    const encoder = view.encoder(() => this.meta());
    const last = this.ended().filter((each) => each.type !== "usage" || !view.counted);
    const text = last.map((event) => encoder.push(event));
    return new TextEncoder().encode(text.join(""));
  }

  /** The answer is this attempt's from here on. */
  private serve(): void {
    const { state } = this;
    state.serving ??= this;
    if (state.serving !== this) throw lost();
    this.served = true;
    const { progress, call } = state;
    progress.deployment = this.deployment;
    const { firstContentAt } = this.tally;
    if (firstContentAt !== null) progress.firstContentAt ??= firstContentAt - call.receivedAt;
  }

  private async prepared(): Promise<Prepared> {
    const { deps, call, progress } = this.state;
    const { rest, deployment } = this;
    if (rest === null || rest.how.form === "anew") {
      const prepared = await prepare(deps, call, deployment);
      progress.degraded = prepared.degraded;
      return prepared;
    }
    const baseUrl = rest.how.form === "native" ? rest.how.prefill.baseUrl : undefined;
    try {
      const prepared = await prepare(deps, call, deployment, {
        chat: rest.chat,
        ...(baseUrl !== undefined && { baseUrl }),
      });
      this.requestBytes = prepared.request.body?.length ?? call.bytes;
      return prepared;
    } catch (cause) {
      // The caller's request was good for the one who began: another target that can't take it is passed over.
      if (!(cause instanceof GatewayError)) throw cause;
      throw new AttemptFault({ class: "incoherent", status: 0, message: cause.message });
    }
  }

  private async open(
    first: Prepared,
  ): Promise<{ prepared: Prepared; reader: ReadableStreamDefaultReader<Uint8Array> }> {
    const { clock, startedAt: since } = this;
    const { first: span } = this.patience;
    const { deps, call, progress } = this.state;
    this.sent = true;
    const { prepared, response, limits } = await ask(deps, call, first, { clock, span, since });
    this.limits = limits;
    if (prepared !== first) progress.degraded = prepared.degraded;
    if (response.body === null || !isFramed(prepared.framing, response.headers.get("content-type")))
      throw unusable("is not an event stream");
    return { prepared, reader: (response.body as ReadableStream<Uint8Array>).getReader() };
  }

  private reader(prepared: Prepared) {
    const reading = {
      view: this.state.view,
      prepared,
      tally: this.tally,
      single: (this.state.call.chat.sampling.n ?? 1) === 1,
      meta: () => this.meta(),
      ended: () => this.ended(),
    };
    return prepared.verbatim && this.splice === null
      ? verbatimReader(reading)
      : translatingReader(reading, this.splice);
  }

  private ended(): ChatEvent[] {
    const shares = [...this.state.shares, this.share(this.usageSoFar())];
    return [{ type: "usage", usage: shownUsage(shares) }, { type: "done" }];
  }

  private share(usage: TokenUsage): Share {
    const { came, passed } = this.splice?.length ?? { came: 0, passed: 0 };
    return { usage, came, passed };
  }

  private usageSoFar(): TokenUsage {
    return this.tally.usageSoFar(this.requestBytes);
  }

  /** What it would be charged if it ended now; nothing before it was sent. */
  private costSoFar(): number {
    const { prices } = this.deployment.facts;
    return prices !== undefined && this.sent ? costOf(this.usageSoFar(), prices) : 0;
  }

  private meta(): StreamMeta {
    const { attempts } = this.state.progress;
    const { provider, model } = this.deployment;
    // An answer that comes in one piece tells its cost before those beside it have ended: they lose with it.
    const running = new Set([...this.state.running, this]);
    const costs = [...attempts, ...[...running].map((each) => ({ cost: each.costSoFar() }))];
    return {
      cost: usdText(costs.reduce((sum, { cost }) => sum + cost, 0)),
      provider,
      model,
      fallbacks: this.state.progress.fallbacks,
    };
  }
}

function unusable(what: string): AttemptFault {
  return new AttemptFault(
    { class: "transient", status: 200, message: `The provider's answer ${what}.` },
    true,
  );
}

/** Another model may answer what this one's filter withheld (PROTOCOLS 8). */
function filtered(): AttemptFault {
  return new AttemptFault({
    class: "content_filter",
    status: 200,
    message: "The provider's filter withheld the answer.",
  });
}

/** Another attempt had content first. */
function lost(): AttemptFault {
  return new AttemptFault({ class: "transient", status: 200, message: "Another was faster." });
}

/** A clean end of the body without the protocol's terminal event is a cut (PROTOCOLS 5). */
function cut(): AttemptFault {
  return new AttemptFault({
    class: "transient",
    status: 200,
    message: "The provider's stream ended before the answer was complete.",
  });
}
