import type { AccountPort } from "../core/ports.ts";
import { prepared } from "./changes.ts";
import { settleRequest } from "./request-log.ts";

/**
 * The account without a ledger: it grants every hold, and a settlement is the request's row in D1, written once per
 * request id. A settlement that can't be written throws; it may be sent again.
 */
export function makeD1Account(d1: D1Database, now: () => number): AccountPort {
  return {
    async hold(request) {
      return { granted: true, holdId: `hold_${request.requestId}`, leases: [] };
    },
    async settle(row) {
      await prepared(d1, settleRequest(row, now())).run();
    },
    async release() {
      // Nothing was set aside.
    },
  };
}
