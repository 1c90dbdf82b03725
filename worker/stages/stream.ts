import type { Chosen, Progress } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import type { UpstreamFault } from "../core/fault.ts";
import { usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import { prefillOf } from "../providers/prefill.ts";
import {
  addedBytes,
  continuationFor,
  continuationRequest,
  lengthReached,
  limitSpent,
  obstacleTo,
} from "../routing/continuation/index.ts";
import { asFault, tellable, type AttemptFault } from "./attempt.ts";
import { CallerView } from "./caller-view.ts";
import { finalError } from "./final-error.ts";
import { look } from "./smart.ts";
import { StreamAttempt, type Rest, type StreamState } from "./stream-attempt.ts";
import { timer } from "./timer.ts";
import { setOut, type Way } from "./way.ts";

/** Attempts that may run beside the first one (PLATFORM 6). */
const MOST_HEDGES = 2;

/**
 * The bytes of a streamed answer. Until the first content a failed attempt is replaced by the next one and the caller
 * never learns of it. After it another deployment goes on with the answer where that can be done (PROTOCOLS 13 to 19);
 * where it can't, or nobody does, the stream ends with the GatewayError of the failure that cut it.
 */
export function streamAnswer(
  deps: Deps,
  call: Chosen,
  progress: Progress,
): { steps: AsyncGenerator<Uint8Array, void>; cancel: () => void } {
  const run = new StreamRun(deps, call, progress);
  return { steps: run.steps(), cancel: () => run.cancel() };
}

/** An attempt under way, with the first thing that comes of it. */
interface Runner {
  step: Step;
  attempt: StreamAttempt;
  bytes: AsyncGenerator<Uint8Array, void>;
  first: Promise<IteratorResult<Uint8Array, void>>;
}

/** An attempt that failed. */
interface Failed {
  step: Step;
  fault: AttemptFault;
}

class StreamRun {
  private readonly state: StreamState;
  private readonly way: Way;
  private cancelled = false;
  /** The failure that cut the answer which the caller has the beginning of. */
  private cutBy: AttemptFault | null = null;
  /** A whole answer that a provider's filter emptied: the caller's, where no other model answers (PROTOCOLS 8). */
  private filtered: StreamAttempt | null = null;

  constructor(deps: Deps, call: Chosen, progress: Progress) {
    this.state = {
      deps,
      call,
      progress,
      view: new CallerView(call),
      shares: [],
      serving: null,
      running: new Set(),
    };
    this.way = setOut(deps, call, progress, () => this.promptBytes());
  }

  cancel(): void {
    this.cancelled = true;
    for (const attempt of this.state.running) attempt.abort();
  }

  async *steps(): AsyncGenerator<Uint8Array, void> {
    const { call, progress, view } = this.state;
    let last: AttemptFault | null = null;
    for (let step: Step | null = this.way.first(); step !== null;) {
      const failed: Failed | null = view.begun ? yield* this.goOn(step) : yield* this.begin(step);
      if (failed === null || this.cancelled) return;
      last = tellable(last, failed.fault);
      if (view.begun) {
        this.cutBy ??= failed.fault;
        if (this.obstacle() !== null) break;
        if (limitSpent(this.state.call.chat, view.delivered)) {
          yield this.limitReached();
          return;
        }
      }
      step = await this.way.after(faultFor(failed.fault, view.begun), failed.step);
      if (this.cancelled) return;
    }
    if (this.cutBy !== null) throw this.cutError(this.cutBy);
    if (this.filtered !== null) yield this.filtered.handOver();
    else if (last !== null) throw finalError(call, progress, last);
  }

  /**
   * Lets a deployment begin the answer. Where that is set, another one is tried beside it each time that content is
   * late; whoever has some first goes on, the others have lost.
   */
  private async *begin(step: Step): AsyncGenerator<Uint8Array, Failed | null> {
    const { hedgeAfter } = this.state.call.settings;
    this.state.serving = null;
    const runners = [this.start(step, null)];
    try {
      return yield* this.race(runners, hedgeAfter);
    } finally {
      // Whatever ended this, nobody runs on beside who serves.
      for (const each of runners) if (this.state.running.has(each.attempt)) this.lose(each);
    }
  }

  private async *race(
    runners: Runner[],
    hedgeAfter: number | null,
  ): AsyncGenerator<Uint8Array, Failed | null> {
    let hedges = hedgeAfter === null ? MOST_HEDGES : 0;
    for (;;) {
      const late = hedges < MOST_HEDGES ? timer(hedgeAfter ?? 0) : null;
      const settled = runners.map((each) => each.first.then(() => each, () => each)); // prettier-ignore
      const next = await Promise.race(late === null ? settled : [...settled, late.over]);
      late?.stop();
      if (next === "over") {
        hedges += 1;
        const beside = await this.way.beside(runners.map((each) => each.step));
        if (beside !== null && !this.cancelled) runners.push(this.start(beside, null));
        continue;
      }
      const failed = yield* this.finish(next, () => {
        for (const each of runners) if (each !== next) this.lose(each);
      });
      if (failed === null || this.cancelled || this.state.view.begun || runners.length === 1) {
        return failed;
      }
      // The others may still answer.
      this.way.failed(faultFor(failed.fault, false), failed.step);
      runners.splice(runners.indexOf(next), 1);
    }
  }

  /** Lets a deployment go on with the answer. */
  private async *goOn(step: Step): AsyncGenerator<Uint8Array, Failed | null> {
    const { call, view } = this.state;
    const { deployment } = step;
    let how = continuationFor(call.chat, view.delivered, prefillOf(deployment));
    for (;;) {
      this.state.serving = null;
      const chat = continuationRequest(call.chat, view.delivered, how);
      const failed = yield* this.finish(this.start(step, { how, chat }));
      // A target that takes no beginning is asked in words, once; its refusal is never the caller's fault.
      if (failed?.fault.fault.class !== "caller" || how.form !== "native") return failed;
      if (!(await this.way.again(step))) return failed;
      how = continuationFor(call.chat, view.delivered, undefined);
    }
  }

  private start(step: Step, rest: Rest | null): Runner {
    const attempt = new StreamAttempt(this.state, step, rest);
    this.state.running.add(attempt);
    if (this.cancelled) attempt.abort();
    const bytes = attempt.run();
    const first = bytes.next();
    first.catch(() => undefined);
    return { step, attempt, bytes, first };
  }

  /** Passes on an attempt's bytes; null when the answer is whole. `serves` is told when it has the first. */
  private async *finish(
    { step, attempt, bytes, first }: Runner,
    serves?: () => void,
  ): AsyncGenerator<Uint8Array, Failed | null> {
    let ended = false;
    try {
      let next = await first;
      serves?.();
      for (; next.done !== true; next = await bytes.next()) yield next.value;
      if (attempt.unsaid) yield attempt.conclusion();
      ended = true;
      this.look();
      attempt.close({ status: 200 });
      return null;
    } catch (cause) {
      ended = true;
      const fault = asFault(cause, () => attempt.close({ status: 0, error: "unsupported" }));
      if (!this.cancelled && this.isWhole()) {
        yield attempt.conclusion();
        attempt.close({ status: 200 });
        return null;
      }
      if (attempt.withheld !== null) this.filtered = attempt;
      attempt.close({
        status: fault.fault.status,
        error: this.cancelled ? "cancelled" : fault.fault.class,
        retryAfter: fault.fault.retryAfter,
        early: fault.fault.early,
      });
      return { step, fault };
    } finally {
      this.state.running.delete(attempt);
      // The consumer stopped between two steps: the caller left.
      if (!ended) {
        attempt.abort();
        attempt.close({ status: 200, error: "cancelled" });
      }
    }
  }

  /** The whole answer is the caller's: what its form says. */
  private look(): void {
    const { call, progress, view } = this.state;
    const { values, finish } = view.delivered;
    look(call, progress, { parts: values, finish });
  }

  /** Another attempt has the answer: this one ends, and is charged for what it was asked. */
  private lose({ attempt }: Runner): void {
    this.state.running.delete(attempt);
    attempt.abort();
    attempt.close({ status: 0, error: "cancelled" }, !this.cancelled);
  }

  /** What the next attempt's prompt may have beyond the caller's request. */
  private promptBytes(): number {
    const { view } = this.state;
    return view.begun ? addedBytes(view.delivered) : 0;
  }

  /** Why nobody is to go on with what the caller has; null where somebody may. */
  private obstacle(): string | null {
    const { call, view } = this.state;
    if (call.settings.midStream === "error")
      return "the settings of this group, key or request forbid it";
    return obstacleTo(call.chat, view.delivered);
  }

  /** The caller has the whole answer with its finish; only the protocol's last words are missing. */
  private isWhole(): boolean {
    const { call, view } = this.state;
    return view.begun && view.delivered.finish !== null && (call.chat.sampling.n ?? 1) === 1;
  }

  /** The failure that cut the answer, and why nobody went on with it. */
  private cutError(cutBy: AttemptFault): GatewayError {
    const { kind, detail } = finalError(this.state.call, this.state.progress, cutBy);
    const obstacle = this.obstacle();
    const why = obstacle === null ? "no deployment could" : `that can't be done: ${obstacle}`;
    return new GatewayError(
      kind,
      `The answer broke off and is not whole. ${cutBy.message} Another deployment was to go on with it, but ${why}.`,
      detail,
    );
  }

  private limitReached(): Uint8Array {
    const { view, progress } = this.state;
    const encoder = view.encoder(() => ({
      cost: usdText(progress.attempts.reduce((sum, row) => sum + row.cost, 0)),
      provider: progress.deployment?.provider ?? "",
      model: progress.deployment?.model ?? "",
      fallbacks: progress.fallbacks,
    }));
    // An estimate of what was delivered may be above what the caller allowed; the answer is not.
    const most = this.state.call.chat.sampling.maxOutputTokens ?? progress.usage.output;
    progress.usage = { ...progress.usage, output: Math.min(progress.usage.output, most) };
    const events = lengthReached(view.delivered, progress.usage);
    return new TextEncoder().encode(events.map((event) => encoder.push(event)).join(""));
  }
}

/** A failure as the way takes it: a request that the gateway wrote is never the caller's fault, only not for this target. */
function faultFor({ fault }: AttemptFault, begun: boolean): UpstreamFault {
  return begun && fault.class === "caller" ? { ...fault, class: "incoherent" } : fault;
}
