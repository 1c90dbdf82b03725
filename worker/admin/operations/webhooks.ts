import * as z from "zod";
import type { Undelivered } from "../../core/delivery.ts";
import { shownOrgId } from "../../core/ids.ts";
import { ORG, reference } from "../fields.ts";
import { inOrg, notFound, operation } from "../operation.ts";

const MOST = 1_000;
/** Ids that the record of a change names. */
const MOST_NAMED = 50;

const delivery = z.object({
  delivery_id: z.string().describe("The event's id, as X-Routero-Delivery gives it"),
  event_type: z.string(),
  event_at: z.string(),
  team_id: z.string().nullable(),
  request_id: z.string().nullable(),
  status: z.enum(["waiting", "dead"]),
  attempts: z.number().describe("Those that failed"),
  last_attempt_at: z.string().nullable(),
  last_status: z
    .number()
    .nullable()
    .describe("HTTP status that the webhook answered; 0 where no answer came in time"),
  next_attempt_at: z.string().nullable(),
});

const EXAMPLE = {
  delivery_id: "evt_01JDM3V0W2Q4R6S8T0V2X4Z6B8",
  event_type: "budget.exceeded",
  event_at: "2026-11-25T12:00:00.000Z",
  team_id: "growth",
  request_id: "req_01JDM3V0W1Q4R6S8T0V2X4Z6B8",
  status: "dead" as const,
  attempts: 12,
  last_attempt_at: "2026-11-26T12:00:00.000Z",
  last_status: 503,
  next_attempt_at: null,
};

const timeOf = (at: number | null) => (at === null ? null : new Date(at).toISOString());

function shown(each: Undelivered): z.input<typeof delivery> {
  return {
    delivery_id: each.eventId,
    event_type: each.type,
    event_at: new Date(each.at).toISOString(),
    team_id: each.teamId,
    request_id: each.requestId,
    status: each.status,
    attempts: each.attempts,
    last_attempt_at: timeOf(each.lastAt),
    last_status: each.lastStatus,
    next_attempt_at: timeOf(each.nextAt),
  };
}

const list = operation({
  id: "webhook.deliveries",
  section: "Webhooks",
  summary: "List the events that the webhook has not taken",
  notes:
    "The newest first. `waiting` = tried again by itself, with growing pauses for 24 hours; `dead` = given up, kept for 40 days. What was delivered is not listed.",
  http: [{ method: "GET", path: "/webhooks/deliveries" }],
  permission: { resource: "credential", action: "read" },
  event: null,
  input: z.object({
    ...ORG,
    status: z.enum(["waiting", "dead"]).optional(),
    limit: z.coerce.number().int().min(1).max(MOST, `At most ${MOST}`).optional(),
  }),
  output: z.object({
    deliveries: z.array(delivery),
    waiting_count: z.number(),
    dead_count: z.number(),
  }),
  example: {
    input: { status: "dead" },
    output: { deliveries: [EXAMPLE], waiting_count: 0, dead_count: 1 },
  },
  errors: [],
  target: inOrg,
  async run(ctx, { status = null, limit = 100 }) {
    const page = await ctx.deps.deliveries(ctx.orgId).undelivered(status, limit);
    return {
      deliveries: page.deliveries.map(shown),
      waiting_count: page.waiting,
      dead_count: page.dead,
    };
  },
});

const resend = operation({
  id: "webhook.resend",
  section: "Webhooks",
  summary: "Send events to the webhook again that it has not taken",
  notes:
    "Now, under the ids that they had, and with another 24 hours of attempts; all that are listed if no ids are given.",
  http: [{ method: "POST", path: "/webhooks/deliveries/resend" }],
  permission: { resource: "credential", action: "write" },
  event: "webhook.resent",
  input: z.object({
    ...ORG,
    delivery_ids: z.array(reference).min(1).max(MOST, `At most ${MOST}`).optional(),
  }),
  output: z.object({ resent: z.number() }),
  example: { input: { delivery_ids: [EXAMPLE.delivery_id] }, output: { resent: 1 } },
  errors: ["not_found"],
  target: inOrg,
  async run(ctx, { delivery_ids: ids }) {
    const deliveries = ctx.deps.deliveries(ctx.orgId);
    const resent = await deliveries.countOf(ids ?? null);
    if (resent === null) throw notFound("undelivered event", "delivery_ids");
    await ctx.commit({
      statements: [],
      touches: [],
      events: [
        {
          type: "webhook.resent",
          objectId: shownOrgId(ctx.orgId),
          data: { count: resent, ...(ids && { deliveries: ids.slice(0, MOST_NAMED) }) },
        },
      ],
    });
    // On record first: nothing is sent that no record tells of.
    await deliveries.resend(ids ?? null);
    return { resent };
  },
});

export const WEBHOOKS = [list, resend];
