import * as z from "zod";
import { AUDIT_EVENTS } from "../../core/audit.ts";
import { TOLD_EVENTS } from "../../core/audit-told.ts";
import type { AuditQuery, ShownRecord } from "../../core/audit.ts";
import type { Json } from "../../core/json.ts";
import { DAY_MS } from "../../core/time.ts";
import type { AdminContext } from "../context.ts";
import { recordsAs } from "../audit-forms.ts";
import { PAGE_ROW } from "../examples.ts";
import { invalidField } from "../faults.ts";
import { exactly, ORG, PAGE, reference } from "../fields.ts";
import { inOrg, notFound, operation } from "../operation.ts";
import { pageShape } from "../rows.ts";

const PERMISSION = { resource: "audit", action: "read" } as const;

/** A day, or a moment. */
const time = z.union([z.iso.date(), z.iso.datetime({ offset: true })], {
  error: "Must be a day, as 2026-11-21, or a time, as 2026-11-21T10:00:00Z",
});

const page = z.coerce.number().int().min(1).max(1_000);
const record = z.record(z.string(), z.unknown());

const RECORD: Record<string, Json> = {
  event_id: "evt_0VZbG1qA5mQvS3kT9xYw2C",
  event_type: "request.completed",
  timestamp: "2026-11-21T10:00:00.123000Z",
  workspace_id: "ws_g4Zk1x9QmT7ab",
  org_id: "org_g4Zk1x9QmT7ab",
  team_id: "team_1",
  user_key_hash: "sha256:6f0c…",
  actor: "key:sha256:6f0c…",
  request_id: "req_0VZbG1pW7c",
  model: "gpt-4o-mini",
  provider: "openai",
  tokens_input: 10,
  tokens_output: 3,
  cost_usd: "0.0000033",
  latency_ms: 412,
  fallback_count: 0,
  sequence: 42,
  record_hash: "sha256:1c9e…",
  previous_event_hash: "sha256:77ab…",
};

function bounds(input: { start_date?: string | undefined; end_date?: string | undefined }) {
  const { start_date: start, end_date: end } = input;
  const wholeDay = end !== undefined && !end.includes("T");
  return {
    ...(start !== undefined && { from: Date.parse(start) }),
    // A day is meant to its end, a moment up to itself.
    ...(end !== undefined && { to: Date.parse(end) + (wholeDay ? DAY_MS : 1) }),
  };
}

const list = operation({
  id: "audit_log.list",
  section: "Audit",
  summary: "Show the audit log",
  notes:
    "Newest first. `cursor` of one page is asked for to get the next. People are shown by name as long as the log knows them; what is sealed holds pseudonyms (docs/audit.md). `record_hash` and `previous_event_hash` are what the log's tree holds; the latter is null for the seconds until a record is sealed. `format=csv` and `format=jsonl` answer the same page as a file, with the cursor in `x-next-cursor`. `also` names events that a record tells beside its own (`policy.evaluated`, `spend.debited` …): `event_type` finds it by them too. Whoever collects the log asks with `after_sequence`, from 0 on and then the last `sequence` that it has: records that arrive late have earlier times, and by it none is missed.",
  http: [{ method: "GET", path: "/audit-log" }],
  permission: PERMISSION,
  event: null,
  input: exactly({
    ...ORG,
    limit: page.optional().describe("100 if absent, 1000 at most"),
    cursor: z
      .string()
      .regex(/^\d{1,15}\.\d{1,15}$/, "Must be the cursor of a page")
      .optional(),
    order: z.enum(["asc", "desc"]).optional().describe("By time; desc if absent"),
    after_sequence: z.coerce
      .number()
      .int()
      .min(0)
      .optional()
      .describe(
        "In the log's own order, after the record of this `sequence`; without cursor and order",
      ),
    start_date: time.optional(),
    end_date: time.optional().describe("Inclusive"),
    event_type: z.enum([...AUDIT_EVENTS, ...TOLD_EVENTS]).optional(),
    key_hash: reference.optional().describe("The key's public handle, `sha256:…`"),
    team_id: reference.optional(),
    request_id: reference.optional(),
    event_id: reference.optional(),
    actor: reference.optional().describe("`key:<handle>`, `user:<id>`, `master`"),
    format: z.enum(["json", "csv", "jsonl"]).optional(),
  }),
  output: z.object({ data: z.array(record), cursor: z.string().nullable() }),
  example: {
    input: { event_type: "request.completed", limit: 1 },
    output: { data: [RECORD], cursor: "1763719200123.42" },
  },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const { after_sequence: after } = input;
    if (after !== undefined && (input.cursor ?? input.order) !== undefined)
      throw invalidField(["after_sequence"], "Goes without cursor and order", "query");
    const query: AuditQuery = {
      ...bounds(input),
      ...(input.limit !== undefined && { limit: input.limit }),
      ...(input.cursor !== undefined && { cursor: input.cursor }),
      ...(input.order !== undefined && { order: input.order }),
      ...(after !== undefined && { afterSequence: after }),
      ...(input.event_type !== undefined && { type: input.event_type }),
      ...(input.key_hash !== undefined && { keyHandle: input.key_hash }),
      ...(input.team_id !== undefined && { teamId: input.team_id }),
      ...(input.request_id !== undefined && { requestId: input.request_id }),
      ...(input.event_id !== undefined && { eventId: input.event_id }),
      ...(input.actor !== undefined && { actor: input.actor }),
    };
    const { records, cursor } = await ctx.deps.auditLog(ctx.orgId).list(query);
    if (input.format === "csv" || input.format === "jsonl") {
      ctx.file = recordsAs(input.format, records);
      if (cursor !== null) ctx.headers["x-next-cursor"] = cursor;
    }
    return { data: records, cursor };
  },
});

