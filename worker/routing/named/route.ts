import type { AutoDecision, AutoRouter } from "../../core/auto-router.ts";
import type { ChatRequest } from "../../core/chat.ts";
import { isBound } from "../smart/conversation.ts";
import { promptOf, userTurns } from "../smart/prompt.ts";
import { matchRoute } from "./match.ts";

/** Turns that are looked at where the last one may not move the conversation. */
const TURNS = 15;

/**
 * What a router makes of a request: the route of the last user turn, so that nothing moves between tool results. Where
 * history holds what only its own provider can read, the turn before that decides. Whatever goes wrong, the default
 * model serves.
 */
export function routeBy(
  router: AutoRouter,
  chat: ChatRequest,
  exists: (model: string) => boolean,
): AutoDecision {
  const about = { router: router.name, mode: router.mode };
  try {
    const turns = userTurns(chat).slice(-TURNS);
    const free = turns.findLast((turn, at) => at === 0 || !isBound(chat.messages.slice(0, turn)));
    if (free === undefined) return { ...about, route: null, score: 0, reason: "no_messages" };
    const { route, score } = matchRoute(router, promptOf(chat, free).text);
    if (route === null) return { ...about, route, score, reason: "below_threshold" };
    if (!exists(route)) return { ...about, route: null, score, reason: "no_such_model" };
    return { ...about, route, score, reason: "matched" };
  } catch {
    return { ...about, route: null, score: 0, reason: "error" };
  }
}
