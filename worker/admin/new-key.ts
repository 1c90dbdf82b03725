import * as z from "zod";
import type { JsonObject } from "../core/json.ts";
import type { KeyType } from "../core/principal.ts";
import { insertKey, type KeyPatch, type KeyRow } from "../store/keys.ts";
import { CAPABILITIES, requireCapabilities } from "./capabilities.ts";
import type { AdminContext } from "./context.ts";
import { addDuration } from "./duration.ts";
import {
  alias,
  aliases,
  allowedIps,
  duration,
  ATTACHED_LIMITS,
  metadata,
  models,
  tags,
} from "./fields.ts";
import {
  boundAddresses,
  boundAliases,
  boundExpiry,
  boundModels,
  boundUser,
  makerOf,
  type KeyOwner,
} from "./key-bounds.ts";
import { boundRouting, KEY_ROUTING, storedRouting } from "./key-routing.ts";
import { changed, limitColumns, limitPatch, made } from "./rows.ts";

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
  ...KEY_ROUTING,
  ...CAPABILITIES,
  ...ATTACHED_LIMITS,
};

export type KeyWish = z.output<z.ZodObject<typeof KEY_FIELDS>>;

/** What a caller may change of a key; null clears, an absent field leaves what is there. */
export const KEY_CHANGES = {
  key_alias: alias.nullish(),
  models: models.nullish(),
  duration: duration.nullish().describe("Lifetime from now on; null = it does not expire"),
  allowed_ips: allowedIps.nullish(),
  aliases: aliases.nullish(),
  tags: tags.nullish(),
  metadata: metadata.nullish(),
  ...KEY_ROUTING,
  ...CAPABILITIES,
  ...ATTACHED_LIMITS,
};

export type KeyChange = z.output<z.ZodObject<typeof KEY_CHANGES>>;

/**
 * The part of a wish that its maker may grant: a child is never wider than its maker in models, addresses, lifetime,
 * the role that it carries, and where its requests may go. What the wish leaves open becomes as narrow as the maker; what it asks beyond is
 * refused. The master key has no bounds.
 */
function withinMaker(ctx: AdminContext, wish: KeyWish, owner: KeyOwner): KeyBounds {
  const expiresAt = wish.duration == null ? null : addDuration(ctx.now, wish.duration);
  const maker = makerOf(ctx);
  const routerSettings = storedRouting(wish.router_settings);
  if (maker === null) {
    return { models: wish.models, allowedIps: wish.allowed_ips, expiresAt, routerSettings };
  }
  boundUser(maker, owner.user);
  boundAliases(maker, wish.aliases, owner.team);
  return {
    models: boundModels(maker, wish.models, owner.team),
    allowedIps: boundAddresses(maker, wish.allowed_ips),
    expiresAt: boundExpiry(maker, expiresAt),
    routerSettings: boundRouting(maker, routerSettings),
  };
}

export interface KeyBounds {
  models: string[];
  allowedIps: string[];
  /** Unix milliseconds; null = never. */
  expiresAt: number | null;
  routerSettings: JsonObject;
}

/** A change of whom a key is for; absent = it stays. */
export interface Move {
  team: boolean;
  user: boolean;
}

/**
 * The columns that a change sets, within the same bounds: what it touches is judged as if the key were made anew by
 * whoever changes it, what it leaves alone stays as it was made.
 */
export function keyPatch(
  ctx: AdminContext,
  row: KeyRow,
  change: KeyChange,
  owner: KeyOwner,
  move: Move,
): KeyPatch {
  const patch: KeyPatch = { ...limitPatch(change), ...changed(ctx.actor, ctx.now) };
  if (change.key_alias !== undefined) patch.alias = change.key_alias;
  if (change.tags !== undefined) patch.tags = change.tags ?? [];
  if (change.metadata !== undefined) patch.metadata = change.metadata ?? {};
  if (change.models !== undefined) patch.models = change.models ?? [];
  if (change.allowed_ips !== undefined) patch.allowedIps = change.allowed_ips ?? [];
  if (change.aliases !== undefined) patch.aliases = change.aliases ?? {};
  if (change.router_settings !== undefined) {
    patch.routerSettings = storedRouting(change.router_settings);
  }
  requireCapabilities(change);
  if (change.policy_id === null) patch.policyId = null;
  if (change.duration !== undefined) {
    patch.expiresAt = change.duration === null ? null : addDuration(ctx.now, change.duration);
  }
  if (move.team) patch.teamId = owner.team?.id ?? null;
  if (move.user) patch.userId = owner.user?.id ?? null;
  const maker = makerOf(ctx);
  if (maker === null) return patch;
  if (move.user) boundUser(maker, owner.user);
  if (patch.models !== undefined || patch.aliases !== undefined || move.team) {
    boundAliases(maker, patch.aliases ?? row.aliases, owner.team);
  }
  if (patch.models !== undefined || move.team) {
    patch.models = boundModels(maker, patch.models ?? row.models, owner.team);
  }
  if (patch.allowedIps !== undefined) patch.allowedIps = boundAddresses(maker, patch.allowedIps);
  if (patch.routerSettings !== undefined) {
    patch.routerSettings = boundRouting(maker, patch.routerSettings);
  }
  if (patch.expiresAt !== undefined) patch.expiresAt = boundExpiry(maker, patch.expiresAt);
  return patch;
}

/** Makes a key and the statement that keeps it; nothing is written, and the token is in this answer alone. */
export async function newKey(ctx: AdminContext, wish: KeyWish, owner: KeyOwner) {
  requireCapabilities(wish);
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
    metadata: wish.metadata,
    budgetResetAt: null,
    previousUntil: null,
    ...limitColumns(wish),
    ...made(ctx.actor, ctx.now),
  };
  const { hash, pepperVersion, token } = issued;
  return { row, token, statement: insertKey(ctx.orgId, { ...row, hash, pepperVersion }) };
}
