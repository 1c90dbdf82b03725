import { eq, sql } from "drizzle-orm";
import type { NanoUsd } from "../core/money.ts";
import type { Db } from "../store/database.ts";
import { requestLog } from "../store/schema.ts";

/** What was debited to an organization so far, in nano-dollars. */
export async function orgSpend(db: Db, orgId: string): Promise<NanoUsd> {
  const rows = await db
    .select({ spent: sql<number>`coalesce(sum(${requestLog.costNano}), 0)` })
    .from(requestLog)
    .where(eq(requestLog.orgId, orgId));
  return rows[0]?.spent ?? 0;
}
