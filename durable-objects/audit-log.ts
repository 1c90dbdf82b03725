import { DurableObject } from "cloudflare:workers";
import type { AppendResult, AuditPage, AuditQuery, AuditRecord } from "../worker/core/audit.ts";
import type { LogStand, Proof } from "../worker/core/audit.ts";
import { signerOf } from "../worker/core/sealed-log/note.ts";
import type { PersonKind } from "../worker/core/sealed-log/pseudonyms.ts";
import type { SegmentRange } from "../worker/core/sealed-log/verify-range.ts";
import type { AuditArchive } from "../worker/store/audit-archive.ts";
import { parseVersionedSecrets } from "../worker/store/versioned-secrets.ts";
import { abandonedDecision } from "./abandoned.ts";
import { checkpointEvent, tell } from "./audit-checkpoint.ts";
import { auditArchive, delivery, ledger } from "./addresses.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { AuditLogMachine } from "./audit-log-machine.ts";
import { AuditLogSqlite } from "./audit-log-sqlite.ts";
import { prove } from "./audit-proof.ts";
import { retain } from "./audit-retention.ts";
import { ownRow } from "./audit-row.ts";
import { AuditSealSqlite } from "./audit-seal-sqlite.ts";
import { AuditSealer } from "./audit-sealer.ts";
import { shown } from "./audit-shown.ts";
import { unsealedEvent } from "./audit-unsealed.ts";

const REARM_MS = 1_000;
const RETENTION_DAYS = 365;
const ORIGIN = "routero";

