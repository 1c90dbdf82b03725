import { chargeOf } from "../core/account.ts";
import type { SettleRow } from "../core/account.ts";
import type { Overbilled } from "../core/overbilling.ts";
import type { Hold } from "./escrow-memory.ts";

/** A bound is raised in steps of a twentieth, so that it is not raised for each request anew. */
const STEPS = 20;
const MOST = 10;
const ROUNDING = 1e-9;
/** How long what was learnt here counts by itself; the organization's copies have it long before. */
const FRESH_MS = 60_000;
const MOST_DEPLOYMENTS = 1_000;

type Held = Pick<Hold, "amount" | "overbilling">;

/**
 * By how much deployments bill beyond what their price and token limit say, as this isolate reckons with it: what the
 * organization knows, and what was learnt here since.
 */
export class Overbilling {
  readonly #factors = new Map<string, { factor: number; freshUntil: number }>();

  /** At least 1; `known` = what the organization's copy says. */
  of(orgId: string, deployment: string, known: number, now: number): number {
    const key = `${orgId}/${deployment}`;
    const own = this.#factors.get(key);
    const freshUntil = own?.freshUntil ?? -Infinity;
    const factor = own && now < freshUntil ? Math.max(own.factor, known) : known;
    if (factor > 1) this.#keep(key, { factor, freshUntil });
    else this.#factors.delete(key);
    return factor;
  }

  /**
   * What a request tells that came to more than was held for it: its deployment is held for that much more from now on.
   * Null where nothing is learnt: several attempts have one sum, and an estimate is ours.
   */
  learn(row: SettleRow, { amount: held, overbilling = {} }: Held, now: number): Overbilled | null {
    const paid = row.attempts.filter((each) => {
      const { cost, tokens } = chargeOf({ attempts: [each] });
      return cost > 0 || tokens > 0;
    });
    const [attempt, another] = paid;
    if (attempt === undefined || another !== undefined || attempt.usage.estimated) return null;
    const { orgId, requestId } = row;
    const { deployment } = attempt;
    const charged = chargeOf(row);
    const beyond = Math.max(ratio(charged.cost, held.cost), ratio(charged.tokens, held.tokens));
    if (beyond <= 1) return null;
    const key = `${orgId}/${deployment}`;
    // Others may have taught more since it was held.
    const heldBy = overbilling[deployment] ?? 1;
    const factor = Math.min(MOST, Math.ceil(heldBy * beyond * STEPS - ROUNDING) / STEPS);
    if (factor <= Math.max(heldBy, this.#factors.get(key)?.factor ?? 1)) return null;
    this.#keep(key, { factor, freshUntil: now + FRESH_MS });
    return { orgId, requestId, deployment, factor };
  }

  #keep(key: string, own: { factor: number; freshUntil: number }): void {
    if (this.#factors.size >= MOST_DEPLOYMENTS) this.#factors.clear();
    this.#factors.set(key, own);
  }
}

function ratio(charged: number, held: number): number {
  return held === 0 ? 1 : charged / held;
}
