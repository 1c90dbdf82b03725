import type { Scope } from "../worker/core/scope.ts";
import { scopeKey } from "../worker/core/scope.ts";
import type { LedgerStorage } from "./ledger-rows.ts";
import { definitionKey, termsOf } from "./ledger-terms.ts";
import type { Terms } from "./ledger-terms.ts";

const MOST_TERMS = 5_000;

/** Terms by scope, each kept until its window ends, so that calendars are not asked for each request. */
export class TermsInForce {
  readonly #storage: Pick<LedgerStorage, "definition">;
  readonly #terms = new Map<string, { terms: Terms; from: number; until: number }>();

  constructor(storage: Pick<LedgerStorage, "definition">) {
    this.#storage = storage;
  }

  of(scope: Scope, now: number): Terms {
    const key = scopeKey(scope);
    const known = this.#terms.get(key);
    if (known && known.from <= now && now < known.until) return known.terms;
    const definition = this.#storage.definition(definitionKey(scope));
    const terms = termsOf(scope, definition, now);
    if (this.#terms.size >= MOST_TERMS) this.#terms.clear();
    const { increase } = terms.limits ?? {};
    const until = Math.min(
      terms.window.endsAt ?? Infinity,
      increase !== undefined && now < increase.until ? increase.until : Infinity,
    );
    this.#terms.set(key, { terms, from: now, until });
    return terms;
  }

  clear(): void {
    this.#terms.clear();
  }
}
