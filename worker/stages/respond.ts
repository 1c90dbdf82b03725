import type { Answered, Chosen, Credentialed, Progress } from "../core/call.ts";
import type { DialectName } from "../core/chat.ts";
import { asGatewayError, publicError, retryHeaders, type GatewayError } from "../core/errors.ts";
import { usdText } from "../core/money.ts";
import { idHeaders } from "../core/greet.ts";
import type { Deps } from "../core/ports.ts";
import { pause } from "../core/time.ts";
import { dialectOf } from "../protocols/index.ts";
import type { AnswerContext } from "../protocols/protocol.ts";
import { limitHeaders } from "./limit-headers.ts";
import { noProgress } from "./progress.ts";
import { overheadOf, report, type Reached } from "./report.ts";
import { observe } from "./smart.ts";
import { settle, totalCost, type Ending } from "./settle.ts";
import { recordOutcome, recordRefusal } from "./trail.ts";
import { watchCaller, type CallerWatch } from "./watch.ts";

/** Silence that a waiting caller is spared (PROTOCOLS 3). */
const KEEP_ALIVE_MS = 15_000;
/** How long a caller that does not read may hold up the end of its stream. */
const LAST_WORDS_MS = 1_000;

/**
 * The door for answers. What runs after the response is one promise in this request's own `waitUntil` (PLATFORM 1).
 * `left` aborts when the runtime saw that the caller is gone.
 */
export function respond(deps: Deps, call: Answered, left: AbortSignal): Response {
  const { answer, progress } = call;
  const headers = headersOf(deps, call, progress);
  if (answer.kind === "whole") {
    headers.set("content-type", answer.contentType);
    setCost(deps, headers, progress);
    deps.waitUntil(finish(deps, call, progress, { outcome: "success", status: 200 }));
    return new Response(answer.body, { headers });
  }
  headers.set("content-type", dialectOf(call.dialect).client.streamType(contextOf(call)));
  headers.set("cache-control", "no-cache");
  const { readable, writable } = new IdentityTransformStream();
  deps.waitUntil(
    pump(deps, call, answer, writable, left).then((ending) => finish(deps, call, progress, ending)),
  );
  return new Response(readable, { headers });
}

/** The door for what cost nothing: no money moves and nothing is written but the log's line. */
export function answerFree(deps: Deps, call: Chosen, progress: Progress, body: string): Response {
  release(deps, call);
  report(deps, call, progress, { outcome: "success", status: 200 });
  const headers = headersOf(deps, call, progress);
  headers.set("content-type", "application/json");
  return new Response(body, { headers });
}

/** The door for refusals, in the caller's dialect. A decision about a known caller is on record before it leaves. */
export async function refuse(
  deps: Deps,
  reached: Reached,
  dialect: DialectName,
  progress: Progress,
  error: GatewayError,
): Promise<Response> {
  if ("plan" in reached) {
    // Its decision is on record already, or could not be: the caller waits for neither the money nor the outcome.
    deps.waitUntil(
      finish(deps, reached, progress, { outcome: "failure", status: error.status }, error),
    );
  } else {
    if ("chat" in reached && !(await recordRefusal(deps, reached, error)))
      deps.log.error("refusal not on record", { request_id: reached.requestId });
    release(deps, reached);
    report(deps, reached, progress, { outcome: "refused", status: error.status }, error);
  }
  if (error.kind === "internal_error") {
    deps.log.error("request failed inside the gateway", {
      request_id: reached.requestId,
      cause: causeOf(error),
    });
  }
  const headers = headersOf(deps, reached, progress);
  if (progress.attempts.length > 0) setCost(deps, headers, progress);
  for (const [name, value] of Object.entries(retryHeaders(error))) headers.set(name, value);
  const body = dialectOf(dialect).client.encodeError(publicError(error), contextOf(reached));
  return Response.json(body, { status: error.status, headers });
}

/** What all attempts came to; known once the last one has ended. */
function setCost(deps: Deps, headers: Headers, progress: Progress): void {
  const cost = usdText(totalCost(progress));
  headers.set("x-routero-response-cost", cost);
  if (deps.settings.litellmHeaders) headers.set("x-litellm-response-cost", cost);
}

