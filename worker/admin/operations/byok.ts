import * as z from "zod";
import { deleteCredential, listCredentials, type CredentialRow } from "../../store/credentials.ts";
import type { ChangeEvent } from "../change-record.ts";
import type { AdminContext } from "../context.ts";
import { alias, ORG, reference } from "../fields.ts";
import {
  credentialFields,
  credentialShape,
  newCredential,
  replacedCredential,
  shownSecret,
} from "../new-credential.ts";
import { secretText } from "../secret.ts";
import { inOrg, operation } from "../operation.ts";
import { placeFor } from "./credentials.ts";

const MISSING = { what: "key for this provider", param: "provider" };

const ownShape = credentialShape.extend({
  api_key: z.string().describe("The last four characters alone"),
  source: z.literal("own"),
});

const ROW = {
  provider: "openai",
  host: "api.openai.com",
  api_key: "…x7Qe",
  source: "own",
  version: 1,
  created_by: "master",
  created_at: "2026-11-21T09:00:00.000Z",
  updated_by: "master",
  updated_at: "2026-11-21T09:00:00.000Z",
} satisfies z.input<typeof ownShape>;

function ownFields(row: CredentialRow): z.input<typeof ownShape> {
  return { ...credentialFields(row), api_key: shownSecret(row), source: "own" };
}

async function ownKey(ctx: AdminContext, provider: string) {
  const { rows } = await listCredentials(ctx.deps.db, ctx.orgId, { use: "byok", provider });
  const [row] = rows;
  return row === undefined ? null : { ...inOrg(ctx), object: row };
}

function event(
  type: ChangeEvent["type"],
  row: CredentialRow,
  shown: Pick<ChangeEvent, "before" | "after">,
): ChangeEvent {
  const { provider, host, version } = row;
  return { type, objectId: row.id, ...shown, data: { provider, host, version, byok: true } };
}

const list = operation({
  id: "byok.list",
  section: "Credentials",
  summary: "List the organization's own provider keys",
  notes:
    "One per provider. Where there is none, the platform's key serves, if the platform has one.",
  http: [{ method: "GET", path: "/byok" }],
  permission: { resource: "credential", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: z.object({ keys: z.array(ownShape), total: z.number() }),
  example: { input: {}, output: { keys: [ROW], total: 1 } },
  errors: [],
  target: inOrg,
  async run(ctx) {
    const keys: CredentialRow[] = [];
    for (let page = 1, pages = 1; page <= pages; page++) {
      const request = { use: "byok" as const, page, page_size: 100 };
      const found = await listCredentials(ctx.deps.db, ctx.orgId, request);
      pages = found.total_pages;
      keys.push(...found.rows);
    }
    return { keys: keys.map(ownFields), total: keys.length };
  },
});

const create = operation({
  id: "byok.new",
  section: "Credentials",
  summary: "Bring an own key for a provider",
  notes:
    "It serves every model of the provider that has no credential of its own, in the place of the platform's key, within 5 s. It is sent to the provider's own address and nowhere else. A provider that has one already takes the next by its rotation.",
  http: [{ method: "POST", path: "/byok" }],
  permission: { resource: "credential", action: "create" },
  event: "credential.created",
  input: z.object({
    ...ORG,
    provider: alias,
    api_key: secretText.describe("Kept sealed; no answer ever holds it"),
  }),
  output: ownShape,
  example: { input: { provider: "openai", api_key: "sk-proj-your-own-key" }, output: ROW },
  errors: ["conflict", "invalid_request"],
  target: inOrg,
  async run(ctx, input) {
    const { provider, host } = placeFor(ctx, input.provider, null);
    const { row, statement } = await newCredential(
      ctx,
      { provider, host, apiBase: null, secret: input.api_key },
      { byok: true },
    );
    await ctx.commit({
      statements: [statement],
      touches: ["shared"],
      events: [event("credential.created", row, { after: ownFields(row) })],
    });
    return ownFields(row);
  },
});

const rotate = operation({
  id: "byok.rotate",
  section: "Credentials",
  summary: "Replace an own provider key",
  notes: "The new key serves within 5 s; requests that are under way end with the old one.",
  http: [{ method: "POST", path: "/byok/{provider}/rotate" }],
  permission: { resource: "credential", action: "write" },
  event: "credential.rotated",
  input: z.object({ ...ORG, provider: reference, api_key: secretText }),
  output: ownShape,
  example: {
    input: { provider: "openai", api_key: "sk-proj-your-next-key" },
    output: { ...ROW, version: 2 },
  },
  errors: ["not_found"],
  missing: MISSING,
  target: (ctx, input) => ownKey(ctx, input.provider),
  async run(ctx, input, row) {
    const { provider, host } = placeFor(ctx, row.provider, null);
    const sealing = { provider, host, apiBase: null, secret: input.api_key };
    const { row: after, statement } = await replacedCredential(ctx, row, sealing);
    await ctx.commit({
      statements: [statement],
      touches: ["shared"],
      events: [
        event("credential.rotated", after, { before: ownFields(row), after: ownFields(after) }),
      ],
    });
    return ownFields(after);
  },
});

const remove = operation({
  id: "byok.delete",
  section: "Credentials",
  summary: "Take an own provider key away",
  notes:
    "From then on the platform's key serves, if the platform has one; no request in between finds none.",
  http: [{ method: "DELETE", path: "/byok/{provider}" }],
  permission: { resource: "credential", action: "delete" },
  event: "credential.deleted",
  input: z.object({ ...ORG, provider: reference }),
  output: z.object({ provider: z.string(), source: z.enum(["platform", "none"]) }),
  example: { input: { provider: "openai" }, output: { provider: "openai", source: "platform" } },
  errors: ["not_found"],
  missing: MISSING,
  target: (ctx, input) => ownKey(ctx, input.provider),
  async run(ctx, _, row) {
    await ctx.commit({
      statements: [deleteCredential(ctx.orgId, row.id)],
      touches: ["shared"],
      events: [event("credential.deleted", row, { before: ownFields(row) })],
    });
    const platform = ctx.deps.platformKey(row.provider) !== null;
    const source: "platform" | "none" = platform ? "platform" : "none";
    return { provider: row.provider, source };
  },
});

export const BYOK = [list, create, rotate, remove];
