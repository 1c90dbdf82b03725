import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import { MOST_TOKEN_SECONDS, SCOPES, TOKEN_SECONDS } from "../../store/signed-key.ts";
import { addDuration } from "../duration.ts";
import { findKey, keyRecord } from "../../store/keys.ts";
import type { AdminContext } from "../context.ts";
import { models, ORG, reference } from "../fields.ts";
import { operation } from "../operation.ts";
import { instantText } from "../rows.ts";

/** Seconds, or a duration as elsewhere: 900, "15m". */
const ttl = z
  .union([z.int(), z.string().max(16, "At most 16 characters")])
  .transform((value, check) => {
    const ms = typeof value === "number" ? value * 1000 : addDuration(0, value);
    const seconds = ms === null ? Number.NaN : ms / 1000;
    if (seconds >= 1 && seconds <= MOST_TOKEN_SECONDS) return seconds;
    check.addIssue({ code: "custom", message: "Must be 1 s to 60 min, as 900 or 15m" });
    return z.NEVER;
  });

const create = operation({
  id: "key.token",
  section: "Keys",
  summary: "Make a short-lived key",
  notes:
    "Made out of the key of the call; the master key names one. For browsers and jobs that should not hold the key itself. It calls models only, lives minutes, and ends with its mother key: any change of that key, its block or its deletion ends it within seconds. It is signed and stored nowhere. What it may call is never more than the mother key may, now or later.",
  http: [{ method: "POST", path: "/key/token" }],
  // What is handed on is the right to call: who may not call has nothing to hand on.
  permission: { resource: "inference", action: "call" },
  event: "key.token_created",
  input: z.object({
    ...ORG,
    key: reference
      .nullish()
      .describe("The mother key, its handle or alias; the key of the call if absent"),
    ttl: ttl.default(TOKEN_SECONDS).describe("Seconds, or 15m; 15 minutes if absent, 60 at most"),
    models: models.default([]).describe("What it may call; empty = all that the mother key may"),
    scopes: z
      .array(z.enum(SCOPES))
      .max(SCOPES.length)
      .default([])
      .describe("Endpoints: chat, models; empty = all of the data plane"),
  }),
  output: z.object({
    token: z.string().describe("Sent as an API key is"),
    token_id: z.string().describe("Its public id"),
    expires: z.string().describe("RFC 3339"),
    expires_in: z.number().describe("Seconds"),
    models: z.array(z.string()),
    scopes: z.array(z.enum(SCOPES)),
  }),
  example: {
    input: { ttl: "15m", models: ["gpt-4o-mini"], scopes: ["chat"] },
    output: {
      token: "eyJhbGciOiJIUzI1NiIs…",
      token_id: "4Vb0cQ2mXhT8sLr1yKp6Zd",
      expires: "2026-11-21T09:15:00.000Z",
      expires_in: 900,
      models: ["gpt-4o-mini"],
      scopes: ["chat"],
    },
  },
  errors: ["invalid_request", "not_found"],
  missing: { what: "key", param: "key" },
  async target(ctx, input) {
    // A key of the data plane makes no keys, not even shorter ones.
    ctx.require("key", "read", ctx.nearest);
    const { orgId, teamId, keyId } = ctx.principal;
    const name = input.key ?? keyId;
    if (name === undefined) {
      throw new GatewayError("invalid_request", "key: name the mother key.", { param: "key" });
    }
    const row = await keyNamed(ctx, name);
    // One key never speaks for another.
    if (row === null || (keyId !== undefined && row.id !== keyId)) return null;
    if (row.keyType !== "default") {
      throw new GatewayError("invalid_request", "key: only a key of type default can do this.", {
        param: "key",
      });
    }
    return { subject: { orgId, teamId: row.teamId ?? teamId }, object: keyRecord(row) };
  },
  async run(ctx, input, mother) {
    const left = Math.floor(((mother.expiresAt ?? Number.POSITIVE_INFINITY) - ctx.now) / 1000);
    const seconds = Math.max(1, Math.min(input.ttl, left));
    const { orgId } = ctx;
    const grant = { orgId, keyId: mother.id, revision: mother.revision };
    const { models: wanted, scopes } = input;
    const made = await ctx.deps.signedKeys.mint({ ...grant, models: wanted, scopes }, seconds);
    await ctx.commit({
      statements: [],
      touches: [],
      events: [
        {
          type: "key.token_created",
          objectId: mother.handle,
          teamId: mother.teamId,
          data: { token_id: made.id, seconds, scopes, models: wanted.length },
        },
      ],
    });
    return {
      token: made.token,
      token_id: made.id,
      expires: instantText(made.expiresAt),
      expires_in: seconds,
      models: wanted,
      scopes,
    };
  },
});

/** The row that a key, a handle or an alias names; null also for a key of another organization. */
async function keyNamed(ctx: AdminContext, name: string) {
  const place = ctx.deps.keys.parse(name);
  if (place === null) return findKey(ctx.deps.db, ctx.orgId, name);
  return place.orgId === ctx.orgId ? findKey(ctx.deps.db, ctx.orgId, place.keyId) : null;
}

export const TOKENS = [create];
