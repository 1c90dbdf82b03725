import * as z from "zod";
import { toBase64 } from "../../core/bytes.ts";
import { GatewayError } from "../../core/errors.ts";
import type { AuditEventType } from "../../core/audit.ts";
import { timeOrderedId } from "../../core/ids.ts";
import type { JsonObject } from "../../core/json.ts";
import { readCheckpoint } from "../../core/sealed-log/checkpoint.ts";
import { shownHash } from "../../core/sealed-log/leaf.ts";
import { verifyRange } from "../../core/sealed-log/verify-range.ts";
import { compareReplay } from "../../core/sealed-log/replayed.ts";
import { replay } from "../../policy/replay.ts";
import { forgetAuditEvents } from "../../store/audit-events.ts";
import { replayOrder, replayRefusal } from "../../routing/replay.ts";
import type { AdminContext } from "../context.ts";
import { archived, gatewayOf, recordedOf } from "../policy-decisions.ts";
import { invalidField } from "../faults.ts";
import { ORG, customerId, chosenId, email, reference } from "../fields.ts";
import { inOrg, notFound, operation } from "../operation.ts";
import { one } from "./audit-log.ts";

const PERMISSION = { resource: "audit", action: "read" } as const;
/** Records that one call proves, and objects that one page holds. */
const MOST_PROVED = 2_000;
const MOST_OBJECTS = 200;
/** Bytes that a page of objects comes to before it ends. */
const PAGE_BYTES = 4_000_000;

const EVENT = "evt_0VZbG1qA5mQvS3kT9xYw2C";
const HASH = "sha256:1c9e…";
const NOTE =
  "gateway.example/audit/g4Zk1x9QmT7ab\n43\n…\n\n— gateway.example/audit/g4Zk1x9QmT7ab …\n";

/** Puts on record that somebody read the log as a whole. */
export async function note(
  ctx: AdminContext,
  type: AuditEventType,
  data: JsonObject,
): Promise<void> {
  const { keyHandle } = ctx.principal;
  const event = {
    eventId: `evt_${timeOrderedId(ctx.now)}`,
    type,
    at: ctx.now,
    orgId: ctx.orgId,
    actor: ctx.actor,
    requestId: ctx.caller.requestId,
    ...(keyHandle !== undefined && { keyHandle }),
    data,
  };
  await ctx.deps.auditLog(ctx.orgId).append([event]);
}

const proof = operation({
  id: "audit_log.proof",
  section: "Audit",
  summary: "Prove that one record is in the log",
  notes:
    "A record that is not sealed yet is sealed first. `proof` is the whole of it as one C2SP tlog-proof text, checked offline with `routero audit check-proof`; `format=text` answers that text alone. `record` is the canonical text that was hashed. An event whose text retention has dropped is proved out of an export (`routero audit prove DIR`).",
  http: [{ method: "GET", path: "/audit-log/{event_id}/proof" }],
  permission: PERMISSION,
  event: null,
  input: z.object({ ...ORG, event_id: reference, format: z.enum(["json", "text"]).optional() }),
  output: z.object({
    event_id: z.string(),
    record: z.string().nullable().describe("Null where its segment is gone"),
    leaf: z.string(),
    index: z.number().describe("Counted from 0"),
    size: z.number(),
    hashes: z.array(z.string()),
    checkpoint: z.string(),
    proof: z.string(),
  }),
  example: {
    input: { event_id: EVENT },
    output: {
      event_id: EVENT,
      record: `{"actor":"master",…}`,
      leaf: `{"event_id":"${EVENT}",…}`,
      index: 41,
      size: 43,
      hashes: ["q8Zc…="],
      checkpoint: NOTE,
      proof: "c2sp.org/tlog-proof@v1\n…",
    },
  },
  errors: ["not_found", "audit_unavailable"],
  missing: { what: "event", param: "event_id" },
  target: inOrg,
  async run(ctx, { event_id, format }) {
    const found = await ctx.deps.auditLog(ctx.orgId).proof(event_id);
    if (found === null) throw notFound("event", "event_id");
    if (format === "text") ctx.file = { type: "text/plain; charset=utf-8", text: found.proof };
    return { event_id, ...found };
  },
});

