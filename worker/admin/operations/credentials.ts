import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { DeploymentParam } from "../../core/model.ts";
import { ownAddress } from "../../providers/catalog.ts";
import {
  deleteCredential,
  findCredential,
  listCredentials,
  updateCredential,
  type CredentialRow,
} from "../../store/credentials.ts";
import { countUsing, moveDeployments } from "../../store/deployments.ts";
import type { AdminContext } from "../context.ts";
import { alias, metadata, ORG, PAGE, reference, apiBase } from "../fields.ts";
import { checkChanged } from "../health-checks.ts";
import { invalidField } from "../faults.ts";
import {
  credentialFields,
  credentialShape,
  newCredential,
  replacedCredential,
  shownSecret,
} from "../new-credential.ts";
import { PARAMS, placeOf, rowOf, type LitellmParams, type Place } from "../new-model.ts";
import { secretText } from "../secret.ts";
import { SECRET_PARTS, withOneSecret } from "../secret-parts.ts";
import { inOrg, operation } from "../operation.ts";
import { changed, pageShape } from "../rows.ts";
import { PAGE_ROW } from "../examples.ts";

const MISSING = { what: "credential", param: "credential_name" };

const values = z.strictObject({
  api_key: secretText.nullish().describe("Kept sealed; no answer ever holds it"),
  ...SECRET_PARTS,
  ...PARAMS,
  api_base: apiBase,
});

const namedShape = credentialShape.extend({
  credential_name: z.string(),
  credential_info: z.record(z.string(), z.unknown()),
  credential_values: z.record(z.string(), z.string()).describe("The last four characters alone"),
});

const ROW = {
  credential_name: "openai-eu",
  credential_info: { custom_llm_provider: "openai", description: "EU project" },
  credential_values: { api_key: "…x7Qe" },
  provider: "openai",
  host: "api.openai.com",
  version: 1,
  created_by: "master",
  created_at: "2026-11-21T09:00:00.000Z",
  updated_by: "master",
  updated_at: "2026-11-21T09:00:00.000Z",
} satisfies z.input<typeof namedShape>;

function namedFields(row: CredentialRow): z.input<typeof namedShape> {
  return {
    credential_name: row.name ?? "",
    credential_info: { ...row.metadata, custom_llm_provider: row.provider },
    credential_values: {
      api_key: shownSecret(row),
      ...(row.apiBase !== null && { api_base: row.apiBase }),
    },
    ...credentialFields(row),
  };
}

/** The provider and host of a credential that belongs to no model yet. */
export function placeFor(
  ctx: AdminContext,
  provider: string,
  apiBase: string | null | undefined,
  said: Partial<Pick<LitellmParams, DeploymentParam>> = {},
): Place & { host: string } {
  const params = { ...said, model: `${provider}/any`, api_base: apiBase };
  const place = placeOf(params, ctx.deps.settings);
  const { host } = place;
  if (host === null) {
    throw invalidField(["credential_info", "custom_llm_provider"], `${provider} takes no key`);
  }
  return { ...place, host };
}

async function named(ctx: AdminContext, name: string) {
  const row = await findCredential(ctx.deps.db, ctx.orgId, name);
  // A credential's id finds it as well, but only those with a name are dealt with here.
  return row?.name == null ? null : { ...inOrg(ctx), object: row };
}

const create = operation({
  id: "credential.new",
  section: "Credentials",
  summary: "Store a provider credential",
  notes:
    "Models refer to it by litellm_params.litellm_credential_name. It is bound to the provider and to the host of api_base.",
  http: [{ method: "POST", path: "/credentials" }],
  permission: { resource: "credential", action: "create" },
  event: "credential.created",
  input: z.object({
    ...ORG,
    credential_name: alias.describe("Unique in the organization"),
    credential_values: values,
    credential_info: metadata
      .default({})
      .describe("custom_llm_provider names the provider; the rest is kept as it is"),
    custom_llm_provider: alias.nullish().describe("The provider, if credential_info has none"),
  }),
  output: namedShape.extend({ success: z.boolean(), message: z.string() }),
  example: {
    input: {
      credential_name: "openai-eu",
      credential_values: { api_key: "sk-proj-your-own-key" },
      credential_info: { custom_llm_provider: "openai", description: "EU project" },
    },
    output: { success: true, message: "The credential was stored.", ...ROW },
  },
  errors: ["conflict", "invalid_request"],
  target: inOrg,
  async run(ctx, input) {
    const { custom_llm_provider: inInfo, ...info } = input.credential_info;
    const provider = input.custom_llm_provider ?? inInfo;
    if (typeof provider !== "string" || provider === "") {
      throw invalidField(["credential_info", "custom_llm_provider"], "Field required");
    }
    const at = ["credential_values"];
    const catalog = rowOf({ model: `${provider}/any` });
    const said = withOneSecret(input.credential_values, catalog, at);
    const { api_key: key } = said;
    if (key == null) throw invalidField([...at, "api_key"], "Field required");
    const place = placeFor(ctx, provider, said.api_base, said);
    // Models that name the credential are called where it was stored for.
    const apiBase = said.api_base ?? (ownAddress(catalog) === null ? place.baseUrl : null);
    const { row, statement } = await newCredential(
      ctx,
      { provider: place.provider, host: place.host, apiBase, secret: key },
      { name: input.credential_name, metadata: info },
    );
    await ctx.commit({
      statements: [statement],
      touches: ["shared"],
      events: [
        {
          type: "credential.created",
          objectId: row.id,
          after: namedFields(row),
          data: { provider: row.provider, host: row.host },
        },
      ],
    });
    return { success: true, message: "The credential was stored.", ...namedFields(row) };
  },
});

