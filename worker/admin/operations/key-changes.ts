import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import {
  deleteKeys,
  keyAliases,
  replaceToken,
  updateKey,
  type KeyPatch,
  type KeyRow,
} from "../../store/keys.ts";
import { findTeam } from "../../store/teams.ts";
import { findUser } from "../../store/users.ts";
import type { ChangeEvent } from "../change-record.ts";
import type { AdminContext } from "../context.ts";
import { addDuration } from "../duration.ts";
import { KEY_ROW, PAGE_ROW } from "../examples.ts";
import { duration, ATTACHED_LIMITS, ORG, reference, SIZED_PAGE } from "../fields.ts";
import { boundSecret, makerOf, type KeyOwner } from "../key-bounds.ts";
import { KEY_CHANGES, keyPatch, type KeyChange } from "../new-key.ts";
import { operation, visible } from "../operation.ts";
import { changed, keyFields, keyShape, pageShape } from "../rows.ts";
import { keyNamed, ownerOf, reach, teamFor, userFor } from "./keys.ts";

const HANDLE = KEY_ROW.token;
const KEY = reference.describe("The key itself, its handle, or its alias");
const MOST_GRACE = "30d";

/** Names of the fields that a call changes, for its audit record. */
export function fieldsOf(change: object, besides: readonly string[] = []): string[] {
  return Object.entries(change)
    .filter(([name, value]) => value !== undefined && !besides.includes(name))
    .map(([name]) => name);
}

function event(
  type: ChangeEvent["type"],
  before: KeyRow,
  after: KeyRow | null,
  data: ChangeEvent["data"] = {},
): ChangeEvent {
  const { handle, teamId, userId } = after ?? before;
  return {
    type,
    objectId: handle,
    teamId: teamId ?? undefined,
    before: keyFields(before),
    ...(after && { after: keyFields(after) }),
    // Whose it is, also where that did not change: its alias and metadata are that person's.
    data: { user_id: userId, ...data },
  };
}

/** The team and user that stand above a key now. */
async function ownersOf(ctx: AdminContext, row: KeyRow): Promise<KeyOwner> {
  const { db } = ctx.deps;
  const [team, user] = await Promise.all([
    row.teamId === null ? null : findTeam(db, ctx.orgId, row.teamId),
    row.userId === null ? null : findUser(db, ctx.orgId, row.userId),
  ]);
  return { team, user };
}

/** Whoever raises or lowers a key's budget needs the right to its budget, not only to the key. */
function requireBudget(ctx: AdminContext, row: KeyRow, change: object): void {
  const fields = new Set(fieldsOf(change));
  if (Object.keys(ATTACHED_LIMITS).some((name) => fields.has(name)))
    ctx.require("budget", "write", ownerOf(row));
}

/** The row as it is after a patch. */
function patched(row: KeyRow, patch: KeyPatch): KeyRow {
  const {
    hash: _,
    pepperVersion: __,
    previousHash: ___,
    previousPepperVersion: ____,
    ...rest
  } = patch;
  return { ...row, ...(rest as Partial<KeyRow>), revision: row.revision + 1 };
}

async function findRow(ctx: AdminContext, name: string) {
  const row = await keyNamed(ctx, name);
  return row && { subject: ownerOf(row), object: row };
}

const MISSING = { what: "key", param: "key" };