const checkpoint = operation({
  id: "audit_log.checkpoint",
  section: "Audit",
  summary: "Show the log's newest signed checkpoint",
  notes:
    "Keep it where nobody who runs this gateway can reach it: `routero audit verify --since` proves with it that nothing before it was changed. `seal=true` seals first what came in during the last seconds. `format=text` answers the signed note alone.",
  http: [{ method: "GET", path: "/audit-log/checkpoint" }],
  permission: PERMISSION,
  event: null,
  input: z.object({
    ...ORG,
    seal: z.enum(["true", "false"]).optional(),
    format: z.enum(["json", "text"]).optional(),
  }),
  output: z.object({
    origin: z.string().nullable(),
    size: z.number(),
    root_hash: z.string().nullable().describe("Base64"),
    chain_hash: z.string().nullable(),
    timestamp: z.string().nullable(),
    pending: z.number().describe("Records that wait to be sealed"),
    checkpoint: z.string().nullable(),
  }),
  example: {
    input: {},
    output: {
      origin: "gateway.example/audit/g4Zk1x9QmT7ab",
      size: 43,
      root_hash: "q8Zc…=",
      chain_hash: HASH,
      timestamp: "2026-11-21T10:00:05.000Z",
      pending: 0,
      checkpoint: NOTE,
    },
  },
  errors: ["audit_unavailable"],
  target: inOrg,
  async run(ctx, input) {
    const stand = await ctx.deps.auditLog(ctx.orgId).stand(input.seal === "true");
    const read = stand.checkpoint === null ? null : readCheckpoint(stand.checkpoint);
    if (input.format === "text" && stand.checkpoint !== null)
      ctx.file = { type: "text/plain; charset=utf-8", text: stand.checkpoint };
    const said = read?.checkpoint;
    return {
      origin: said?.origin ?? null,
      size: stand.sealed,
      root_hash: said === undefined ? null : toBase64(said.root),
      chain_hash: said === undefined ? null : shownHash(said.chain),
      timestamp: said === undefined ? null : new Date(said.at).toISOString(),
      pending: stand.records - stand.sealed,
      checkpoint: stand.checkpoint,
    };
  },
});

const fault = z.object({
  object: z.string(),
  sequence: z.number().optional(),
  says: z.string(),
});

const verify = operation({
  id: "audit_log.verify",
  section: "Audit",
  summary: "Prove records against the newest checkpoint",
  notes: `Each record's text by its leaf, the leaf by the one before it and by its path to the signed root; ${MOST_PROVED} records a call, the newest ones if nothing is said. It shows what this gateway holds of itself: \`routero audit verify\` does all of it, from outside.`,
  http: [{ method: "POST", path: "/audit-log/verify" }],
  permission: PERMISSION,
  // It is the log that is told, not the record of changes.
  event: null,
  input: z.object({
    ...ORG,
    from: z.int().min(1).optional().describe("Sequence of the first record"),
    to: z.int().min(1).optional().describe("Sequence of the last one"),
  }),
  output: z.object({
    valid: z.boolean(),
    from: z.number(),
    to: z.number(),
    records: z.number().describe("Records whose text was there and was compared"),
    faults: z.array(fault),
    checkpoint: z.string().nullable(),
  }),
  example: {
    input: { from: 1, to: 43 },
    output: { valid: true, from: 1, to: 43, records: 43, faults: [], checkpoint: NOTE },
  },
  errors: ["audit_unavailable"],
  target: inOrg,
  async run(ctx, input) {
    const log = ctx.deps.auditLog(ctx.orgId);
    const stand = await log.stand(true);
    if (stand.checkpoint === null)
      return { valid: true, from: 0, to: 0, records: 0, faults: [], checkpoint: null };
    const to = Math.min(input.to ?? stand.sealed, stand.sealed);
    const from = input.from ?? Math.max(1, to - MOST_PROVED + 1);
    if (from > stand.sealed)
      throw invalidField(["from"], `The log ends at record ${stand.sealed}`, "body");
    if (from > to) throw invalidField(["from"], "Must not be greater than to", "body");
    if (to - from >= MOST_PROVED)
      throw invalidField(["to"], `At most ${MOST_PROVED} records in one call`, "body");
    const archive = ctx.deps.auditArchive(ctx.orgId);
    const segments = await log.segments(from, to);
    const report = await verifyRange({ get: archive.read }, stand.checkpoint, segments, from, to);
    await note(ctx, "audit.verified", { from, to, faults: report.faults.length });
    return { valid: report.faults.length === 0, ...report };
  },
});

const objects = operation({
  id: "audit_log.objects",
  section: "Audit",
  summary: "Read the log's sealed objects",
  notes:
    "What lies in the archive, byte for byte, in pages; `routero audit export` is made of it. The newest checkpoint is sealed and comes first. The first page of a reading is put on record.",
  http: [{ method: "GET", path: "/audit-log/objects" }],
  permission: PERMISSION,
  event: null,
  input: z.object({
    ...ORG,
    after: z
      .string()
      .max(256, "At most 256 characters")
      .optional()
      .describe("Name of the last object of the page before"),
    limit: z.coerce.number().int().min(1).max(MOST_OBJECTS).optional(),
  }),
  output: z.object({
    objects: z.array(z.object({ name: z.string(), bytes: z.string().describe("Base64") })),
    after: z.string().nullable(),
  }),
  example: {
    input: { limit: 1 },
    output: {
      objects: [{ name: "audit-head/checkpoint", bytes: "Z2F0ZXdheS4…" }],
      after: "audit-head/checkpoint",
    },
  },
  errors: ["audit_unavailable"],
  target: inOrg,
  async run(ctx, input) {
    const limit = input.limit ?? MOST_OBJECTS;
    const archive = ctx.deps.auditArchive(ctx.orgId);
    if (input.after === undefined) {
      await note(ctx, "audit.exported", { format: "objects" });
      await ctx.deps.auditLog(ctx.orgId).stand(true);
    }
    // "audit-" sorts before "audit/": the head is read before anything that it may not know yet.
    const names = await archive.list("audit", input.after ?? null, limit);
    const page: { name: string; bytes: string }[] = [];
    let size = 0;
    for (const name of names) {
      const bytes = await archive.read(name);
      if (bytes === null) continue;
      page.push({ name, bytes: toBase64(bytes) });
      size += bytes.length;
      if (size > PAGE_BYTES) break;
    }
    const last = page.at(-1)?.name ?? names.at(-1);
    const more = names.length === limit || page.length < names.length;
    return { objects: page, after: more ? (last ?? null) : null };
  },
});

