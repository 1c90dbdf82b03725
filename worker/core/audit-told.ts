import { DECISION, OUTCOMES } from "./audit.ts";
import type { AuditEventType, AuditRecord } from "./audit.ts";

// Some events have no record of their own, since another one tells them in the same breath: that a policy decided stands in
// the decision's record, that a key's budget is spent in the budget's. They are found by their names all the same.

type Test = (data: AuditRecord["data"]) => boolean;

const always: Test = () => true;
const outcomes = [...OUTCOMES] as AuditEventType[];

/** Events without records, the records that may tell them, and which of those do. */
const TOLD = {
  "request.fallback_triggered": {
    by: outcomes,
    when: ({ fallback_count: count }) => typeof count === "number" && count > 0,
  },
  "policy.evaluated": {
    by: [DECISION, "request.blocked"],
    when: ({ policy_version: version }) => version !== undefined,
  },
  "policy.blocked": {
    by: ["request.blocked"],
    when: ({ error }) => error === "policy_blocked" || error === "policy_no_candidate",
  },
  "spend.debited": { by: outcomes, when: ({ cost_usd: cost }) => Number(cost) > 0 },
  "key.budget_exceeded": { by: ["budget.exceeded"], when: ({ scope }) => scope === "key" },
  "budget.configured": {
    by: ["budget.created", "budget.updated", "budget.deleted"],
    when: always,
  },
} satisfies Record<string, { by: readonly AuditEventType[]; when: Test }>;

export type ToldEvent = keyof typeof TOLD;

/** Names of events that other records tell. */
export const TOLD_EVENTS = Object.keys(TOLD) as ToldEvent[];

/** Types of the records that may tell an event; null where it has records of its own. */
export function toldBy(name: string): readonly AuditEventType[] | null {
  return Object.hasOwn(TOLD, name) ? TOLD[name as ToldEvent].by : null;
}

/** What a record tells beside its own event. */
export function alsoTold({ type, data }: Pick<AuditRecord, "type" | "data">): ToldEvent[] {
  return TOLD_EVENTS.filter((name) => {
    const { by, when }: { by: readonly AuditEventType[]; when: Test } = TOLD[name];
    return by.includes(type) && when(data);
  });
}