const update = operation({
  id: "key.update",
  section: "Keys",
  summary: "Change a key",
  notes:
    "Absent fields stay, null clears one. What is changed is held to the key of the call as if the key were made anew: it never becomes wider than that one. Budgets and limits can be changed by whoever may set budgets there.",
  http: [
    { method: "POST", path: "/key/update" },
    { method: "PUT", path: "/key/update" },
  ],
  permission: { resource: "key", action: "write" },
  event: "key.updated",
  input: z.object({
    ...ORG,
    key: KEY,
    ...KEY_CHANGES,
    team_id: reference.nullish().describe("Moves the key to this team"),
    user_id: reference.nullish().describe("Gives the key to this user"),
  }),
  output: keyShape.extend({ key: z.string().describe("The key's handle") }),
  example: {
    input: { key: "search-prod", models: ["gpt-4o-mini"], rpm_limit: 600 },
    output: { key: HANDLE, ...KEY_ROW, rpm_limit: 600 },
  },
  errors: ["conflict", "not_found"],
  missing: MISSING,
  target: (ctx, input) => findRow(ctx, input.key),
  async run(ctx, input, row) {
    const { key: _, organization_id: __, ...change } = input;
    requireBudget(ctx, row, change);
    const now = await ownersOf(ctx, row);
    const move = { team: input.team_id !== undefined, user: input.user_id !== undefined };
    const team = input.team_id == null ? null : await teamFor(ctx, input.team_id);
    const owner: KeyOwner = { team: move.team ? team : now.team, user: now.user };
    if (move.user) {
      owner.user = input.user_id == null ? null : await userFor(ctx, input.user_id, owner.team);
    }
    const patch = keyPatch(ctx, row, change, owner, move);
    const after = patched(row, patch);
    // Nobody hands a key to where the own rights end.
    ctx.require("key", "write", ownerOf(after));
    await ctx.commit({
      statements: [updateKey(ctx.orgId, row.id, patch)],
      touches: [`key:${row.id}`],
      events: [event("key.updated", row, after, { fields: fieldsOf(change) })],
    });
    return { key: row.handle, ...keyFields(after) };
  },
});

const names = z.array(reference).min(1, "Must not be empty").max(100, "At most 100 keys");

const remove = operation({
  id: "key.delete",
  section: "Keys",
  summary: "Delete keys",
  notes:
    "All of them or, where one is missing, none. A deleted key is refused everywhere within 5 s; what it spent stays on record.",
  http: [
    { method: "POST", path: "/key/delete" },
    { method: "DELETE", path: "/key/delete" },
  ],
  permission: { resource: "key", action: "delete" },
  event: "key.revoked",
  input: z.object({
    ...ORG,
    keys: names.nullish().describe("Keys, handles or aliases"),
    key_aliases: names.nullish(),
    key: KEY.nullish(),
  }),
  output: z.object({ deleted_keys: z.array(z.string()) }),
  example: { input: { keys: [HANDLE] }, output: { deleted_keys: [HANDLE] } },
  errors: ["not_found"],
  missing: MISSING,
  async target(ctx, input) {
    const named = [
      ...(input.keys ?? []),
      ...(input.key_aliases ?? []),
      ...(input.key == null ? [] : [input.key]),
    ];
    if (named.length === 0) {
      throw new GatewayError("invalid_request", "keys: name the keys to delete.", {
        param: "keys",
      });
    }
    const rows = new Map<string, { row: KeyRow; shown: string }>();
    for (const name of named) {
      const row = await keyNamed(ctx, name);
      if (row === null) return null;
      // A key that was named by its secret is answered by its handle.
      const secret = ctx.deps.keys.parse(name) !== null;
      rows.set(row.id, { row, shown: secret ? row.handle : name });
    }
    const all = [...rows.values()];
    return { subject: all.map(({ row }) => ownerOf(row)), object: all };
  },
  async run(ctx, _, all) {
    const ids = all.map(({ row }) => row.id);
    await ctx.commit({
      statements: [deleteKeys(ctx.orgId, ids)],
      touches: ids.map((id) => `key:${id}`),
      events: all.map(({ row }) => event("key.revoked", row, null)),
    });
    return { deleted_keys: all.map(({ shown }) => shown) };
  },
});

