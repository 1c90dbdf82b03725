import type { LedgerPort } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import { scopeKey } from "../core/scope.ts";
import type { Scope } from "../core/scope.ts";
import type { EscrowMemory } from "./escrow-memory.ts";

/** One ledger, as a request of this isolate sees it. */
export interface Place {
  name: string;
  book: EscrowMemory;
  /** What the isolate is called by ledgers: what it borrows is one team's, also of what spans teams. */
  borrower: string;
  ledger: (home: string | null) => LedgerPort;
}

export function flightOf(place: Place, scope: Scope): string {
  return `${place.name} ${scopeKey(scope)}`;
}

export function unavailable(cause?: unknown): GatewayError {
  return new GatewayError(
    "control_plane_unavailable",
    "The account of this request can't be reached now.",
    { retryAfter: 1, cause },
  );
}