const list = operation({
  id: "credential.list",
  section: "Credentials",
  summary: "List provider credentials",
  notes: "Those with a name, oldest first; of a secret only its last four characters are shown.",
  http: [{ method: "GET", path: "/credentials" }],
  permission: { resource: "credential", action: "read" },
  event: null,
  input: z.object({ ...ORG, ...PAGE }),
  output: z.object({ success: z.boolean(), credentials: z.array(namedShape), ...pageShape }),
  example: { input: {}, output: { success: true, credentials: [ROW], ...PAGE_ROW } },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const request = { ...input, use: "named" as const };
    const { rows, ...place } = await listCredentials(ctx.deps.db, ctx.orgId, request);
    return { success: true, credentials: rows.map(namedFields), ...place };
  },
});

const update = operation({
  id: "credential.update",
  section: "Credentials",
  summary: "Change a provider credential",
  notes:
    "A secret is bound to where it was saved for: another api_base needs api_key in the same call. Models that name the credential use the new secret, at the new address, within 5 s.",
  http: [{ method: "PATCH", path: "/credentials/{credential_name}" }],
  permission: { resource: "credential", action: "write" },
  event: "credential.updated",
  input: z.object({
    ...ORG,
    credential_name: reference,
    credential_values: values.partial().nullish(),
    credential_info: metadata.nullish().describe("Takes the place of the old one"),
  }),
  output: namedShape.extend({ success: z.boolean(), message: z.string() }),
  example: {
    input: {
      credential_name: "openai-eu",
      credential_values: { api_key: "sk-proj-your-next-key" },
    },
    output: { success: true, message: "The credential was changed.", ...ROW, version: 2 },
  },
  errors: ["invalid_request", "not_found"],
  missing: MISSING,
  target: (ctx, input) => named(ctx, input.credential_name),
  async run(ctx, input, row) {
    const catalog = rowOf({ model: `${row.provider}/any` });
    const said = withOneSecret(input.credential_values ?? {}, catalog, ["credential_values"]);
    const { api_base: asked } = said;
    const key = said.api_key ?? undefined;
    const apiBase = asked === undefined ? row.apiBase : asked;
    const place = placeFor(ctx, row.provider, apiBase);
    if (apiBase !== row.apiBase && key === undefined) {
      throw new GatewayError(
        "invalid_request",
        "credential_values.api_base: the stored secret is bound to where it was saved for; send api_key again with another address.",
        { param: "credential_values.api_base" },
      );
    }
    const { custom_llm_provider: provider, ...info }: JsonObject =
      input.credential_info ?? row.metadata;
    if (provider != null && provider !== row.provider) {
      throw invalidField(
        ["credential_info", "custom_llm_provider"],
        "A credential keeps its provider; store another one",
      );
    }
    const patch = { metadata: info, ...changed(ctx.actor, ctx.now) };
    const statements = [updateCredential(ctx.orgId, row.id, patch)];
    let after: CredentialRow = { ...row, ...patch };
    if (key !== undefined) {
      const sealing = { provider: row.provider, host: place.host, apiBase, secret: key };
      const replaced = await replacedCredential(ctx, after, sealing);
      statements.push(replaced.statement);
      after = replaced.row;
      const before = placeFor(ctx, row.provider, row.apiBase).baseUrl;
      if (place.baseUrl !== before) {
        statements.push(moveDeployments(ctx.orgId, row.id, before, place.baseUrl));
      }
    }
    await ctx.commit({
      statements,
      touches: ["shared"],
      events: [
        {
          type: "credential.updated",
          objectId: row.id,
          before: namedFields(row),
          after: namedFields(after),
          data: { provider: row.provider, host: after.host, version: after.version },
        },
      ],
    });
    ctx.deps.waitUntil(
      checkChanged(ctx.deps, ctx.orgId, ({ credentialId }) => credentialId === row.id),
    );
    return { success: true, message: "The credential was changed.", ...namedFields(after) };
  },
});

const remove = operation({
  id: "credential.delete",
  section: "Credentials",
  summary: "Delete a provider credential",
  notes: "Refused as long as a model names it.",
  http: [{ method: "DELETE", path: "/credentials/{credential_name}" }],
  permission: { resource: "credential", action: "delete" },
  event: "credential.deleted",
  input: z.object({ ...ORG, credential_name: reference }),
  output: z.object({ success: z.boolean(), message: z.string() }),
  example: {
    input: { credential_name: "openai-eu" },
    output: { success: true, message: "The credential was deleted." },
  },
  errors: ["conflict", "not_found"],
  missing: MISSING,
  target: (ctx, input) => named(ctx, input.credential_name),
  async run(ctx, _, row) {
    const users = await countUsing(ctx.deps.db, ctx.orgId, row.id);
    if (users > 0) {
      throw new GatewayError(
        "conflict",
        `credential_name: ${users} ${users === 1 ? "model names" : "models name"} this credential.`,
        { param: "credential_name" },
      );
    }
    await ctx.commit({
      statements: [deleteCredential(ctx.orgId, row.id)],
      touches: ["shared"],
      events: [
        {
          type: "credential.deleted",
          objectId: row.id,
          before: namedFields(row),
          data: { provider: row.provider },
        },
      ],
    });
    return { success: true, message: "The credential was deleted." };
  },
});

export const CREDENTIALS = [create, list, update, remove];