/** One object per organization: RPC, storage and alarm around `AuditLogMachine` and `AuditSealer`. */
export class AuditLog extends DurableObject<Env> {
  readonly #storage: AuditLogSqlite;
  #owner: string | null = null;
  #toldOn = "";
  #complained = "";
  #of: Parts | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#storage = new AuditLogSqlite(ctx.storage);
    const { records, sealed, staged } = this.#storage.extent();
    if (this.#storage.nextDue() !== null || records > sealed || staged)
      ctx.waitUntil(this.#rearm());
  }

  append(orgId: string, records: unknown[]): Promise<Answer<AppendResult[]>> {
    return answered(() => this.#parts(orgId).machine.append(records));
  }

  list(orgId: string, query: AuditQuery): Promise<Answer<AuditPage>> {
    return answered(async () => {
      const { machine, seals, archive } = this.#parts(orgId);
      const { found, ...page } = machine.list(this.#known(query));
      const archived = (sequence: number) => seals.archived(sequence, archive);
      return { records: await shown(found, { log: this.#storage, archived }), ...page };
    });
  }

  /** How far the log has come. With `seal` everything that is in it now is sealed first. */
  stand(orgId: string, seal: boolean): Promise<Answer<LogStand>> {
    return answered(async () => {
      const { sealer, seals } = this.#parts(orgId);
      if (seal && this.#storage.made) await sealer.run();
      const { records, sealed } = this.#storage.extent();
      return { records, sealed, checkpoint: seals.state()?.checkpoint ?? null };
    });
  }

  /** The proof of one record; null where the log has no such event. */
  proof(orgId: string, eventId: string): Promise<Answer<Proof | null>> {
    return answered(async () => {
      const { sealer, seals, archive } = this.#parts(orgId);
      const find = () => this.#storage.list({ eventId }, null, 1)[0];
      if (find()?.recordHash === null) await sealer.run();
      const [row, state] = [find(), seals.state()];
      if (row === undefined || state === null) return null;
      const text = row.body ?? (await seals.archived(row.sequence, archive));
      return prove(row, text, state, archive);
    });
  }

  segments(orgId: string, from: number, to: number): Promise<Answer<SegmentRange[]>> {
    return answered(async () => this.#parts(orgId).seals.segments(from, to));
  }

  /** Forgets who a person's pseudonyms stand for; false where nobody was known. */
  unlink(orgId: string, kind: PersonKind, id: string): Promise<Answer<boolean>> {
    return answered(async () => {
      this.#parts(orgId);
      return this.#storage.unlink(kind, id);
    });
  }

  override async alarm(): Promise<void> {
    const { orgId } = this.#storage;
    if (orgId !== null) await this.#parts(orgId).machine.onAlarm();
  }

  #parts(orgId: string): Parts {
    this.#owner ??= this.#storage.orgId ?? orgId;
    if (this.#owner !== orgId) throw new AnotherOrganization();
    return (this.#of ??= this.#make(orgId));
  }

  #make(orgId: string): Parts {
    const { env } = this;
    const { storage } = this.ctx;
    const vars = env as Env & { AUDIT_ORIGIN?: string; AUDIT_RETENTION_DAYS?: string };
    const retentionDays = Number(vars.AUDIT_RETENTION_DAYS ?? RETENTION_DAYS);
    const archive = auditArchive(env, orgId);
    const seals = new AuditSealSqlite(this.#storage, storage, (event) =>
      ownRow(orgId, event, retentionDays),
    );
    const sealer = new AuditSealer({
      origin: `${vars.AUDIT_ORIGIN ?? ORIGIN}/audit/${orgId}`,
      storage: seals,
      archive,
      signers: (origin) => signers(env.AUDIT_SIGNING_KEY, origin),
      now: Date.now,
      pause: () => scheduler.wait(0),
    });
    const seal = async () => {
      try {
        return await sealer.batch();
      } catch (cause) {
        await this.#complain(orgId, cause);
        throw cause;
      }
    };
    const machine = new AuditLogMachine(
      orgId,
      this.#storage,
      { set: (at) => storage.setAlarm(at) },
      (decisions) => this.#abandoned(decisions),
      Date.now,
      {
        seal,
        retain: async () => {
          await this.#tellCheckpoint(orgId, seals.state()?.checkpoint ?? null);
          return retain({ storage: seals, archive, now: Date.now, pause: () => scheduler.wait(0) });
        },
        retentionDays,
      },
    );
    return { machine, sealer, seals, archive };
  }

  /**
   * The day's checkpoint leaves for where the log's own bucket and key can't take it back: to the organization's
   * webhook and into the deployment's logs. A new memory tells it again, under the same id.
   */
  async #tellCheckpoint(orgId: string, checkpoint: string | null): Promise<void> {
    const event = checkpoint === null ? null : checkpointEvent(orgId, checkpoint, Date.now());
    if (event === null || this.#toldOn === event.eventId) return;
    tell([event]);
    await delivery(this.env, orgId).tell([event]);
    this.#toldOn = event.eventId;
  }

  /** Says why the log is not sealed: each time in the deployment's logs, once a day to the organization's webhook. */
  async #complain(orgId: string, cause: unknown): Promise<void> {
    const event = unsealedEvent(orgId, cause, Date.now());
    const name = cause instanceof Error ? cause.name : typeof cause;
    const line = { level: "error", msg: "audit log not sealed", org_id: orgId, cause: name };
    const again = { says: "Something could not be reached or written; it is tried again." };
    console.error(JSON.stringify({ ...line, ...(event?.data ?? again) }));
    if (event === null || this.#complained === event.eventId) return;
    await delivery(this.env, orgId).tell([event]);
    this.#complained = event.eventId;
  }

  /** Readers name a person; the log knows its pseudonym. */
  #known(query: AuditQuery): AuditQuery {
    const [, user] = /^user:(.+)$/s.exec(query.actor ?? "") ?? [];
    if (user === undefined) return query;
    const pseudonym = this.#storage.pseudonym("user", user);
    return { ...query, actor: `user:${pseudonym ?? user}` };
  }

  /** The outcome comes back through the ledger's outbox; a ledger that did not answer is asked again later. */
  async #abandoned(decisions: AuditRecord[]): Promise<void> {
    const asked = decisions.map(async (record) => {
      const decision = abandonedDecision(record);
      if (decision)
        await ledger(this.env, decision.orgId, decision.teamId).settleAbandoned(decision);
    });
    await Promise.allSettled(asked);
  }

  async #rearm(): Promise<void> {
    const { storage } = this.ctx;
    if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + REARM_MS);
  }
}

interface Parts {
  machine: AuditLogMachine;
  sealer: AuditSealer;
  seals: AuditSealSqlite;
  archive: AuditArchive;
}

async function signers(setting: string, origin: string) {
  const { current, byVersion } = parseVersionedSecrets("AUDIT_SIGNING_KEY", setting);
  const made = [...byVersion].map(
    async ([version, seed]) => [version, await signerOf(origin, seed)] as const,
  );
  return { current, byVersion: new Map(await Promise.all(made)) };
}

/** An object was asked for a log that is not its own. */
class AnotherOrganization extends Error {
  override name = "AnotherOrganization";
}
