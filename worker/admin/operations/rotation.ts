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
  keys_left: z.number().describe("Virtual keys that still rest on another version of the pepper"),
});

async function stand(ctx: AdminContext): Promise<z.output<typeof standShape>> {
  const { db, rotation } = ctx.deps;
  const [left, keysLeft] = await Promise.all([
    countToRewrap(db, ctx.orgId, rotation.kek),
    countOnOtherPepper(db, ctx.orgId, rotation.pepper),
  ]);
  return {
    organization_id: shownOrgId(ctx.orgId),
    key_encryption_version: rotation.kek,
    left,
    pepper_version: rotation.pepper,
    keys_left: keysLeft,
  };
}

const STAND = {
  organization_id: "org_g4Zk1x9QmT7ab",
  key_encryption_version: 2,
  left: 0,
  pepper_version: 2,
  keys_left: 3,
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
    "Keys move to the newest pepper by themselves when they are next used; those that are listed were not used since. They are regenerated or expire. A pepper may leave the configuration only when no key that was made under it is in use any more, since keys carry a check of the pepper they were made under.",
  http: [{ method: "GET", path: "/key-encryption/status" }],
  permission: { resource: "credential", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: standShape.extend({
    keys: z.array(z.string()).describe(`Handles of those keys, ${MOST_HANDLES} at most`),
  }),
  example: { input: {}, output: { ...STAND, keys: [] } },
  errors: [],
  target: inOrg,
  async run(ctx) {
    const { db, rotation } = ctx.deps;
    const [now, handles] = await Promise.all([
      stand(ctx),
      keysOnOtherPepper(db, ctx.orgId, rotation.pepper, MOST_HANDLES),
    ]);
    return { ...now, keys: handles };
  },
});

export const ROTATION = [rotate, status];
