import type { Json, JsonObject } from "../json.ts";
import type { Verdict } from "../policy.ts";

/** What a decision came to, as its record says it and as it comes out anew. */
export interface Replayed {
  same: boolean;
  recorded: JsonObject;
  replayed: JsonObject;
  /** Members that differ. */
  differs: string[];
  /** What the record does not hold, so that it could not be decided anew. */
  unknown: string[];
}

/**
 * Sets a record beside what its inputs give. `verdict` is undefined where no policy took part, `plan` null where the
 * record does not hold the candidates; `refusal` is what a choice among them without a plan comes to.
 */
export function compareReplay(
  record: JsonObject,
  verdict: Verdict | null | undefined,
  plan: string[] | null,
  refusal: string | null = null,
): Replayed {
  const recorded: JsonObject = {};
  const replayed: JsonObject = {};
  const unknown: string[] = [];
  if (verdict !== undefined) {
    const said: JsonObject = {
      rule_id: verdict?.rule ?? null,
      policy_version: verdict?.version ?? null,
      policy_hash: verdict?.hash ?? null,
      policy: (verdict?.parts ?? null) as unknown as Json,
      route: verdict?.route ?? null,
      retention_days: verdict?.audit?.retentionDays ?? null,
    };
    Object.assign(replayed, said);
    for (const name of Object.keys(said)) recorded[name] = record[name] ?? null;
    if (record["event_type"] === "request.blocked") {
      recorded["policy_blocked"] = record["error"] === "policy_blocked";
      replayed["policy_blocked"] = verdict?.block !== null && verdict?.block !== undefined;
    }
  }
  if (record["event_type"] === "request.blocked" && plan !== null) {
    Object.assign(recorded, { plan: record["plan"] ?? null, error: record["error"] ?? null });
    Object.assign(replayed, { plan, error: refusal });
  }
  if (record["event_type"] === "request.routed") {
    if (plan === null) unknown.push("plan");
    else {
      recorded["plan"] = record["plan"] ?? null;
      replayed["plan"] = plan;
    }
  }
  const differs = Object.keys(replayed).filter(
    (name) => text(recorded[name]) !== text(replayed[name]),
  );
  return { same: differs.length === 0, recorded, replayed, differs, unknown };
}

/** JSON with the members in one order. */
function text(value: Json | undefined): string {
  return JSON.stringify(value ?? null, (_, each: Json) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
