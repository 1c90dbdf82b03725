import type { Chosen, Progress } from "../core/call.ts";
import type { UpstreamFault } from "../core/fault.ts";
import type { Deployment } from "../core/model.ts";
import type { Deps } from "../core/ports.ts";
import type { Step } from "../core/routing.ts";
import { pause } from "../core/time.ts";
import { nextMove, sharesFault, type Tried } from "../routing/walk.ts";
import { alertRefused } from "./credential-alert.ts";
import { raise } from "./hold.ts";

/** One request's way along its plan; `progress` tells of every move. */
export interface Way {
  /** The place to begin with. */
  first(): Step;
  /**
   * Where to go after the attempt at the present place failed so (its row is written already): returns once the wait
   * is over and the attempt's worst case is held; null = nothing more is to be tried.
   */
  after(fault: UpstreamFault, from?: Step): Promise<Step | null>;
  /** A place to try beside those where attempts run, at once; null = none is open. */
  beside(running: readonly Step[]): Promise<Step | null>;
  /** Begins the same place anew, asked otherwise; false = no room is left for it. */
  again(step: Step): Promise<boolean>;
  /** The attempt at a place failed, while others still run. */
  failed(fault: UpstreamFault, from: Step): void;
}

/**
 * The one way for buffered and streamed answers: the pure walker decides, health and the account have their say.
 * `added` = bytes that the next attempt's prompt may have beyond the caller's request.
 */
export function setOut(
  deps: Deps,
  call: Chosen,
  progress: Progress,
  added: () => number = () => 0,
): Way {
  const { plan, settings, explanation } = call;
  const { orgId } = call.identity.principal;
  const tried: Tried[] = [];
  const passed = new Set<number>();
  let at = 0;

  const begin = (place: number, first = false): Step => {
    const step = plan[place];
    if (step === undefined) throw new TypeError("A plan is never empty.");
    at = place;
    progress.deployment = step.deployment;
    deps.health.began(orgId, step.deployment, first ? step.group : null);
    return step;
  };

  const usable = (deployment: Deployment) => {
    const { state, reason } = deps.health.standing(orgId, deployment);
    return !settings.cooldowns || state !== "open" || reason === "limit";
  };

  const failed = (fault: UpstreamFault, from?: Step) => {
    const place = from === undefined ? at : plan.indexOf(from);
    tried.push({ step: place, fault });
    const step = plan[place];
    if (step === undefined) return;
    if (sharesFault(fault)) deps.health.refused(orgId, step.deployment, step.breaker);
    alertRefused(deps, call, step, fault);
  };

  /** Holds the worst case of one more attempt; false = there is no room for it. */
  const room = (step: Step, others: readonly Deployment[] = []) =>
    raise(deps, { ...call, bytes: call.bytes + added() }, progress, step, others);

  const moveOn = async (): Promise<Step | null> => {
    for (;;) {
      const remaining = call.deadline - deps.now();
      const move = nextMove({
        plan,
        settings,
        tried,
        remaining,
        seed: explanation.seed,
        passed,
        usable,
      });
      const row = progress.attempts.at(-1);
      if (move.do === "stop") {
        if (row !== undefined) row.next = `stop: ${move.why}`;
        return null;
      }
      const step = plan[move.step];
      if (step === undefined) return null;
      const { deployment, group } = step;
      const admitted = deps.health.mayAdd(orgId, group, deployment) && (await room(step));
      if (!admitted) {
        passed.add(move.step);
        continue;
      }
      if (move.wait > 0) await pause(move.wait);
      if (row !== undefined) {
        row.next = deployment.id;
        if (move.wait > 0) row.waitMs = move.wait;
      }
      if (group !== plan[at]?.group) progress.fallbacks += 1;
      // Passing over who was sent nothing is no retry.
      else if (tried.at(-1)?.fault.class !== "unsupported") progress.retries += 1;
      return begin(move.step);
    }
  };

  return {
    first() {
      // Nothing of what was asked for is in the plan: the chain serves from its first attempt on.
      if (plan[0] !== undefined && plan[0].why !== "requested") progress.fallbacks += 1;
      return begin(0, true);
    },
    after(fault, from) {
      failed(fault, from);
      return moveOn();
    },
    failed,
    async again(step) {
      if (!(await room(step))) return false;
      progress.retries += 1;
      begin(plan.indexOf(step));
      return true;
    },
    async beside(running) {
      for (const [place, step] of plan.entries()) {
        const { deployment, group, when } = step;
        if (when !== "any" || passed.has(place) || !usable(deployment)) continue;
        if (running.includes(step) || tried.some((each) => each.step === place)) continue;
        // What runs beside is a further attempt like any other.
        const made = [...running, ...tried.map((each) => plan[each.step])];
        const here = made.filter((each) => each?.group === group).length;
        if (here > settings.numRetries) continue;
        const others = running.map((each) => each.deployment);
        const admitted = deps.health.mayAdd(orgId, group, deployment) && (await room(step, others));
        if (!admitted) continue;
        if (group === plan[at]?.group) progress.retries += 1;
        else progress.fallbacks += 1;
        return begin(place);
      }
      return null;
    },
  };
}
