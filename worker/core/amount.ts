import type { NanoUsd } from "./money.ts";

/** What is lent, held and debited: whole, non-negative numbers, counted separately. */
export interface Amount {
  cost: NanoUsd;
  requests: number;
  tokens: number;
}

/** No money, no requests, no tokens. */
export const NOTHING: Readonly<Amount> = Object.freeze({ cost: 0, requests: 0, tokens: 0 });

function each(a: Amount, b: Amount, of: (a: number, b: number) => number): Amount {
  return {
    cost: of(a.cost, b.cost),
    requests: of(a.requests, b.requests),
    tokens: of(a.tokens, b.tokens),
  };
}

/** The sum, place by place. */
export function plus(a: Amount, b: Amount): Amount {
  return each(a, b, (x, y) => x + y);
}

/** May be negative in places: only for amounts of which one is known to hold the other. */
export function minus(a: Amount, b: Amount): Amount {
  return each(a, b, (x, y) => x - y);
}

/** What `a` is more than `b`, nothing where it is less. */
export function beyond(a: Amount, b: Amount): Amount {
  return each(a, b, (x, y) => Math.max(0, x - y));
}

/** The smaller of both, in each place. */
export function least(a: Amount, b: Amount): Amount {
  return each(a, b, Math.min);
}

/** The greater of both, in each place. */
export function most(a: Amount, b: Amount): Amount {
  return each(a, b, Math.max);
}

/** The product, place by place. */
export function times(a: Amount, factor: number): Amount {
  return each(a, a, (x) => Math.ceil(x * factor));
}

/** True when `a` is at least `b` in every place. */
export function covers(a: Amount, b: Amount): boolean {
  return a.cost >= b.cost && a.requests >= b.requests && a.tokens >= b.tokens;
}

/** True where every place is nothing. */
export function isNothing(a: Amount): boolean {
  return a.cost === 0 && a.requests === 0 && a.tokens === 0;
}

/** True for whole, non-negative, exact numbers in every place. */
export function isAmount(value: unknown): value is Amount {
  if (typeof value !== "object" || value === null) return false;
  const { cost, requests, tokens } = value as Partial<Amount>;
  return [cost, requests, tokens].every((n) => Number.isSafeInteger(n) && Number(n) >= 0);
}
