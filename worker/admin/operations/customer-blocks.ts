import * as z from "zod";
import { blockCustomer, findCustomer, updateCustomer } from "../../store/customers.ts";
import { CUSTOMER_ROW } from "../examples.ts";
import { ORG } from "../fields.ts";
import { operation } from "../operation.ts";
import { changed, customerShape, describedFields } from "../rows.ts";
import { bare, customersNamed, ids, isHeld, requireRoom, shown, subjectOf } from "./customers.ts";

const block = operation({
  id: "customer.block",
  section: "Customers",
  summary: "Block customers",
  notes:
    "Requests that name one of them are refused with 403, everywhere within 5 s. One that nobody described is blocked as well, by whoever may act for the whole organization.",
  http: [{ method: "POST", path: "/customer/block" }],
  permission: { resource: "customer", action: "write" },
  event: "customer.blocked",
  input: z.object({ ...ORG, user_ids: ids }),
  output: z.object({ blocked_users: z.array(customerShape) }),
  example: {
    input: { user_ids: ["shop-4711"] },
    output: { blocked_users: [{ ...CUSTOMER_ROW, blocked: true }] },
  },
  errors: ["invalid_request", "not_found"],
  missing: { what: "customer", param: "user_ids" },
  async target(ctx, input) {
    if (!ctx.mayAll("customer", "create")) return customersNamed(ctx, input.user_ids);
    const rows = await Promise.all(
      [...new Set(input.user_ids)].map(
        async (id) => (await findCustomer(ctx.deps.db, ctx.orgId, id)) ?? bare(ctx, id, null),
      ),
    );
    return { subject: rows.map((row) => subjectOf(ctx, row)), object: rows };
  },
  async run(ctx, _, rows) {
    await requireRoom(ctx, rows.filter((row) => !isHeld(row)).length);
    const blocked = rows.map((row) => ({ ...row, blocked: true, ...changed(ctx.actor, ctx.now) }));
    await ctx.commit({
      statements: blocked.map((row) => blockCustomer(ctx.orgId, row)),
      touches: ["shared", ...blocked.map((row) => `customer:${row.id}`)],
      events: rows.map((row, index) => ({
        type: "customer.blocked",
        objectId: row.id,
        teamId: row.teamId ?? undefined,
        before: describedFields(row),
        after: describedFields(blocked[index] ?? row),
      })),
    });
    return { blocked_users: await shown(ctx, blocked) };
  },
});

const unblock = operation({
  id: "customer.unblock",
  section: "Customers",
  summary: "Unblock customers",
  http: [{ method: "POST", path: "/customer/unblock" }],
  permission: { resource: "customer", action: "write" },
  event: "customer.unblocked",
  input: z.object({ ...ORG, user_ids: ids }),
  output: z.object({ unblocked_users: z.array(customerShape) }),
  example: {
    input: { user_ids: ["shop-4711"] },
    output: { unblocked_users: [CUSTOMER_ROW] },
  },
  errors: ["not_found"],
  missing: { what: "customer", param: "user_ids" },
  target: (ctx, input) => customersNamed(ctx, input.user_ids),
  async run(ctx, _, rows) {
    const patch = { blocked: false, ...changed(ctx.actor, ctx.now) };
    await ctx.commit({
      statements: rows.map((row) => updateCustomer(ctx.orgId, row.id, patch)),
      touches: ["shared", ...rows.map((row) => `customer:${row.id}`)],
      events: rows.map((row) => ({
        type: "customer.unblocked",
        objectId: row.id,
        teamId: row.teamId ?? undefined,
        before: describedFields(row),
        after: describedFields({ ...row, ...patch }),
      })),
    });
    return {
      unblocked_users: await shown(
        ctx,
        rows.map((row) => ({ ...row, ...patch })),
      ),
    };
  },
});

export const BLOCKED_CUSTOMERS = [block, unblock];
