import * as z from "zod";
import { GatewayError } from "../core/errors.ts";
import type { KeyType } from "../core/principal.ts";
import { roleWithin } from "../policy/authz/roles.ts";
import { addressWithin } from "../policy/authz/addresses.ts";
import { allows } from "../providers/resolve.ts";
import { insertKey, type KeyRow } from "../store/keys.ts";
import type { TeamRow } from "../store/teams.ts";
import type { UserRow } from "../store/users.ts";
import type { AdminContext } from "./context.ts";
import { addDuration } from "./duration.ts";
import { alias, aliases, allowedIps, duration, LIMITS, metadata, models, tags } from "./fields.ts";
import { limitColumns, made } from "./rows.ts";

/** What a caller may say of a new key, whoever it is for. */
export const KEY_FIELDS = {
  key_alias: alias.nullish().describe("Unique in the organization"),
  models: models
    .default([])
    .describe("What the key may call; empty = all that its team and organization may"),
  duration: duration.nullish().describe("Lifetime: 30d, 12h; absent = it does not expire"),
  key_type: z.enum(["default", "llm_api", "management", "read_only"]).default("default"),
  allowed_ips: allowedIps.default([]).describe("Addresses or CIDR blocks; empty = any"),
  aliases: aliases.default({}).describe("Model names that stand for others"),
  tags: tags.default([]),
  metadata: metadata.default({}),
  blocked: z.boolean().default(false),
  ...LIMITS,
};

export type KeyWish = z.output<z.ZodObject<typeof KEY_FIELDS>>;

/** Whom a new key is for. */
export interface KeyOwner {
  team: TeamRow | null;
  user: UserRow | null;
}

/**
 * The part of a wish that its maker may grant: a child is never wider than its maker in models, addresses, lifetime,
 * and in the role that it carries. What the wish leaves open becomes as narrow as the maker; what it asks beyond is
 * refused. The master key has no bounds.
 */
export function withinMaker(ctx: AdminContext, wish: KeyWish, owner: KeyOwner): KeyBounds {
  const expiresAt = wish.duration == null ? null : addDuration(ctx.now, wish.duration);
  const asked: KeyBounds = { models: wish.models, allowedIps: wish.allowed_ips, expiresAt };
  const identity = ctx.caller.identity;
  const maker = identity?.key;
  if (!identity || !maker) return asked;

  if (owner.user !== null && !roleWithin(owner.user.role, ctx.principal.role)) {
    throw wider("user_id", `a key of a user with the role ${owner.user.role}`);
  }
  const { team, shared } = identity;
  const named = owner.team?.models ?? [];
  const lists = [maker.models, team?.models ?? [], shared.org.models, named];
  const inside = (model: string) => lists.every((list) => allows(list, model));
  if (!wish.models.every(inside)) throw wider("models", "models beyond its own or the team's");
  // An alias opens its target to whoever may call its name, so the target counts as asked for.
  if (!Object.values(wish.aliases).every(inside)) throw wider("aliases", "models beyond its own");
  if (asked.models.length === 0) {
    // A child of the maker's own team stays under that team's list; elsewhere the list travels with it.
    const stays = (owner.team?.id ?? shared.org.defaultTeamId) === team?.id;
    const inherited = stays ? maker.models : meet(maker.models, team?.models ?? []);
    if (inherited === null) throw wider("models", "any model");
    asked.models = inherited;
  }

  if (asked.allowedIps.length === 0) asked.allowedIps = maker.allowedIps;
  else if (!asked.allowedIps.every((block) => addressWithin(maker.allowedIps, block))) {
    throw wider("allowed_ips", "addresses outside its own");
  }

  const end = maker.expiresAt;
  if (end !== undefined) {
    if (asked.expiresAt !== null && asked.expiresAt > end) {
      throw wider("duration", "a longer life than its own");
    }
    asked.expiresAt ??= end;
  }
  return asked;
}

export interface KeyBounds {
  models: string[];
  allowedIps: string[];
  /** Unix milliseconds; null = never. */
  expiresAt: number | null;
}

/** What two allowlists both allow, where an empty one allows all; null where nothing is left. */
function meet(a: readonly string[], b: readonly string[]): string[] | null {
  if (a.length === 0 || b.length === 0) return [...a, ...b];
  const both = [...a.filter((each) => allows(b, each)), ...b.filter((each) => allows(a, each))];
  return both.length === 0 ? null : [...new Set(both)];
}

function wider(param: string, what: string): GatewayError {
  return new GatewayError("forbidden", `${param}: a key can't grant ${what}.`, { param });
}

/** Makes a key and the statement that keeps it; nothing is written, and the token is in this answer alone. */
export async function newKey(ctx: AdminContext, wish: KeyWish, owner: KeyOwner) {
  const bounds = withinMaker(ctx, wish, owner);
  const issued = await ctx.deps.issueKey(ctx.orgId);
  const row: KeyRow = {
    orgId: ctx.orgId,
    id: issued.keyId,
    handle: issued.handle,
    name: issued.name,
    alias: wish.key_alias ?? null,
    keyType: wish.key_type satisfies KeyType,
    teamId: owner.team?.id ?? null,
    userId: owner.user?.id ?? null,
    ...bounds,
    aliases: wish.aliases,
    blocked: wish.blocked,
    revision: 1,
    tags: wish.tags,
    policyId: null,
    routerSettings: {},
    metadata: wish.metadata,
    budgetResetAt: null,
    ...limitColumns(wish),
    ...made(ctx.actor, ctx.now),
  };
  const { hash, pepperVersion, token } = issued;
  return { row, token, statement: insertKey(ctx.orgId, { ...row, hash, pepperVersion }) };
}
