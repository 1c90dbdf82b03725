import type { KeyRecord, OrgShared, TeamRecord } from "../core/records.ts";
import { addressWithin } from "../policy/authz/addresses.ts";
import { roleWithin } from "../policy/authz/roles.ts";
import { allows } from "../providers/resolve.ts";
import type { KeyRow } from "../store/keys.ts";
import type { TeamRow } from "../store/teams.ts";
import type { UserRow } from "../store/users.ts";
import type { AdminContext } from "./context.ts";
import { wider } from "./faults.ts";
import { boundRouting } from "./key-routing.ts";

/** Whom a key is for. */
export interface KeyOwner {
  team: TeamRow | null;
  user: UserRow | null;
}

/** The key that makes or changes another one. */
export interface Maker {
  ctx: AdminContext;
  key: KeyRecord;
  team: TeamRecord | null;
  shared: OrgShared;
}

/** The maker's key; null for the master key, which has no bounds. */
export function makerOf(ctx: AdminContext): Maker | null {
  const identity = ctx.caller.identity;
  if (!identity?.key) return null;
  return { ctx, key: identity.key, team: identity.team, shared: identity.shared };
}

/** Refuses a user whose role may do anything that the maker's may not. */
export function boundUser(maker: Maker, user: UserRow | null): void {
  if (user !== null && !roleWithin(user.role, maker.ctx.principal.role)) {
    throw wider("user_id", `a key of a user with the role ${user.role}`);
  }
}

/** The models that a key of this team gets: those asked for, or what the maker may hand on where none are named. */
export function boundModels(maker: Maker, models: string[], team: TeamRow | null): string[] {
  if (!models.every(within(maker, team))) {
    throw wider("models", "models beyond its own or the team's");
  }
  if (models.length > 0) return models;
  const { key, shared } = maker;
  // A key of the maker's own team stays under that team's list; elsewhere the list travels with it.
  const stays = (team?.id ?? shared.org.defaultTeamId) === maker.team?.id;
  const inherited = stays ? key.models : meet(key.models, maker.team?.models ?? []);
  if (inherited === null) throw wider("models", "any model");
  return inherited;
}

/** An alias opens its target to whoever may call its name, so the target counts as asked for. */
export function boundAliases(
  maker: Maker,
  aliases: Record<string, string>,
  team: TeamRow | null,
): void {
  if (!Object.values(aliases).every(within(maker, team))) {
    throw wider("aliases", "models beyond its own");
  }
}

export function boundAddresses(maker: Maker, blocks: string[]): string[] {
  const own = maker.key.allowedIps;
  if (blocks.length === 0) return own;
  if (blocks.every((block) => addressWithin(own, block))) return blocks;
  throw wider("allowed_ips", "addresses outside its own");
}

/** Unix milliseconds; null = never. */
export function boundExpiry(maker: Maker, expiresAt: number | null): number | null {
  const end = maker.key.expiresAt;
  if (end === undefined) return expiresAt;
  if (expiresAt !== null && expiresAt > end) throw wider("duration", "a longer life than its own");
  return expiresAt ?? end;
}

/** Refuses to hand over the secret of a key that can do more than the key that asks for it. */
export function boundSecret(maker: Maker, row: KeyRow, owner: KeyOwner): void {
  if (row.id === maker.key.id) return;
  boundUser(maker, owner.user);
  boundAliases(maker, row.aliases, owner.team);
  const same =
    boundModels(maker, row.models, owner.team).length === row.models.length &&
    boundAddresses(maker, row.allowedIps).length === row.allowedIps.length &&
    Object.keys(boundRouting(maker, row.routerSettings)).length ===
      Object.keys(row.routerSettings).length &&
    boundExpiry(maker, row.expiresAt) === row.expiresAt;
  if (!same) throw wider("key", "a key that can do more than itself");
}

function within(maker: Maker, team: TeamRow | null): (model: string) => boolean {
  const { key, shared } = maker;
  const lists = [key.models, maker.team?.models ?? [], shared.org.models, team?.models ?? []];
  return (model) => lists.every((list) => allows(list, model));
}

/** What two allowlists both allow, where an empty one allows all; null where nothing is left. */
function meet(a: readonly string[], b: readonly string[]): string[] | null {
  if (a.length === 0 || b.length === 0) return [...a, ...b];
  const both = [...a.filter((each) => allows(b, each)), ...b.filter((each) => allows(a, each))];
  return both.length === 0 ? null : [...new Set(both)];
}
