import { joined } from "../core/bytes.ts";
import type { Chosen, Progress } from "../core/call.ts";
import type { ChatEvent } from "../core/chat.ts";
import type { Deployment } from "../core/model.ts";
import { costOf, usdText } from "../core/money.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import type { TokenUsage } from "../core/usage.ts";
import { isFramed, splitterOf, type Splitter } from "../protocols/framing.ts";
import { dialectOf } from "../protocols/index.ts";
import type { StreamEncoder, StreamMeta, StreamParser } from "../protocols/protocol.ts";
import type { SseBlock } from "../protocols/sse.ts";
import {
  AttemptFault,
  asFault,
  finalError,
  record,
  refusalOf,
  type AttemptResult,
} from "./attempt.ts";
import { deadline, type Deadline } from "./deadline.ts";
import { estimateUsage } from "./estimate.ts";
import { prepare, type Prepared } from "./prepare.ts";
import { setOut } from "./way.ts";

/** Time to the first content event where nobody set it (PROTOCOLS 10). */
const FIRST_EVENT_MS = 30_000;

/** What the attempts of one stream share. */
interface StreamState {
  cancelled: boolean;
  /** Content of this answer has reached the caller: from here on no other deployment may begin anew. */
  delivered: boolean;
  clock: Deadline | null;
}

/**
 * The SSE bytes of a streamed answer. Until the first content event a failed attempt is replaced by the next one and
 * the caller never learns of it; after it a failure ends the stream with a GatewayError.
 */
export function streamAnswer(
  deps: Deps,
  call: Chosen,
  progress: Progress,
): { steps: AsyncGenerator<Uint8Array, void>; cancel: () => void } {
  const state: StreamState = { cancelled: false, delivered: false, clock: null };
  return {
    steps: alongThePlan(deps, call, progress, state),
    cancel() {
      state.cancelled = true;
      state.clock?.abort();
    },
  };
}

async function* alongThePlan(
  deps: Deps,
  call: Chosen,
  progress: Progress,
  state: StreamState,
): AsyncGenerator<Uint8Array, void> {
  const way = setOut(deps, call, progress);
  let last: AttemptFault | null = null;
  for (let step: Step | null = way.first(); step !== null;) {
    if (state.cancelled) return;
    const { deployment } = step;
    const attempt = new StreamAttempt(deps, call, progress, deployment);
    let ended = false;
    try {
      yield* attempt.run(state);
      ended = true;
      attempt.close({ status: 200 });
      return;
    } catch (cause) {
      ended = true;
      last = asFault(cause);
      attempt.close({
        status: last.fault.status,
        error: state.cancelled ? "cancelled" : last.fault.class,
        retryAfter: last.fault.retryAfter,
      });
      if (state.cancelled || state.delivered) break;
      step = await way.after(last.fault);
    } finally {
      // The consumer stopped between two steps: the caller left.
      if (!ended) {
        state.clock?.abort();
        attempt.close({ status: 200, error: "cancelled" });
      }
    }
  }
  if (state.cancelled || last === null) return;
  throw finalError(progress, last);
}

/** One attempt at one deployment: wire events in, the caller's SSE bytes out, usage and times on the side. */
class StreamAttempt {
  private readonly deps: Deps;
  private readonly call: Chosen;
  private readonly progress: Progress;
  private readonly deployment: Deployment;
  private readonly startedAt: number;
  private firstContentAt: number | null = null;
  private usage: TokenUsage | undefined;
  private answerLength = 0;
  /** How much of the answer there was when the provider last told its usage. */
  private countedLength = 0;
  private answered = false;
  private done = false;

  constructor(deps: Deps, call: Chosen, progress: Progress, deployment: Deployment) {
    this.deps = deps;
    this.call = call;
    this.progress = progress;
    this.deployment = deployment;
    this.startedAt = deps.now();
  }

  async *run(state: StreamState): AsyncGenerator<Uint8Array, void> {
    const { deps, call } = this;
    const prepared = await prepare(deps, call, this.deployment);
    this.progress.degraded = prepared.degraded;
    const clock = deadline(() => call.deadline - deps.now());
    state.clock = clock;
    const { timeouts } = call.settings;
    const patience =
      this.deployment.timeout ??
      timeouts.first ??
      (call.chat.reasoning === undefined ? FIRST_EVENT_MS : timeouts.total);
    const response = await clock.within(
      patience,
      "an answer",
      deps.upstream.send({ ...prepared.request, signal: clock.signal }),
    );
    if (response.status !== 200) {
      throw await clock.within(patience, "its refusal", refusalOf(response, prepared.protocol));
    }
    const { framing } = prepared;
    if (response.body === null || !isFramed(framing, response.headers.get("content-type")))
      throw unusable("is not an event stream");

    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const splitter = splitterOf(framing);
    const translator = this.translator(prepared);
    const held: Uint8Array[] = [];
    try {
      while (!this.done) {
        const wait = this.answered ? timeouts.between : patience;
        const step = await clock.within(wait, "the next event", reader.read());
        const blocks = step.done ? lastBlock(splitter) : splitter.push(step.value);
        let failure: unknown;
        try {
          for (const block of blocks) held.push(translator(block));
          if (step.done) held.push(translator(null));
          if (step.done && !this.done) throw cut();
        } catch (cause) {
          // What came before the fault in the same bytes belongs to an answer that has already begun.
          if (!state.delivered) throw cause;
          failure = cause;
        }
        if (this.answered || this.done) {
          state.delivered ||= this.answered;
          const bytes = joined(held);
          held.length = 0;
          if (bytes.byteLength > 0) yield bytes;
        }
        if (failure !== undefined) throw failure;
      }
    } finally {
      // After the terminal event nothing more is wanted; after a fault the provider's request ends here too.
      clock.abort();
      void reader.cancel().catch(() => undefined);
    }
  }

