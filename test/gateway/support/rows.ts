import { setTimeout as wait } from "node:timers/promises";
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

/** The settlement of a request, once it is there with its outcome: it is written behind the answer. */
export async function requestRow(gw: TestGateway, callId: string): Promise<Settled> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const rows = await gw.sql("select * from request_log where request_id = ?", callId);
    const [row] = rows;
    if (rows.length > 1) throw new Error(`${rows.length} settlements of ${callId}`);
    if (row?.["settled_at"] && row["outcome_record"]) return settled(row);
    if (Date.now() > until) {
      throw new Error(`no settlement of ${callId}: ${JSON.stringify(row ?? null)}`);
    }
    await wait(10);
  }
}

/** How many requests and administrative events are on record. */
export async function recorded(gw: TestGateway): Promise<{ requests: number; events: number }> {
  const [row] = await gw.sql(
    "select (select count(*) from request_log) as requests, (select count(*) from audit_events) as events",
  );
  return { requests: Number(row?.["requests"]), events: Number(row?.["events"]) };
}

function settled(row: Record<string, unknown>): Settled {
  const json = (name: string) => JSON.parse(String(row[name] ?? "null")) as unknown;
  const usage = json("usage") as { estimated?: boolean } | null;
  return {
    outcome: String(row["outcome"]),
    status: Number(row["status"]),
    model: String(row["model"]),
    group: String(row["model_group"]),
    stream: row["stream"] === 1,
    customerId: (row["customer_id"] as string | null) ?? null,
    tags: json("tags") as string[],
    input: Number(row["prompt_tokens"]),
    output: Number(row["completion_tokens"]),
    estimated: usage?.estimated === true,
    costNano: Number(row["cost_nano"]),
    attempts: json("attempts") as Settled["attempts"],
    kept: JSON.stringify(row),
  };
}
