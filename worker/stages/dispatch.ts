import { declaredLength } from "../core/body.ts";
import type { Answer, Answered, Chosen, Progress } from "../core/call.ts";
import type { ChatResponse, Choice } from "../core/chat.ts";
import { GatewayError } from "../core/errors.ts";
import type { UpstreamFault } from "../core/fault.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import type { Deployment } from "../core/model.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import { credible } from "../core/usage.ts";
import { dialectOf } from "../protocols/index.ts";
import { ask } from "./ask.ts";
import { AttemptFault, asFault, faulty, record, tellable } from "./attempt.ts";
import { deadline } from "./deadline.ts";
import { estimateUsage, partLength } from "./estimate.ts";
import { finalError } from "./final-error.ts";
import { patienceOf } from "./patience.ts";
import { prepare, type Prepared } from "./prepare.ts";
import { look } from "./smart.ts";
import { streamAnswer } from "./stream.ts";
import { setOut } from "./way.ts";

/** An answer that is not streamed may be this large. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** After this time a stream's head leaves even if no content came yet (PROTOCOLS 3). */
const HEAD_AFTER_MS = 10_000;

/**
 * Works along the plan until a deployment answers. Returns with a whole answer, or with a stream whose first content
 * is there (or overdue). Throws a refusal when every attempt failed; `progress` then tells them all.
 */
export async function dispatch(deps: Deps, call: Chosen, progress: Progress): Promise<Answered> {
  const answer = call.chat.stream
    ? await beginStream(deps, call, progress)
    : await wholeAnswer(deps, call, progress);
  return { ...call, progress, answer };
}

async function beginStream(deps: Deps, call: Chosen, progress: Progress): Promise<Answer> {
  const { steps, cancel } = streamAnswer(deps, call, progress);
  const first = steps.next();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const overdue = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, HEAD_AFTER_MS);
  });
  try {
    await Promise.race([first, overdue]);
  } finally {
    clearTimeout(timer);
  }
  return { kind: "stream", first, rest: steps, cancel };
}

async function wholeAnswer(deps: Deps, call: Chosen, progress: Progress): Promise<Answer> {
  const way = setOut(deps, call, progress);
  let last: AttemptFault | null = null;
  let filtered: { whole: Answer; deployment: Deployment } | null = null;
  for (let step: Step | null = way.first(); step !== null;) {
    const { deployment } = step;
    const startedAt = deps.now();
    let sent = false;
    try {
      const prepared = await prepare(deps, call, deployment);
      progress.degraded = prepared.degraded;
      sent = true;
      const { body, answer, usage, limits, verbatim } = await attemptWhole(
        deps,
        call,
        prepared,
        step,
        progress,
      );
      const times = { startedAt, endedAt: deps.now() };
      progress.usage = usage;
      progress.firstContentAt = times.endedAt - call.receivedAt;
      const whole: Answer = { kind: "whole", body, contentType: "application/json" };
      const result = { status: 200, sent, usage, limits };
      const [choice] = answer.choices;
      if (!verbatim && isFaulty(answer)) {
        record(deps, call, progress, deployment, times, { ...result, error: "transient" });
        const failed = faulty();
        last = tellable(last, failed);
        step = await way.after(failed.fault);
        continue;
      }
      if (!isFiltered(answer)) {
        if (choice !== undefined) look(call, progress, choice);
        record(deps, call, progress, deployment, times, result);
        return whole;
      }
      // Another model may answer; where none does, the last filtered answer is the answer (PROTOCOLS 8).
      record(deps, call, progress, deployment, times, { ...result, error: "content_filter" });
      filtered = { whole, deployment };
      step = await way.after(FILTERED);
    } catch (cause) {
      const times = { startedAt, endedAt: deps.now() };
      const failed = asFault(cause, () =>
        record(deps, call, progress, deployment, times, { status: 0, sent, error: "unsupported" }),
      );
      const { class: error, status, retryAfter, early } = failed.fault;
      last = tellable(last, failed);
      record(deps, call, progress, deployment, times, { status, sent, error, retryAfter, early });
      step = await way.after(failed.fault);
    }
  }
  if (filtered !== null) {
    progress.deployment = filtered.deployment;
    return filtered.whole;
  }
  throw finalError(call, progress, last ?? neverTried());
}

const FILTERED: UpstreamFault = {
  class: "content_filter",
  status: 200,
  message: "The provider's filter withheld the answer.",
};

/** True where every choice was ended by the provider's filter instead of by the model. */
function isFiltered({ choices }: ChatResponse): boolean {
  return (
    choices.length > 0 &&
    choices.every(({ finish }) => finish === "content_filter" || finish === "refusal")
  );
}

/** True where every choice was ended as faulty, for which other dialects have no word. */
function isFaulty({ choices }: ChatResponse): boolean {
  return choices.length > 0 && choices.every(({ finish }) => finish === "error");
}

async function attemptWhole(
  deps: Deps,
  call: Chosen,
  first: Prepared,
  step: Step,
  progress: Progress,
) {
  const clock = deadline(call.deadline, deps.now);
  const { whole: span } = patienceOf(call, step);
  const since = deps.now();
  const { prepared, response, limits } = await ask(deps, call, first, { clock, span, since });
  progress.degraded = prepared.degraded;
  const text = await clock.within(span, "the rest of its answer", readText(response), since);
  const body = parseAnswer(text);
  const answer = prepared.protocol.provider.parseResponse(body);
  for (const { parts } of answer.choices) parts.forEach(prepared.seal);
  // What is charged is what the caller is shown, told by the provider or estimated.
  const usage =
    credible(answer.usage) ?? estimateUsage(call.chat, call.bytes, answerLength(answer.choices));
  answer.usage = usage;
  const { verbatim } = prepared;
  if (verbatim) return { body: text, answer, usage, limits, verbatim };
  const encoded = dialectOf(call.dialect).client.encodeResponse(answer, {
    requestId: call.requestId,
    asked: call.body,
    created: Math.floor(call.receivedAt / 1000),
  });
  return { body: JSON.stringify(encoded), answer, usage, limits, verbatim };
}

async function readText(response: Response): Promise<string> {
  if (response.body === null) return "";
  // In one piece where its length is known: piece by piece costs the runtime five times as much.
  if ((declaredLength(response.headers) ?? Infinity) <= MAX_ANSWER_BYTES) return response.text();
  const decoder = new TextDecoder();
  let size = 0;
  let text = "";
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) {
      throw new GatewayError(
        "upstream_bad_response",
        "The provider's answer is larger than 32 MB.",
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseAnswer(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    // Falls through: what the provider sent must not be quoted.
  }
  throw new GatewayError("upstream_bad_response", "The provider's answer is not a JSON object.");
}

function answerLength(choices: readonly Choice[]): number {
  const parts = choices.flatMap((choice) => choice.parts);
  return parts.reduce((sum, part) => sum + partLength(part), 0);
}

function neverTried(): AttemptFault {
  return new AttemptFault({ class: "transient", status: 0, message: "No deployment was tried." });
}
