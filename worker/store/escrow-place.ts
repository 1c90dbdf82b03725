import type { LedgerPort, SettleRow } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import { scopeKey } from "../core/scope.ts";
import type { Scope } from "../core/scope.ts";
import type { EscrowMemory } from "./escrow-memory.ts";
import type { Overbilling } from "./escrow-overbilling.ts";
import type { Flights } from "./single-flight.ts";

/** The escrow of one isolate: a memory per ledger, flights and the number of its last message. */
export interface Memory {
  n: number;
  /** By `org/team`, the most lately used last. */
  ledgers: Map<string, LedgerMemory>;
  flights: Flights;
  overbilling: Overbilling;
}

export interface LedgerMemory {
  orgId: string;
  teamId: string;
  book: EscrowMemory;
}

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

/**
 * Near a limit others wait for what a settlement frees: single holds. What a row had of a slice is in the stock again, or
 * goes back by itself, and slots among it with the end of their request.
 */
export function isAwaited(row: SettleRow | undefined): boolean {
  return row?.leases.some(({ single }) => single) ?? false;
}
