import * as z from "zod";
import type { Statement } from "../core/ports.ts";
import { insertCredential, updateCredential, type CredentialRow } from "../store/credentials.ts";
import type { AdminContext } from "./context.ts";
import { checkSecret, lastFourOf } from "./secret.ts";
import { changed, made, provenanceFields } from "./rows.ts";

/** A secret on its way to a row, and where it may be sent. */
export interface Sealing {
  provider: string;
  host: string;
  apiBase: string | null;
  secret: string;
}

type About = Partial<Pick<CredentialRow, "name" | "byok" | "metadata">>;

/** A new credential and the statement that keeps it; the secret is in neither. */
export async function newCredential(
  ctx: AdminContext,
  sealing: Sealing,
  about: About = {},
): Promise<{ row: CredentialRow; statement: Statement }> {
  ctx.require("credential", "create", { orgId: ctx.orgId });
  const { provider, host, apiBase, secret } = sealing;
  checkSecret(secret);
  const id = crypto.randomUUID();
  const version = 1;
  const row: CredentialRow = {
    orgId: ctx.orgId,
    id,
    name: about.name ?? null,
    provider,
    host,
    version,
    lastFour: lastFourOf(secret),
    apiBase,
    byok: about.byok ?? false,
    metadata: about.metadata ?? {},
    ...made(ctx.actor, ctx.now),
  };
  const sealed = await ctx.deps.vault.seal(ctx.orgId, provider, id, version, secret);
  return { row, statement: insertCredential(ctx.orgId, { ...row, sealed }) };
}

/** Another secret in the place of a credential's: the next version, bound to where it is sent now. */
export async function replacedCredential(
  ctx: AdminContext,
  row: CredentialRow,
  sealing: Sealing,
): Promise<{ row: CredentialRow; statement: Statement }> {
  ctx.require("credential", "write", { orgId: ctx.orgId });
  const { provider, host, apiBase, secret } = sealing;
  checkSecret(secret);
  const version = row.version + 1;
  const patch = {
    provider,
    host,
    apiBase,
    version,
    lastFour: lastFourOf(secret),
    ...changed(ctx.actor, ctx.now),
  };
  const sealed = await ctx.deps.vault.seal(ctx.orgId, provider, row.id, version, secret);
  return {
    row: { ...row, ...patch },
    statement: updateCredential(ctx.orgId, row.id, { ...patch, sealed }),
  };
}

export const credentialShape = z.object({
  provider: z.string(),
  host: z.string().describe("The only host that the secret is sent to"),
  version: z.number().describe("Grows with each new secret"),
  created_by: z.string().nullable(),
  created_at: z.string(),
  updated_by: z.string().nullable(),
  updated_at: z.string(),
});

export function credentialFields(row: CredentialRow): z.input<typeof credentialShape> {
  const { provider, host, version } = row;
  return { provider, host, version, ...provenanceFields(row) };
}

/** A credential without a name, as records show it. */
export function secretFields(row: CredentialRow) {
  return { ...credentialFields(row), api_key: shownSecret(row) };
}

/** How answers show a secret. */
export function shownSecret(row: Pick<CredentialRow, "lastFour">): string {
  return `…${row.lastFour}`;
}