  /** Writes the attempt's row; once, however it ended. */
  close(result: Omit<AttemptResult, "usage">): void {
    const { progress } = this;
    const usage = this.done || this.answerLength > 0 ? this.usageSoFar() : undefined;
    if (usage !== undefined) progress.usage = usage;
    record(
      this.deps,
      this.call,
      progress,
      this.deployment,
      {
        startedAt: this.startedAt,
        endedAt: this.deps.now(),
        firstContentAt: this.firstContentAt,
      },
      { ...result, ...(usage !== undefined && { usage }) },
    );
  }

  /**
   * What the provider told, plus an estimate of what it wrote after that: a count told before the answer began
   * (Anthropic's `message_start`) says nothing about the answer.
   */
  private usageSoFar(): TokenUsage {
    const uncounted = this.answerLength - this.countedLength;
    const { usage } = this;
    if (usage === undefined) return estimateUsage(this.call.bytes, uncounted);
    if (uncounted === 0) return usage;
    const { output } = estimateUsage(0, uncounted);
    const counted = this.countedLength === 0 ? 0 : usage.output;
    return { ...usage, output: counted + output, estimated: true };
  }

  /** From wire blocks to the caller's bytes: the blocks themselves, or the hub's events in the caller's dialect. */
  private translator(prepared: Prepared): (block: SseBlock | null) => Uint8Array {
    const { call } = this;
    const { provider } = prepared.protocol;
    const parser = provider.parseStream();
    const wantsMeta = call.headers["x-routero-stream-meta"] === "1";
    const includeUsage = call.chat.streamUsage || wantsMeta;
    const asksMeta = wantsMeta || (call.dialect === "openai-chat" && call.chat.streamUsage);
    const meta = asksMeta ? () => this.meta() : undefined;
    if (prepared.verbatim) {
      const options = {
        injectedUsage: prepared.injectedUsage && !wantsMeta,
        ...(meta && { meta }),
      };
      return (block) => {
        if (this.done) return EMPTY;
        this.observe(parser, block);
        return block === null ? EMPTY : provider.verbatim.block(block.raw, block.event, options);
      };
    }
    const encoder: StreamEncoder = dialectOf(call.dialect).client.encodeStream({
      requestId: call.requestId,
      created: Math.floor(call.receivedAt / 1000),
      array: call.fromUrl.array ?? false,
      includeUsage,
      ...(meta && { meta }),
    });
    const utf8 = new TextEncoder();
    return (block) => {
      if (this.done) return EMPTY;
      const events = this.observe(parser, block);
      return utf8.encode(events.map((event) => encoder.push(event)).join(""));
    };
  }

  /** Reads one block (null = the clean end), keeps what settles the request, and throws the provider's failure. */
  private observe(parser: StreamParser, block: SseBlock | null): ChatEvent[] {
    const events =
      block === null ? parser.end() : block.event === null ? [] : parser.push(block.event);
    let told = false;
    for (const event of events) {
      if (event.type === "usage") {
        this.usage = event.usage;
        told = true;
      } else if (event.type === "done") this.done = true;
      else if (event.type === "failure") {
        const { status, message } = event.failure;
        throw new AttemptFault({ class: "transient", status, message });
      } else {
        const length = contentLength(event);
        if (length === 0) continue;
        this.answerLength += length;
        if (this.answered) continue;
        this.answered = true;
        this.firstContentAt = this.deps.now();
        this.progress.firstContentAt = this.firstContentAt - this.call.receivedAt;
      }
    }
    if (told) this.countedLength = this.answerLength;
    return events;
  }

  private meta(): StreamMeta {
    const { prices } = this.deployment.facts;
    const earlier = this.progress.attempts.reduce((sum, row) => sum + row.cost, 0);
    const cost = this.usage && prices ? costOf(this.usage, prices) : 0;
    return {
      cost: usdText(earlier + cost),
      provider: this.deployment.provider,
      model: this.deployment.model,
      fallbacks: this.progress.fallbacks,
    };
  }
}

const EMPTY = new Uint8Array(0);

/** How much of an answer an event brings, in UTF-16 units; 0 for everything that is only frame. */
function contentLength(event: ChatEvent): number {
  if (event.type === "open") {
    const part = event.value;
    if (part.type === "text" || part.type === "refusal" || part.type === "thinking") {
      return part.text.length;
    }
    return Math.max(1, JSON.stringify(part).length);
  }
  if (event.type !== "delta") return 0;
  const { delta } = event;
  if ("text" in delta) return delta.text.length;
  return Math.max(1, JSON.stringify(delta).length);
}

function unusable(what: string): AttemptFault {
  return new AttemptFault(
    { class: "transient", status: 200, message: `The provider's answer ${what}.` },
    true,
  );
}

/** A clean end of the body without the protocol's terminal event is a cut (PROTOCOLS 5). */
function cut(): AttemptFault {
  return new AttemptFault({
    class: "transient",
    status: 200,
    message: "The provider's stream ended before the answer was complete.",
  });
}

function lastBlock(splitter: Splitter): SseBlock[] {
  const block = splitter.end();
  return block === null ? [] : [block];
}
