import { GatewayError } from "../core/errors.ts";
import { isJsonObject } from "../core/json.ts";
import { findBudget } from "../store/budgets.ts";
import type { AdminContext } from "./context.ts";
import type { ATTACHED_LIMITS } from "./fields.ts";
import { LIMITS } from "./fields.ts";
import { invalidField } from "./faults.ts";
import { limitFields } from "./rows.ts";

const NAMES = Object.keys(LIMITS) as (keyof typeof LIMITS)[];

type Limited = Parameters<typeof limitFields>[0] & { budgetId: string | null };

/**
 * The fields of a call that names a budget, or with null none any more: what it leaves open of the limits is what the
 * budget says; of what its object had of an earlier budget nothing stays, and what it had of its own does. Refuses a
 * budget that is not there.
 */
export async function withBudget<T extends object>(
  ctx: AdminContext,
  input: T,
  object: unknown,
): Promise<T> {
  if (!("budget_id" in input)) return input;
  const { budget_id: named } = input;
  if (named !== null && typeof named !== "string") return input;
  const find = (id: string | null) => (id === null ? null : findBudget(ctx.deps.db, ctx.orgId, id));
  const row = isLimited(object) ? object : null;
  const [before, after] = await Promise.all([find(row?.budgetId ?? null), find(named)]);
  if (named !== null && after === null) {
    throw new GatewayError("not_found", "There is no such budget.", { param: "budget_id" });
  }
  const [own, old, next] = [row, before, after].map((each) => each && limitFields(each));
  const filled: Record<string, unknown> = { ...input };
  for (const name of NAMES) {
    if (filled[name] !== undefined) continue;
    if (next && !isOpen(next[name])) filled[name] = next[name];
    else if (own && old && !isOpen(old[name]) && same(own[name], old[name])) filled[name] = null;
  }
  return filled as T;
}

/** An increase needs its end, and the other way round. */
export function checkIncrease(now: number, input: object): void {
  const { temp_budget_increase: increase, temp_budget_expiry: expiry } = input as {
    [K in keyof typeof ATTACHED_LIMITS]?: unknown;
  };
  if (increase == null && expiry == null) return;
  if (increase != null && typeof expiry === "string" && Date.parse(expiry) > now) return;
  throw invalidField(
    ["temp_budget_expiry"],
    "temp_budget_increase needs a temp_budget_expiry that lies ahead, and the other way round",
  );
}

function isLimited(object: unknown): object is Limited {
  return typeof object === "object" && object !== null && "budgetId" in object;
}

function isOpen(value: unknown): boolean {
  return value == null || (isJsonObject(value) && Object.keys(value).length === 0);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
