import type { ChatRequest, Message } from "../../core/chat.ts";
import type { Capability } from "../../core/model.ts";
import type { Scored } from "../../core/routing.ts";
import { needsOf } from "../capability.ts";
import { chooseAmong, score, solves, type Choice, type Option } from "./choose.ts";
import { classify, type Classification } from "./classify.ts";
import { worth, type Dial } from "./dial.ts";
import { draw as drawModel, type Drawn, type Estimate } from "./learn.ts";
import { tokensUpTo } from "../tokens.ts";
import { lastTurn, promptOf, userTurns } from "./prompt.ts";
import { FNV_START, step } from "./words.ts";

/** What a conversation is routed by. */
export interface RouteFacts {
  /** What policy, allowlists and residency leave; health is asked for apart, since it must not move a conversation. */
  options: readonly Option[];
  /** False where an option is known to lack what is needed, or has no room for so many tokens. */
  able: (option: Option, needs: ReadonlySet<Capability>, tokens: number) => boolean;
  /** True where an option is known to do what is needed of senses and thinking; absent = all are. */
  sure?: (option: Option, needs: ReadonlySet<Capability>) => boolean;
  /** False for what can't serve now. */
  healthy: (option: Option) => boolean;
  /** True for what lately takes far longer than the others, where time is what is saved; absent = none. */
  slow?: (option: Option) => boolean;
  dial: Dial;
  learned?: (group: string, task: Classification["task"]) => number | undefined;
  /** Lets this share of conversations begin at another able model that may be as good; absent = none. */
  explore?: {
    share: number;
    estimate: (group: string, task: Classification["task"]) => Estimate;
  };
}

/** Where a request goes, and all that it was decided by. */
export interface Routed {
  /** Groups in the order in which they serve; empty where none is able. */
  order: string[];
  said: Classification;
  /** The group that the conversation's first turn chose; the first of the order unless the conversation rose. */
  home: string | null;
  /** Every able option as the last turn weighs it. */
  scored: Scored[];
  reach: number;
  reason: Choice["reason"] | "home" | "rose" | "health" | "ability" | "slow" | "explore";
  /** How the home was drawn; null where nothing is explored. */
  drawn: Drawn | null;
  seed: number;
}

/** Turns looked at after the first: earlier ones were looked at when they came, and none of them leads down. */
const TURNS = 15;

/**
 * Routes one request of a conversation without keeping any state (PROTOCOLS 26): the first user turn chooses the home
 * model, recomputed each time from what does not change; each later user turn may lead up from there, where what it
 * gains is worth more than the prompt cache that is lost, and never down. Between two user turns nothing moves.
 */
