import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { constants, createGzip, type Gzip } from "node:zlib";
import type { At, Behaviour } from "./behaviour.ts";
import type { Call } from "./calls.ts";
import { NO_USAGE, type Usage } from "./tokens.ts";
import type { Frame, Wire } from "./wire/wire.ts";

/** One thing done to the socket. */
export type Step =
  | { do: "write"; bytes: Buffer; content: boolean; tokens: number; reasoning: boolean }
  | { do: "hang" }
  | { do: "cut" }
  | { do: "end" };

/** The steps in which these frames travel under this behaviour; pure. */
export function schedule(frames: Frame[], behaviour: Behaviour, wire: Wire): Step[] {
  const omitted = new Set(behaviour.omit);
  let steps: Step[] = frames
    .filter((frame) => !omitted.has(frame.kind))
    .map(({ text, kind, tokens, reasoning }) => {
      const bytes = bytesOf(text, behaviour);
      return { do: "write", bytes, content: kind === "content", tokens, reasoning };
    });
  for (const { at, text } of behaviour.insert ?? []) {
    steps = insert(steps, at, [raw(text)]);
  }
  if (behaviour.streamError !== undefined) {
    const { at, failure } = behaviour.streamError;
    steps = insert(steps, at, [raw(wire.errorFrame(failure)), { do: "end" }]);
  }
  if (behaviour.cut !== undefined) steps = insert(steps, behaviour.cut, [{ do: "cut" }]);
  if (behaviour.eof !== undefined) steps = insert(steps, behaviour.eof, [{ do: "end" }]);
  if (typeof behaviour.hang === "object") steps = insert(steps, behaviour.hang, [{ do: "hang" }]);
  if (behaviour.split !== undefined) steps = splitAt(steps, behaviour.split);
  return steps;
}

function bytesOf(text: string | Uint8Array, behaviour: Behaviour): Buffer {
  if (typeof text !== "string") return Buffer.from(text);
  const framed = (behaviour.before ?? "") + text;
  return Buffer.from(framed.replaceAll("\n", behaviour.lineEnd ?? "\n"));
}

const raw = (text: string | Uint8Array): Step => ({
  do: "write",
  bytes: bytesOf(text, {}),
  content: false,
  tokens: 0,
  reasoning: false,
});

function insert(steps: Step[], at: At, added: Step[]): Step[] {
  if ("bytes" in at) {
    const pieces = splitAt(steps, [at.bytes]);
    let written = 0;
    const index = pieces.findIndex((step) => {
      if (written >= at.bytes) return true;
      if (step.do === "write") written += step.bytes.length;
      return false;
    });
    return pieces.toSpliced(index < 0 ? pieces.length : index, 0, ...added);
  }
  const counts = (step: Step) => step.do === "write" && ("events" in at || step.content);
  let left = "events" in at ? at.events : at.content;
  if (left === 0) {
    const first = steps.findIndex(counts);
    return steps.toSpliced(Math.max(first, 0), 0, ...added);
  }
  const index = steps.findIndex((step) => counts(step) && (left -= 1) === 0);
  return steps.toSpliced(index < 0 ? steps.length : index + 1, 0, ...added);
}

/** Cuts writes at these byte positions of the body; the tokens stay with a write's last piece. */
function splitAt(steps: Step[], split: number[] | "bytes"): Step[] {
  let start = 0;
  return steps.flatMap((step) => {
    if (step.do !== "write") return [step];
    const length = step.bytes.length;
    const inside =
      split === "bytes"
        ? Array.from({ length }, (_, i) => i)
        : split.map((position) => position - start).toSorted((a, b) => a - b);
    const marks = [0, ...inside.filter((p) => p > 0 && p < length), length];
    start += length;
    return marks.slice(1).map((end, i): Step => {
      const last = end === length;
      const bytes = step.bytes.subarray(marks[i], end);
      return last ? { ...step, bytes } : { ...step, bytes, content: false, tokens: 0 };
    });
  });
}

/**
 * Sends status, headers and the steps; marks the call and its bill as it goes. The whole usage is billed once
 * every token was written, else the input and what was written, nothing before the first token.
 */
export async function deliver(
  res: ServerResponse,
  call: Call,
  steps: Step[],
  behaviour: Behaviour,
  usage: Usage,
): Promise<void> {
  const gone = new Promise<void>((resolve) => res.once("close", resolve));
  const gzip = behaviour.gzip === true ? createGzip() : undefined;
  gzip?.pipe(res);
  let unsent = steps.reduce((sum, step) => sum + (step.do === "write" ? step.tokens : 0), 0);
  const spent = { output: 0, reasoning: 0 };

  call.markHeaders(res.statusCode);
  res.flushHeaders();
  for (const step of steps) {
    if (step.do === "cut") {
      await turn();
      res.destroy();
      return call.markEnd("cut");
    }
    if (step.do === "end") break;
    if (step.do === "hang") await call.permit();
    if (step.do === "write") {
      if (step.content && behaviour.gate === true) await call.permit();
      if (step.content && behaviour.delay !== undefined) {
        await Promise.race([wait(behaviour.delay), gone]);
      }
      if (call.ending !== undefined) return;
      await write(gzip ?? res, step.bytes, gone);
      if (behaviour.split !== undefined) await turn();
      call.markSent(step.bytes);
      if (step.content) call.at.content ??= performance.now();
      spent[step.reasoning ? "reasoning" : "output"] += step.tokens;
      unsent -= step.tokens;
      const some = spent.output + spent.reasoning > 0;
      call.billed = unsent === 0 ? usage : some ? { ...usage, ...spent } : { ...NO_USAGE };
    }
    if (call.ending !== undefined) return;
  }
  (gzip ?? res).end();
  await Promise.race([once(res, "finish").catch(() => undefined), gone]);
  call.markEnd(steps.some((step) => step.do === "end") ? "cut" : "complete");
}

async function write(to: ServerResponse | Gzip, bytes: Buffer, gone: Promise<void>) {
  if (!to.write(bytes)) await Promise.race([once(to, "drain").catch(() => undefined), gone]);
  if ("flush" in to) {
    await new Promise<void>((flushed) => to.flush(constants.Z_SYNC_FLUSH, flushed));
  }
}
