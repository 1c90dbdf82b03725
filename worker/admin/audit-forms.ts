import type { ShownRecord } from "../core/audit.ts";
import type { Json } from "../core/json.ts";

/** An answer that is no JSON. */
export interface FileAnswer {
  type: string;
  text: string;
}

/** Columns of every table, in this order; what else a record says stands in the last one. */
const COLUMNS = [
  "sequence",
  "event_id",
  "event_type",
  "timestamp",
  "org_id",
  "team_id",
  "user_key_hash",
  "actor",
  "request_id",
  "customer_id",
  "model",
  "provider",
  "status",
  "tokens_input",
  "tokens_output",
  "cost_usd",
  "latency_ms",
  "policy_version",
  "rule_id",
  "table_name",
  "object_id",
  "record_hash",
  "previous_event_hash",
] as const;

/** A page of records as a table or as one JSON text per line. */
export function recordsAs(form: "csv" | "jsonl", records: readonly ShownRecord[]): FileAnswer {
  if (form === "jsonl") {
    const text = records.map((each) => `${JSON.stringify(each)}\n`).join("");
    return { type: "application/jsonl; charset=utf-8", text };
  }
  const known: ReadonlySet<string> = new Set(COLUMNS);
  const rows = records.map((each) => {
    const rest = Object.entries(each).filter(([name]) => !known.has(name));
    return [...COLUMNS.map((name) => each[name]), Object.fromEntries(rest)].map(cell).join(",");
  });
  const text = [[...COLUMNS, "details"].join(","), ...rows, ""].join("\r\n");
  return { type: "text/csv; charset=utf-8", text };
}

/** A value as RFC 4180 has it. What a spreadsheet would take for a formula is written so that it does not. */
function cell(value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = typeof value === "string" && /^[=+\-@＝＋－＠\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
