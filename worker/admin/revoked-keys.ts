import type { Statement } from "../core/ports.ts";
import { deleteKeysOf, keysOf, type KeysOf } from "../store/keys.ts";
import type { ChangeEvent } from "./change-record.ts";
import type { AdminContext } from "./context.ts";

/** Every key that dies is an event of its own, up to these; beyond them the count of the change tells. */
const MOST_EVENTS = 500;

/** The part of a change that ends keys together with what they depend on. */
export interface RevokedKeys {
  count: number;
  statement: Statement;
  events: ChangeEvent[];
}

/**
 * Ends the keys of teams, users, or users in teams. The names that the change touches have to hold those teams or
 * users: copies of the keys go with them.
 */
export async function revokeKeys(ctx: AdminContext, of: KeysOf): Promise<RevokedKeys> {
  const keys = await keysOf(ctx.deps.db, ctx.orgId, of);
  return {
    count: keys.length,
    statement: deleteKeysOf(ctx.orgId, of),
    events: keys.slice(0, MOST_EVENTS).map((key) => ({
      type: "key.revoked",
      objectId: key.handle,
      teamId: key.teamId ?? undefined,
      before: { token: key.handle, team_id: key.teamId },
    })),
  };
}
