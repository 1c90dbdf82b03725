import { and, eq } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import type { CredentialRecord } from "../core/records.ts";
import { credentialRecord } from "./credentials.ts";
import { statement, writer } from "./database.ts";
import type { Db } from "./database.ts";
import { credentials } from "./schema.ts";

// An organization's webhook is a credential: sealed as they are, rotated with them, sent to one host alone. Its URL
// stands where others have their base URL.

/** Its row's id, and the provider that its secret is sealed for; neither is one that a model can name. */
const ID = "alerting_webhook";
export const WEBHOOK = "webhook";

export interface StoredWebhook {
  url: string;
  events: string[];
  credential: CredentialRecord;
}

/** Null where the organization has none. */
export async function readWebhook(db: Db, orgId: string): Promise<StoredWebhook | null> {
  const [row] = await db
    .select()
    .from(credentials)
    .where(and(eq(credentials.orgId, orgId), eq(credentials.id, ID)));
  if (row === undefined || row.apiBase === null) return null;
  const { events } = row.metadata;
  return {
    url: row.apiBase,
    events: Array.isArray(events) ? events.filter((each) => typeof each === "string") : [],
    credential: credentialRecord(row),
  };
}

export interface NewWebhook {
  url: string;
  events: string[];
  /** The secret is sealed under this version. */
  version: number;
  sealed: string;
  lastFour: string;
  by: string;
  now: number;
}

/** Seals a webhook's secret under a version of its row. */
export function sealedFor(
  vault: {
    seal(o: string, provider: string, id: string, version: number, secret: string): Promise<string>;
  },
  orgId: string,
  version: number,
  secret: string,
): Promise<string> {
  return vault.seal(orgId, WEBHOOK, ID, version, secret);
}

/** Puts the organization's webhook in the place of the one before. */
export function putWebhook(orgId: string, webhook: NewWebhook): Statement {
  const { url, events, version, sealed, lastFour, by, now } = webhook;
  const row = {
    host: new URL(url).host,
    apiBase: url,
    metadata: { events },
    version,
    sealed,
    lastFour,
    updatedBy: by,
    updatedAt: now,
  };
  const made = { orgId, id: ID, provider: WEBHOOK, createdBy: by, createdAt: now };
  return statement(
    writer
      .insert(credentials)
      .values({ ...row, ...made })
      .onConflictDoUpdate({ target: [credentials.orgId, credentials.id], set: row }),
  );
}

export function deleteWebhook(orgId: string): Statement {
  const where = and(eq(credentials.orgId, orgId), eq(credentials.id, ID));
  return statement(writer.delete(credentials).where(where));
}
