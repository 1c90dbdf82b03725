import { setTimeout as wait } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import type { UsageEvent } from "../../../worker/core/account.ts";
import { completionTokens, promptTokens } from "../../../worker/core/usage.ts";
import type { TestGateway } from "../../support/cluster/index.ts";

/** What a request's settlement says; the only view of it that stories have. */
export interface Settled {
  outcome: string;
  status: number;
  model: string;
  group: string;
  stream: boolean;
  customerId: string | null;
  tags: string[];
  /** Totals over all classes. */
  input: number;
  output: number;
  estimated: boolean;
  costNano: number;
  attempts: { deployment: string; status: number; error?: string; cost: number }[];
  /** Text of everything that is kept about the request, for canaries. */
  kept: string;
}

const PATIENCE_MS = 5_000;

/** The settlement of a request, once its usage is filed: that happens behind the answer. */
export async function requestRow(gw: TestGateway, callId: string): Promise<Settled> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const [row] = await gw.sql("select * from usage_rows where request_id = ?", callId);
    if (row !== undefined) return settled(await eventOf(gw, row));
    if (Date.now() > until) throw new Error(`no settlement of ${callId}`);
    await wait(10);
  }
}

/** How many requests and administrative events are on record. */
export async function recorded(gw: TestGateway): Promise<{ requests: number; events: number }> {
  const [row] = await gw.sql(
    "select (select count(*) from usage_rows) as requests, (select count(*) from audit_events) as events",
  );
  return { requests: Number(row?.["requests"]), events: Number(row?.["events"]) };
}

async function eventOf(gw: TestGateway, row: Record<string, unknown>): Promise<UsageEvent> {
  const bytes = await gw.archived(String(row["segment"]));
  if (bytes === null) throw new Error(`no segment ${String(row["segment"])}`);
  const events = gunzipSync(bytes)
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as UsageEvent)
    .filter((event) => event.row.requestId === row["request_id"]);
  const [event] = events;
  if (event === undefined || events.length > 1) {
    throw new Error(`${events.length} settlements of ${String(row["request_id"])}`);
  }
  return event;
}

function settled({ row, charged }: UsageEvent): Settled {
  return {
    outcome: row.outcome,
    status: row.status,
    model: row.model,
    group: row.group ?? "",
    stream: row.stream,
    customerId: row.customerId ?? null,
    tags: row.tags,
    input: promptTokens(row.usage),
    output: completionTokens(row.usage),
    estimated: row.usage.estimated,
    costNano: charged.cost,
    attempts: row.attempts,
    kept: JSON.stringify(row),
  };
}