const regenerate = operation({
  id: "key.regenerate",
  section: "Keys",
  summary: "Give a key a new secret",
  notes:
    "The key keeps its handle, its limits and its history. The old secret is dead at once or, with grace_period, works beside the new one until that ends. Other fields change the key on the way, as /key/update does. Whoever can do less than the key does not get its secret.",
  http: [
    { method: "POST", path: "/key/regenerate" },
    { method: "POST", path: "/key/{key}/regenerate" },
  ],
  permission: { resource: "key", action: "write" },
  event: "key.rotated",
  input: z.object({
    ...ORG,
    key: KEY,
    grace_period: duration
      .refine((text) => (addDuration(0, text) ?? 0) <= (addDuration(0, MOST_GRACE) ?? 0), {
        error: `At most ${MOST_GRACE}`,
      })
      .nullish()
      .describe(`How long the old secret goes on working; ${MOST_GRACE} at most`),
    ...KEY_CHANGES,
    new_key: z.string().nullish().describe("Not accepted: keys carry a check of their own"),
  }),
  output: keyShape.extend({ key: z.string().describe("The key itself, shown once") }),
  example: {
    input: { key: "search-prod", grace_period: "24h" },
    output: {
      key: "sk-rt-g4Zk1x9QmT7ab-…",
      ...KEY_ROW,
      grace_until: "2026-11-22T09:00:00.000Z",
    },
  },
  errors: ["conflict", "not_found"],
  missing: MISSING,
  target(ctx, input) {
    if (input.new_key != null) {
      throw new GatewayError(
        "invalid_request",
        "new_key: a key of your own choice is not accepted.",
        { param: "new_key" },
      );
    }
    return findRow(ctx, input.key);
  },
  async run(ctx, input, row) {
    const { key: _, organization_id: __, new_key: ___, grace_period: grace, ...fields } = input;
    const change: KeyChange = fields;
    requireBudget(ctx, row, change);
    const owner = await ownersOf(ctx, row);
    const patch = keyPatch(ctx, row, change, owner, { team: false, user: false });
    const maker = makerOf(ctx);
    if (maker !== null) boundSecret(maker, patched(row, patch), owner);
    const graceUntil = grace == null ? null : addDuration(ctx.now, grace);
    const { token, name, hash, pepperVersion } = await ctx.deps.reissueKey(ctx.orgId, row.id);
    const proof = { hash, pepperVersion, name };
    const after = { ...patched(row, patch), name, previousUntil: graceUntil };
    await ctx.commit({
      statements: [replaceToken(ctx.orgId, row.id, proof, graceUntil, patch)],
      touches: [`key:${row.id}`],
      events: [
        event("key.rotated", row, after, {
          grace_until: graceUntil,
          fields: fieldsOf(change),
        }),
      ],
    });
    return { key: token, ...keyFields(after) };
  },
});

function blocking(blocked: boolean) {
  const verb = blocked ? "block" : "unblock";
  const type = blocked ? "key.blocked" : "key.unblocked";
  return operation({
    id: `key.${verb}`,
    section: "Keys",
    summary: blocked ? "Block a key" : "Unblock a key",
    notes: blocked
      ? "A blocked key is refused as an unknown one, everywhere within 5 s, until it is unblocked."
      : "Only who may manage the team's or all keys: nobody lifts the block of the own key.",
    http: [{ method: "POST", path: `/key/${verb}` }],
    permission: { resource: "key", action: "write" },
    event: type,
    input: z.object({ ...ORG, key: KEY }),
    output: keyShape,
    example: { input: { key: HANDLE }, output: { ...KEY_ROW, blocked } },
    errors: ["not_found"],
    missing: MISSING,
    target: (ctx, input) => findRow(ctx, input.key),
    async run(ctx, _, row) {
      // As somebody's who manages it, not as the owner.
      ctx.require("key", "write", { orgId: ctx.orgId, teamId: row.teamId ?? undefined });
      const patch = { blocked, ...changed(ctx.actor, ctx.now) };
      const after = patched(row, patch);
      await ctx.commit({
        statements: [updateKey(ctx.orgId, row.id, patch)],
        touches: [`key:${row.id}`],
        events: [event(type, row, after)],
      });
      return keyFields(after);
    },
  });
}

const aliasList = operation({
  id: "key.aliases",
  section: "Keys",
  summary: "List the aliases of keys",
  notes: "Of the keys that the caller may see, in their own order.",
  http: [{ method: "GET", path: "/key/aliases" }],
  permission: { resource: "key", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    ...SIZED_PAGE,
    search: reference.optional().describe("Part of an alias"),
  }),
  output: z.object({
    aliases: z.array(z.string()),
    total_count: z.number(),
    current_page: z.number(),
    size: z.number(),
    ...pageShape,
  }),
  example: {
    input: { search: "search" },
    output: { aliases: ["search-prod"], total_count: 1, current_page: 1, size: 10, ...PAGE_ROW },
  },
  errors: [],
  target: visible,
  async run(ctx, input) {
    const narrowed = reach(ctx);
    const request = { page: input.page, page_size: input.page_size ?? input.size };
    const { rows, ...place } = await keyAliases(ctx.deps.db, ctx.orgId, {
      ...request,
      ...narrowed,
      search: input.search,
    });
    const { total: total_count, page: current_page, page_size: size } = place;
    return { aliases: rows, total_count, current_page, size, ...place };
  },
});

export const CHANGED_KEYS = [
  update,
  remove,
  regenerate,
  blocking(true),
  blocking(false),
  aliasList,
];