export function routeConversation(chat: ChatRequest, facts: RouteFacts): Routed {
  const [first = lastTurn(chat), ...later] = userTurns(chat);
  const { options, dial } = facts;
  const tokens = tokensUpTo(chat);
  const draw = drawOf(chat.messages[first]);
  const maxOutput = chat.sampling.maxOutputTokens;
  const at = (turn: number) => {
    const prompt = promptOf(chat, turn);
    const said = classify(prompt);
    const promptTokens = tokens[turn] ?? 0;
    const wanted = {
      said,
      dial,
      promptTokens,
      cachedTokens: 0,
      draw,
      ...(maxOutput !== undefined && { maxOutput }),
      ...(facts.learned && { learned: facts.learned }),
    };
    const needs = needsOf({ ...chat, messages: chat.messages.slice(0, turn + 1) });
    const room = promptTokens + (maxOutput ?? 0);
    const able = surest(
      options.filter((option) => facts.able(option, needs, room)),
      needs,
      facts,
    );
    return { said, wanted, able, choice: chooseAmong(able, wanted) };
  };

  let turn = at(first);
  let choice = turn.choice;
  let reason: Routed["reason"] = choice.reason;
  const find = (group: string | undefined) => options.find((each) => each.group === group);
  let current = find(choice.order[0]);
  const seed = Math.floor(draw * 2 ** 32);
  const drawn = current === undefined ? null : tried(current, turn, facts, seed);
  if (drawn?.explored === true) {
    current = find(drawn.group);
    reason = "explore";
  }
  const home = current?.group ?? null;
  for (const next of later.slice(-TURNS)) {
    const before = turn;
    turn = at(next);
    const up = find(turn.choice.order[0]);
    if (current !== undefined && !turn.able.includes(current)) {
      // What the conversation needs by now its model can't do.
      current = up;
      choice = turn.choice;
      reason = turn.choice.reason;
      continue;
    }
    if (up === undefined || current === undefined) continue;
    if (isBound(chat.messages.slice(0, next))) continue;
    const cachedTokens = before.wanted.promptTokens;
    const stay = score(current, { ...turn.wanted, cachedTokens });
    const leave = score(up, turn.wanted);
    if (leave.quality <= stay.quality) continue;
    const gain = (solves(up, turn.said) - solves(current, turn.said)) * worth(dial);
    if (gain <= (leave.cost ?? Number.POSITIVE_INFINITY) - (stay.cost ?? 0)) continue;
    current = up;
    reason = "rose";
  }
  if (later.length > 0 && reason !== "rose" && current?.group === home) reason = "home";

  const last = turn.choice;
  const needs = needsOf(chat);
  const room = (tokens.at(-1) ?? 0) + (maxOutput ?? 0);
  const able = options.filter((option) => facts.able(option, needs, room));
  const usable = new Set(able.filter(facts.healthy).map(({ group }) => group));
  const slow = new Set(
    able.filter((each) => facts.slow?.(each) === true).map(({ group }) => group),
  );
  // Who is only not known to be unable stands behind those who are known to be able.
  const rest = chooseAmong(able, turn.wanted).order;
  const ranked = [...(current === undefined ? [] : [current.group]), ...last.order, ...rest];
  const standing = [...new Set(ranked)].filter((group) => usable.has(group));
  const order = [
    ...standing.filter((group) => !slow.has(group)),
    ...standing.filter((group) => slow.has(group)),
  ];
  if (current !== undefined && order.length > 0 && order[0] !== current.group) {
    if (!able.includes(current)) reason = "ability";
    else reason = usable.has(current.group) ? "slow" : "health";
  }
  const { said } = turn;
  return { order, said, home, scored: last.scored, reach: choice.reach, reason, drawn, seed };
}

/** Those that are known to be able; where nobody is, all. */
function surest(
  able: readonly Option[],
  needs: ReadonlySet<Capability>,
  { sure }: RouteFacts,
): readonly Option[] {
  const known = able.filter((option) => sure?.(option, needs) ?? true);
  return known.length > 0 ? known : able;
}

/** How far below the chosen model's quality another may lie to be tried. */
const TOLERANCE = 0.1;

/** The draw for a conversation's home, the same each time the conversation comes back. */
function tried(
  current: Option,
  { said, able, choice }: { said: Classification; able: readonly Option[]; choice: Choice },
  { explore }: RouteFacts,
  seed: number,
): Drawn | null {
  if (explore === undefined || explore.share <= 0) return null;
  const quality = new Map(choice.scored.map((each) => [each.group, each.quality]));
  const least = (quality.get(current.group) ?? 0) - TOLERANCE;
  const options = able
    .filter(({ group }) => (quality.get(group) ?? 0) >= least)
    .map(({ group }) => ({ group, estimate: explore.estimate(group, said.task) }))
    .toSorted((a, b) => (a.group < b.group ? -1 : 1));
  return drawModel(options, seed, explore.share, current.group);
}

/** True where history holds what only the provider that made it can read: signed thinking and calls, native blocks. */
export function isBound(messages: readonly Message[]): boolean {
  return messages.some(({ role, parts }) =>
    parts.some(
      (part) =>
        (part.type === "thinking" &&
          (part.signature !== undefined || part.redacted !== undefined)) ||
        ((part.type === "toolCall" || part.type === "text") && part.signature !== undefined) ||
        (part.type === "native" && role === "assistant"),
    ),
  );
}

/** 0–1, the same for the same first turn. */
function drawOf(message: Message | undefined): number {
  let hash = FNV_START;
  for (const part of message?.parts ?? []) {
    if (part.type !== "text") continue;
    for (let at = 0; at < part.text.length && at < 4096; at++) {
      hash = step(hash, part.text.charCodeAt(at));
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
