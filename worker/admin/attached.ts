import { GatewayError } from "../core/errors.ts";
import { findBudget } from "../store/budgets.ts";
import type { AdminContext } from "./context.ts";
import { LIMITS } from "./fields.ts";
import { limitFields } from "./rows.ts";

/**
 * The fields of a call that names a budget: what it leaves open of the limits is what the budget says. Refuses a budget
 * that is not there.
 */
export async function withBudget<T extends object>(ctx: AdminContext, input: T): Promise<T> {
  if (!("budget_id" in input) || typeof input.budget_id !== "string") return input;
  const budget = await findBudget(ctx.deps.db, ctx.orgId, input.budget_id);
  if (budget === null) {
    throw new GatewayError("not_found", "There is no such budget.", { param: "budget_id" });
  }
  const fields: Record<string, unknown> = limitFields(budget);
  const open = Object.keys(LIMITS).filter(
    (name) => (input as Record<string, unknown>)[name] === undefined,
  );
  return { ...input, ...Object.fromEntries(open.map((name) => [name, fields[name]])) };
}
