import type { Sampling } from "../core/chat.ts";
import type { JsonObject } from "../core/json.ts";
import type { Target } from "./protocol.ts";

/** Sampling that targets may have no place for, by the name that callers are told; a zero penalty asks for nothing. */
const SAMPLING = {
  stop: ({ stop }) => (stop?.length ? stop : undefined),
  seed: ({ seed }) => seed,
  presence_penalty: ({ presencePenalty }) => presencePenalty || undefined,
  frequency_penalty: ({ frequencyPenalty }) => frequencyPenalty || undefined,
  logit_bias: ({ logitBias }) => logitBias,
  logprobs: ({ logprobs }) => logprobs || undefined,
  top_logprobs: ({ topLogprobs }) => topLogprobs,
  top_k: ({ topK }) => topK,
} satisfies Record<string, (sampling: Sampling) => unknown>;

/** Names what a request asked for and its target has no place for. */
export function tellLostSampling(
  sampling: Sampling,
  names: readonly (keyof typeof SAMPLING)[],
  degraded: Set<string>,
): void {
  for (const name of names) if (SAMPLING[name](sampling) !== undefined) degraded.add(name);
}

/** Takes out and names the members that the model is known to refuse. */
export function dropRefused(body: JsonObject, { facts }: Target, degraded: Set<string>): void {
  for (const name of facts.quirks?.refuses ?? []) {
    if (body[name] === undefined) continue;
    delete body[name];
    degraded.add(name);
  }
}

/** The stop sequences for a target that refuses blank ones; those are named. */
export function stopsWithoutBlanks({ stop = [] }: Sampling, degraded: Set<string>): string[] {
  const kept = stop.filter((each) => each.trim() !== "");
  if (kept.length < stop.length) degraded.add("stop");
  return kept;
}