/** What the caller's dialect has to know of a request to answer it. */
function contextOf(reached: Reached): AnswerContext {
  return {
    requestId: reached.requestId,
    created: Math.floor(reached.receivedAt / 1000),
    array: "fromUrl" in reached && (reached.fromUrl.array ?? false),
  };
}

const SETTLE_AFTER_MS = 10;

/** The headers that every answer carries, for endpoints beside the path. */
export function openHeaders(deps: Deps, call: Credentialed): Headers {
  return headersOf(deps, call, noProgress());
}

/** Ends the provider's side of an answer that will not be delivered; its attempts are in the progress afterwards. */
export async function abandon(call: Answered): Promise<void> {
  if (call.answer.kind !== "stream") return;
  call.answer.cancel();
  await call.answer.first.catch(() => undefined);
  await call.answer.rest.return?.().catch(() => undefined);
}

/**
 * Moves the answer to the caller. When the caller is found to have left, the provider's request ends with it. So it
 * does when the caller's right to it ends meanwhile, which the caller is told.
 */
async function pump(
  deps: Deps,
  call: Answered,
  answer: Extract<Answered["answer"], { kind: "stream" }>,
  writable: WritableStream<Uint8Array>,
  left: AbortSignal,
): Promise<Ending> {
  const writer = writable.getWriter();
  const gone = departure(left);
  const dialect = dialectOf(call.dialect).client;
  const utf8 = new TextEncoder();
  const watch = watchCaller(deps, call);
  const context = contextOf(call);
  let begun = false;
  let step = answer.first;
  try {
    for (;;) {
      let result: IteratorResult<Uint8Array>;
      try {
        const sign = () => write(writer, utf8.encode(dialect.keepAlive(context)));
        result = await gone.before(keptAlive(watch.orEnded(step), sign));
        if (result.done === true) break;
        await gone.before(watch.orEnded(write(writer, result.value)));
        begun = true;
      } catch (cause) {
        if (cause instanceof CallerLeft) throw cause;
        const error = asGatewayError(cause);
        const last = dialect
          .encodeStreamError(publicError(error), context, begun)
          .map((piece) => utf8.encode(piece));
        await Promise.all([hasEnded(watch, call, step), lastWords(writer, last)]);
        return { outcome: "failure", status: error.status };
      }
      step = answer.rest.next();
    }
    await writer.close().catch(() => undefined);
    return { outcome: "success", status: 200 };
  } catch {
    await abandon(call);
    return { outcome: "cancelled", status: 499 };
  } finally {
    watch.stop();
    gone.stop();
  }
}

/** After a failure of the answer its attempts are closed already; where the caller's right ended they still run. */
async function hasEnded(watch: CallerWatch, call: Answered, step: Promise<unknown>): Promise<void> {
  if (!watch.ended) return;
  step.catch(() => undefined);
  await abandon(call);
}

/** Says why a stream ends to a caller that still reads; one that does not is cut. */
async function lastWords(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  pieces: readonly Uint8Array[],
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), LAST_WORDS_MS);
  });
  const said = Promise.all(pieces.map((piece) => write(writer, piece))).then(() => writer.close());
  said.catch(() => undefined);
  if ((await Promise.race([said.catch(() => "left"), late])) === "late") {
    await writer.abort().catch(() => undefined);
  }
  clearTimeout(timer);
}

class CallerLeft extends Error {}

/**
 * The caller's departure. The runtime sees it only when something is written; then the signal tells at once, while a
 * write into the pipe fails one write later.
 */
function departure(left: AbortSignal): {
  before: <T>(work: Promise<T>) => Promise<T>;
  stop: () => void;
} {
  let leave: () => void = () => undefined;
  const tell = () => leave();
  left.addEventListener("abort", tell);
  return {
    // One promise per wait: racing all of them against a lasting one would keep them until the stream ends.
    before: (work) =>
      new Promise((resolve, reject) => {
        leave = () => reject(new CallerLeft());
        work.then(resolve, reject);
        if (left.aborted) leave();
      }),
    stop: () => left.removeEventListener("abort", tell),
  };
}

async function write(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  bytes: Uint8Array,
): Promise<void> {
  try {
    await writer.write(bytes);
  } catch {
    throw new CallerLeft();
  }
}

