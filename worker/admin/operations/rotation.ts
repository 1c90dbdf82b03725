import * as z from "zod";
import { shownOrgId } from "../../core/ids.ts";
import {
  countOnOtherPepper,
  countSealed,
  countToRewrap,
  credentialsToRewrap,
  keysOnOtherPepper,
  replaceSealed,
} from "../../store/rotation.ts";
import type { AdminContext } from "../context.ts";
import { ORG } from "../fields.ts";
import { inOrg, operation } from "../operation.ts";

/** Credentials that one call rewraps at most, unless it asks for fewer: one transaction's worth. */
const MOST = 50;
/** Handles that a status shows at most. */
const MOST_HANDLES = 100;

const standShape = z.object({
  organization_id: z.string(),
  key_encryption_version: z.number().describe("The version that wraps from now on"),
  left: z.number().describe("Credentials that another version still wraps"),
  pepper_version: z.number(),
  keys_left: z
    .number()
    .describe("Virtual keys whose hash rests on another pepper: they were not used since"),
  tokens_left: z
    .number()
    .describe("Virtual keys that need another pepper at all; at 0 it may be removed"),
});

async function stand(ctx: AdminContext): Promise<z.output<typeof standShape>> {
  const { db, rotation } = ctx.deps;
  const { kek, pepper } = rotation;
  const [left, keysLeft, tokensLeft] = await Promise.all([
    countToRewrap(db, ctx.orgId, kek),
    countOnOtherPepper(db, ctx.orgId, pepper, "hash", ctx.now),
    countOnOtherPepper(db, ctx.orgId, pepper, "any", ctx.now),
  ]);
  return {
    organization_id: shownOrgId(ctx.orgId),
    key_encryption_version: kek,
    left,
    pepper_version: pepper,
    keys_left: keysLeft,
    tokens_left: tokensLeft,
  };
}

const STAND = {
  organization_id: "org_g4Zk1x9QmT7ab",
  key_encryption_version: 2,
  left: 0,
  pepper_version: 2,
  keys_left: 3,
  tokens_left: 5,
};

const rotate = operation({
  id: "key_encryption.rotate",
  section: "Credentials",
  summary: "Rewrap stored provider credentials under the newest key-encryption key",
  notes:
    "One bounded batch of one organization; repeat it until `left` is 0, as `routero keys rotate` does for every organization. Serving goes on meanwhile, and whatever interrupts it, the next call goes on where it stopped. Only then may the old version leave the configuration.",
  http: [{ method: "POST", path: "/key-encryption/rotate" }],
  permission: { resource: "platform", action: "write" },
  event: "credential.rewrapped",
  input: z.object({
    ...ORG,
    limit: z.int().min(1).max(MOST).default(MOST).describe("Credentials of this call, at most"),
  }),
  output: standShape.extend({ rewrapped: z.number() }),
  example: {
    input: { organization_id: STAND.organization_id },
    output: { ...STAND, rewrapped: 12 },
  },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const { db, rotation } = ctx.deps;
    const { orgId } = ctx;
    const batch = await credentialsToRewrap(db, orgId, rotation.kek, input.limit);
    const moves = await Promise.all(
      batch.map(async (credential) => ({
        id: credential.id,
        from: credential.sealed,
        to: await rotation.rewrap(orgId, credential),
      })),
    );
    await ctx.commit({
      statements: moves.map((move) => replaceSealed(orgId, move.id, move)),
      touches: moves.length === 0 ? [] : ["shared"],
      events: [
        {
          type: "credential.rewrapped",
          objectId: shownOrgId(orgId),
          data: {
            key_encryption_version: rotation.kek,
            credential_ids: moves.map((move) => move.id),
          },
        },
      ],
    });
    // Of two rotations at once each credential counts for the one that moved it.
    const sealed = moves.map((move) => move.to);
    const [rewrapped, now] = await Promise.all([countSealed(db, orgId, sealed), stand(ctx)]);
    return { ...now, rewrapped };
  },
});

const status = operation({
  id: "key_encryption.status",
  section: "Credentials",
  summary: "Show what still rests on older versions of the key-encryption key and the pepper",
  notes:
    "A key's hash moves to the newest pepper by itself when the key is next used: `keys` were not used since. The check inside a key's text never moves: `tokens` were made under another pepper and die with it, used or not. Regenerate them (with a grace_period their holders have time) or let them expire; when tokens_left is 0 in every organization, an hour later the old pepper may leave the configuration.",
  http: [{ method: "GET", path: "/key-encryption/status" }],
  permission: { resource: "credential", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: standShape.extend({
    keys: z.array(z.string()).describe(`Handles of keys_left, ${MOST_HANDLES} at most`),
    tokens: z.array(z.string()).describe(`Handles of tokens_left, ${MOST_HANDLES} at most`),
  }),
  example: { input: {}, output: { ...STAND, keys: [], tokens: [] } },
  errors: [],
  target: inOrg,
  async run(ctx) {
    const { db, rotation } = ctx.deps;
    const request = { now: ctx.now, most: MOST_HANDLES };
    const [now, keys, tokens] = await Promise.all([
      stand(ctx),
      keysOnOtherPepper(db, ctx.orgId, rotation.pepper, "hash", request),
      keysOnOtherPepper(db, ctx.orgId, rotation.pepper, "any", request),
    ]);
    return { ...now, keys, tokens };
  },
});

export const ROTATION = [rotate, status];