/** Who can be unlinked, by the members that name them. */
const PERSONS = [
  { kind: "user", member: "user_id" },
  { kind: "customer", member: "customer_id" },
  { kind: "email", member: "user_email" },
] as const;

const unlink = operation({
  id: "audit_log.unlink",
  section: "Audit",
  summary: "Unlink a person from the audit log, for good",
  notes:
    "Records name people by pseudonyms. This deletes the salts that a person's were made with, those of the e-mail addresses and names that records gave it too: nobody can tell afterwards whom they stood for, and every hash of the log stays as it was. Events from then on get other pseudonyms, so delete the person first. Nobody can unlink themselves. `user_email` is for somebody who never became a user (an invitation).",
  http: [{ method: "POST", path: "/audit-log/unlink" }],
  permission: { resource: "user", action: "delete" },
  event: "audit.unlinked",
  input: z.object({
    ...ORG,
    user_id: chosenId.optional(),
    customer_id: customerId.optional(),
    user_email: email.optional(),
  }),
  output: z.object({ unlinked: z.boolean() }),
  example: { input: { user_id: "ada" }, output: { unlinked: true } },
  errors: ["not_found"],
  missing: { what: "person in the log", param: "user_id" },
  target: inOrg,
  async run(ctx, input) {
    const given = PERSONS.filter(({ member }) => input[member] !== undefined);
    const [person] = given;
    if (person === undefined || given.length > 1)
      throw invalidField(
        ["user_id"],
        "Exactly one of user_id, customer_id and user_email has to be given",
        "body",
      );
    const { kind, member } = person;
    const id = input[member] ?? "";
    if (kind === "user" && id === ctx.principal.userId)
      throw new GatewayError("forbidden", "user_id: nobody unlinks what they did themselves.", {
        param: "user_id",
      });
    const unlinked = await ctx.deps
      .auditLog(ctx.orgId)
      .unlink(kind, kind === "email" ? id.toLowerCase() : id);
    if (!unlinked) throw notFound("person in the log", member);
    // Not whom: that is what must not be known any more.
    await ctx.commit({
      // The record's copies of events name people as they came.
      statements: [forgetAuditEvents(ctx.orgId)],
      touches: [],
      events: [{ type: "audit.unlinked", objectId: kind }],
    });
    return { unlinked };
  },
});

const replayAgain = operation({
  id: "audit_log.replay",
  section: "Audit",
  summary: "Decide a recorded request anew",
  notes:
    "From the signals, candidates, states and seed in the record and the archived policies that it names: the same rule, order or refusal has to come out. `unknown` names what the record does not hold (it was too large, or of an older version). `routero audit replay` does it offline.",
  http: [{ method: "POST", path: "/audit-log/replay" }],
  permission: PERMISSION,
  event: null,
  input: z.object({ ...ORG, event_id: reference }),
  output: z.object({
    event_id: z.string(),
    same: z.boolean(),
    recorded: z.record(z.string(), z.unknown()),
    replayed: z.record(z.string(), z.unknown()),
    differs: z.array(z.string()),
    unknown: z.array(z.string()),
  }),
  example: {
    input: { event_id: EVENT },
    output: {
      event_id: EVENT,
      same: true,
      recorded: { rule_id: "eu", plan: ["d1", "d2"] },
      replayed: { rule_id: "eu", plan: ["d1", "d2"] },
      differs: [],
      unknown: [],
    },
  },
  errors: ["not_found"],
  missing: { what: "event", param: "event_id" },
  target: inOrg,
  async run(ctx, { event_id }) {
    const record = await one(ctx, event_id);
    const type = record["event_type"];
    if (type !== "request.routed" && type !== "request.blocked")
      throw invalidField(
        ["event_id"],
        "Must be a decision: request.routed or request.blocked",
        "body",
      );
    const recorded = recordedOf(record);
    const verdict =
      recorded === null
        ? undefined
        : replay(
            await Promise.all(recorded.parts.map((part) => archived(ctx, part))),
            recorded,
            gatewayOf(ctx),
          );
    const plan = replayOrder(record);
    return { event_id, ...compareReplay(record, verdict, plan, replayRefusal(record)) };
  },
});

export const AUDIT_PROOFS = [proof, checkpoint, verify, objects, unlink, replayAgain];