/** Awaits a step and writes a sign of life each time that 15 s passed without one. */
async function keptAlive<T>(step: Promise<T>, sign: () => Promise<void>): Promise<T> {
  for (;;) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const quiet = new Promise<"quiet">((resolve) => {
      timer = setTimeout(() => resolve("quiet"), KEEP_ALIVE_MS);
    });
    try {
      const first = await Promise.race([step, quiet]);
      if (first !== "quiet") return first as T;
    } finally {
      clearTimeout(timer);
    }
    await sign();
  }
}

async function finish(
  deps: Deps,
  call: Chosen,
  progress: Progress,
  ending: Ending,
  error?: GatewayError,
): Promise<void> {
  release(deps, call);
  report(deps, call, progress, ending, error);
  observe(deps, call, progress);
  // The answer goes first: where objects share the worker's thread, settling would be done before it is written.
  await pause(SETTLE_AFTER_MS);
  try {
    await settle(deps, call, progress, ending);
  } catch (cause) {
    deps.log.error("settlement failed", { request_id: call.requestId, cause: causeOf(cause) });
  }
  // What was charged gets its outcome from the ledger, with the debit; only what was not is told from here.
  if (progress.attempts.length > 0) return;
  if (!(await recordOutcome(deps, call, progress, ending))) {
    deps.log.error("outcome not recorded", { request_id: call.requestId });
  }
}

function release(deps: Deps, reached: Reached): void {
  if ("bytes" in reached) deps.isolate.bytesInFlight -= reached.bytes;
}

function headersOf(deps: Deps, reached: Reached, progress: Progress): Headers {
  const durationMs = deps.now() - reached.receivedAt;
  const own = "headers" in reached ? reached.headers["x-request-id"] : undefined;
  const headers = new Headers(idHeaders(reached.requestId, own));
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) return;
    const text = headerText(value);
    headers.set(`x-routero-${name}`, text);
    if (deps.settings.litellmHeaders && LITELLM_ALIASES.has(name)) {
      headers.set(`x-litellm-${name}`, text);
    }
  };
  if (deps.settings.litellmHeaders) headers.set("x-litellm-call-id", reached.requestId);
  const verdict = "verdict" in reached ? reached.verdict : undefined;
  if (verdict !== undefined) {
    set("policy-version", String(verdict.version));
    set("policy-hash", verdict.hash);
    set("policy-rule", verdict.rule ?? undefined);
  }
  if (!("plan" in reached)) return headers;
  for (const [name, value] of Object.entries(limitHeaders(reached.views ?? []))) {
    headers.set(name, value);
  }
  const { deployment } = progress;
  set("response-duration-ms", String(durationMs));
  set("overhead-ms", String(overheadOf(deps, reached, progress)));
  const { smart, auto } = reached.explanation;
  set("route", smart === undefined && auto === undefined ? reached.model : reached.plan[0]?.group);
  set("task", smart?.task);
  set("difficulty", smart?.difficulty);
  set("attempted-retries", String(progress.retries));
  set("attempted-fallbacks", String(progress.fallbacks));
  set("provider", deployment?.provider);
  set("model-id", deployment?.id);
  set("model-api-base", deployment?.baseUrl);
  set("model-region", deployment?.region);
  const degraded = [...progress.degraded, ...unknownFallbacks(reached)];
  if (degraded.length > 0) set("degraded", degraded.join(", "));
  return headers;
}

/** Fallbacks that the caller named and that do not exist here: the request is answered without them. */
function unknownFallbacks({ extensions, explanation }: Chosen): string[] {
  const skipped = new Set(explanation.skipped.map(({ group }) => group));
  return extensions.fallbacks.flatMap((name, n) => (skipped.has(name) ? [`fallbacks[${n}]`] : []));
}

/** Text that callers and administrators chose, as a header can carry it: other characters percent-encoded, cut to 1 KB. */
function headerText(value: string): string {
  const plain = value.slice(0, 1024).toWellFormed();
  return plain.replace(/[^\x20-\x7e]+/g, encodeURIComponent).slice(0, 1024);
}

const LITELLM_ALIASES = new Set([
  "model-id",
  "model-region",
  "model-api-base",
  "attempted-retries",
  "attempted-fallbacks",
]);

/** The class of an unexpected failure; its message could quote content and stays out. */
function causeOf(cause: unknown): string {
  const root = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
  return root instanceof Error ? root.name : typeof root;
}
