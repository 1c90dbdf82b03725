import { sha256, toHex } from "../core/bytes.ts";
import * as z from "zod";
import { AUDIT_EVENTS } from "../core/audit.ts";
import { shownOrgId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Statement } from "../core/ports.ts";
import { checkWebhook } from "../providers/egress.ts";
import { deleteWebhook, putWebhook, readWebhook, sealedFor } from "../store/webhooks.ts";
import type { StoredWebhook } from "../store/webhooks.ts";
import type { ChangeEvent } from "./change-record.ts";
import type { AdminContext } from "./context.ts";
import { invalidField } from "./faults.ts";
import { checkSecret, lastFourOf, secretText } from "./secret.ts";

// `general_settings.alerting*` of /config/update: where an organization's events are sent.

const EVENTS = [...AUDIT_EVENTS, "budget.threshold_80"] as const;
const AT = "general_settings";

export const alertingSettings = z.looseObject({
  alerting: z
    .array(z.enum(["webhook"], { error: "Must be webhook; Slack and e-mail are not there yet" }))
    .nullish(),
  alerting_webhook_url: z
    .string()
    .max(2048, "At most 2048 characters")
    .nullish()
    .describe("https; each event is one signed POST. null takes the webhook away"),
  alerting_webhook_secret: secretText
    .min(16, "At least 16 characters")
    .nullish()
    .describe("Signs the bodies; made and answered once if absent"),
  alerting_events: z
    .array(z.enum(EVENTS, { error: "Must be a type of event of the audit log" }))
    .max(EVENTS.length)
    .nullish()
    .describe("Which events are wanted; budget.* and whatever else is told, if absent"),
});

export type AlertingSettings = z.output<typeof alertingSettings>;

const MEMBERS = Object.keys(alertingSettings.shape);

/** Members of general_settings that have no meaning here. */
export function notAlerting(settings: object): string[] {
  return Object.keys(settings).filter((name) => !MEMBERS.includes(name));
}

/** The webhook as answers show it; the secret only where it was just made. */
export function alertingFields(webhook: StoredWebhook | null, secret?: string): JsonObject {
  if (webhook === null) return {};
  return {
    alerting: ["webhook"],
    alerting_webhook_url: webhook.url,
    alerting_webhook_secret: secret ?? `…${webhook.credential.lastFour}`,
    alerting_events: webhook.events,
  };
}

/** Refuses an address that events must not be sent to. */
export function checkAlerting(ctx: AdminContext, settings: AlertingSettings): void {
  const url = settings.alerting_webhook_url;
  if (url != null) checkWebhook(url, ctx.deps.settings, `${AT}.alerting_webhook_url`);
}

/** Changes where an organization's events are sent; undefined where nothing of it was asked for. */
export async function changeAlerting(
  ctx: AdminContext,
  settings: AlertingSettings,
): Promise<JsonObject | undefined> {
  if (notAlerting(settings).length === Object.keys(settings).length) return undefined;
  const { db, vault } = ctx.deps;
  const { orgId } = ctx;
  ctx.require("credential", "write", { orgId });
  const before = await readWebhook(db, orgId);
  const url = settings.alerting_webhook_url;
  const gone = url === null || settings.alerting?.length === 0;
  if (gone) {
    if (before !== null) await commit(ctx, deleteWebhook(orgId), before, null);
    return {};
  }
  const to = url ?? before?.url;
  if (to === undefined) throw invalidField([AT, "alerting_webhook_url"], "Field required");
  const sent = settings.alerting_webhook_secret;
  if (sent != null) checkSecret(sent, `${AT}.alerting_webhook_secret`);
  // The secret of one host is never shown to another: a new host gets a new secret.
  const moved = before !== null && new URL(before.url).host !== new URL(to).host;
  const made = sent == null && (before === null || moved) ? newSecret() : undefined;
  const secret = sent ?? made;
  const known = before?.credential;
  const version = (known?.version ?? 0) + 1;
  const events = settings.alerting_events ?? before?.events ?? [];
  const seal =
    secret === undefined && known !== undefined
      ? { version: known.version, sealed: known.sealed, lastFour: known.lastFour }
      : {
          version,
          sealed: await sealedFor(vault, orgId, version, secret ?? ""),
          lastFour: lastFourOf(secret ?? ""),
        };
  const row = { url: to, events, ...seal, by: ctx.actor, now: ctx.now };
  await commit(ctx, putWebhook(orgId, row), before, row);
  const after = await readWebhook(db, orgId);
  return alertingFields(after, made);
}

function newSecret(): string {
  return `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`;
}

type Shown = Pick<StoredWebhook, "url" | "events">;

async function commit(
  ctx: AdminContext,
  statement: Statement,
  before: Shown | null,
  after: Shown | null,
): Promise<void> {
  const event: ChangeEvent = {
    type: "config.updated",
    objectId: shownOrgId(ctx.orgId),
    data: { fields: ["alerting"] },
    ...(before && { before: recorded(before) }),
    ...(after && { after: recorded(after) }),
  };
  await ctx.commit({ statements: [statement], touches: [], events: [event] });
}

/** A path or a query may hold a token, so that they are recorded by their digest alone. */
function recorded({ url, events }: Shown): JsonObject {
  return {
    alerting_webhook_url: `${new URL(url).origin}/…`,
    alerting_webhook_url_sha256: toHex(sha256(url)),
    alerting_events: events,
  };
}