/** An administrative change as the management API shows it. */
const changeShape = z.object({
  id: z.string(),
  updated_at: z.string(),
  changed_by: z.string().nullable(),
  changed_by_api_key: z.string().nullable(),
  action: z.string(),
  event_type: z.string(),
  table_name: z.string(),
  object_id: z.string(),
  before_value: record.nullable(),
  updated_values: record.nullable(),
});

const CHANGE: Record<string, Json> = {
  id: "evt_0VZbG1qA5mQvS3kT9xYw2C",
  updated_at: "2026-11-21T10:00:00.123000Z",
  changed_by: "ada",
  changed_by_api_key: "sha256:6f0c…",
  action: "updated",
  event_type: "team.updated",
  table_name: "teams",
  object_id: "team_1",
  before_value: { max_budget: 5 },
  updated_values: { max_budget: 10 },
};

function changeOf(shown: ShownRecord): z.input<typeof changeShape> {
  const word = (name: string) => {
    const value = shown[name];
    return typeof value === "string" ? value : null;
  };
  const object = (name: string) => (shown[name] ?? null) as Record<string, unknown> | null;
  const type = word("event_type") ?? "";
  return {
    id: word("event_id") ?? "",
    updated_at: word("timestamp") ?? "",
    changed_by: word("changed_by") ?? word("actor"),
    changed_by_api_key: word("changed_by_api_key") ?? word("user_key_hash"),
    action: type.slice(type.indexOf(".") + 1),
    event_type: type,
    table_name: word("table_name") ?? "",
    object_id: word("object_id") ?? "",
    before_value: object("before_value"),
    updated_values: object("updated_values"),
  };
}

const changes = operation({
  id: "audit.list",
  section: "Audit",
  summary: "Show administrative changes",
  notes:
    "The part of the audit log that is about changes of objects, in the management API's form; newest first.",
  http: [{ method: "GET", path: "/audit" }],
  permission: PERMISSION,
  event: null,
  input: z.object({
    ...ORG,
    ...PAGE,
    cursor: z
      .string()
      .regex(/^\d{1,15}\.\d{1,15}$/, "Must be the cursor of a page")
      .optional(),
    start_date: time.optional(),
    end_date: time.optional(),
    event_type: z.enum([...AUDIT_EVENTS, ...TOLD_EVENTS]).optional(),
  }),
  output: z.object({
    audit_logs: z.array(changeShape),
    ...pageShape,
    cursor: z
      .string()
      .nullable()
      .describe("Asks for what follows, however much is added meanwhile"),
  }),
  example: { input: {}, output: { audit_logs: [CHANGE], ...PAGE_ROW, cursor: null } },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const { page: at = 1, page_size: size = 10 } = input;
    const {
      records,
      cursor,
      total = 0,
    } = await ctx.deps.auditLog(ctx.orgId).list({
      ...bounds(input),
      changes: true,
      limit: size,
      offset: input.cursor === undefined ? (at - 1) * size : 0,
      ...(input.cursor !== undefined && { cursor: input.cursor }),
      ...(input.event_type !== undefined && { type: input.event_type }),
    });
    const pages = { page: at, page_size: size, total, total_pages: Math.ceil(total / size) };
    return { audit_logs: records.map(changeOf), ...pages, cursor };
  },
});

const change = operation({
  id: "audit.show",
  section: "Audit",
  summary: "Show one administrative change",
  http: [{ method: "GET", path: "/audit/{id}" }],
  permission: PERMISSION,
  event: null,
  input: z.object({ ...ORG, id: reference }),
  output: changeShape,
  example: { input: { id: "evt_0VZbG1qA5mQvS3kT9xYw2C" }, output: CHANGE },
  errors: ["not_found"],
  missing: { what: "event", param: "id" },
  target: inOrg,
  run: async (ctx, { id }) => changeOf(await one(ctx, id, true)),
});

/** One record by its id; a missing one is 404. */
export async function one(ctx: AdminContext, eventId: string, only = false): Promise<ShownRecord> {
  const query = { eventId, limit: 1, ...(only && { changes: true }) };
  const { records } = await ctx.deps.auditLog(ctx.orgId).list(query);
  const [found] = records;
  if (found === undefined) throw notFound("event", "event_id");
  return found;
}

export const AUDIT_LOG = [list, changes, change];
