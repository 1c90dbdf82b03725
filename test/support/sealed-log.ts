import { AuditLogMachine } from "../../durable-objects/audit-log-machine.ts";
import { AuditLogSqlite } from "../../durable-objects/audit-log-sqlite.ts";
import { retain } from "../../durable-objects/audit-retention.ts";
import { ownRow } from "../../durable-objects/audit-row.ts";
import { AuditSealSqlite } from "../../durable-objects/audit-seal-sqlite.ts";
import { AuditSealer } from "../../durable-objects/audit-sealer.ts";
import type { SealArchive } from "../../durable-objects/audit-sealer.ts";
import { prove } from "../../durable-objects/audit-proof.ts";
import { shown } from "../../durable-objects/audit-shown.ts";
import type { AuditEventType, AuditLogPort, AuditRecord } from "../../worker/core/audit.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { sameBytes } from "../../worker/core/sealed-log/merkle.ts";
import { signerOf } from "../../worker/core/sealed-log/note.ts";
import type { LogObjects } from "../../worker/core/sealed-log/report.ts";
import { ObjectSqlite } from "./object-sqlite.ts";

export const ORG = "gAAAAAAAAAAAA";
export const ORIGIN = `gateway.example/audit/${ORG}`;
export const START = 1_800_000_000_000;

function auditRecord(
  at: number,
  type: AuditEventType = "request.blocked",
  data: JsonObject = {},
  extra: Partial<AuditRecord> = {},
): AuditRecord {
  const eventId = `evt_${timeOrderedId(at)}`;
  const requestId = `req_${eventId.slice(-8)}`;
  return { eventId, type, at, orgId: ORG, actor: "key:sha256:1", requestId, data, ...extra };
}

/** The archive in memory. `step` is told of each call before and after it has its effect; what it throws is the answer. */
export class MemoryArchive implements SealArchive, LogObjects {
  readonly objects = new Map<string, Uint8Array>();
  step: (name: string) => void = () => undefined;

  create = async (name: string, bytes: Uint8Array) => {
    this.step(`before create ${name}`);
    const there = this.objects.get(name);
    if (there === undefined) this.objects.set(name, bytes.slice());
    this.step(`after create ${name}`);
    if (there === undefined) return "written";
    return sameBytes(there, bytes) ? "same" : "different";
  };
  replace = async (name: string, bytes: Uint8Array) => {
    this.step(`before replace ${name}`);
    this.objects.set(name, bytes.slice());
    this.step(`after replace ${name}`);
  };
  remove = async (names: string[]) => {
    this.step("before remove");
    for (const name of names) this.objects.delete(name);
    this.step("after remove");
  };
  names = async () => [...this.objects.keys()];
  get = async (name: string) => this.objects.get(name)?.slice() ?? null;
  read = this.get;
  list = async (folder: string, after: string | null, limit: number) =>
    [...this.objects.keys()]
      .filter((name) => name.startsWith(folder) && (after === null || name > after))
      .toSorted()
      .slice(0, limit);

  copy(): MemoryArchive {
    const other = new MemoryArchive();
    for (const [name, bytes] of this.objects) other.objects.set(name, bytes.slice());
    return other;
  }
}

/** A log with its disk and archive, whose memory can die at any point. */
export class LogWorld {
  now = START;
  alarmAt: number | null = null;
  readonly disk = new ObjectSqlite();
  readonly archive = new MemoryArchive();
  /** Seeds of the signing key by version. */
  seeds = new Map([[1, new Uint8Array(32).fill(3)]]);
  retentionDays = 365;
  machine!: AuditLogMachine;
  sealer!: AuditSealer;
  seals!: AuditSealSqlite;
  log!: AuditLogSqlite;
  /** What happens while a batch is hashed. */
  pause: () => Promise<void> = () => Promise.resolve();
  alarmFault: (step: string) => void = () => undefined;
  signFault: (step: string) => void = () => undefined;
  readonly orgId: string;

  constructor(orgId = ORG, now = START) {
    this.orgId = orgId;
    this.now = now;
    this.load();
  }

  /** The same log once more, which goes its own way from here. */
  copy(): LogWorld {
    const other = new LogWorld(this.orgId, this.now);
    other.disk.db.deserialize(this.disk.db.serialize());
    for (const [name, bytes] of this.archive.objects)
      other.archive.objects.set(name, bytes.slice());
    other.alarmAt = this.alarmAt;
    other.load();
    return other;
  }

  /** What remains after a crash is the disk, the alarm and the archive. */
  load(): void {
    this.log = new AuditLogSqlite(this.disk.storage);
    this.seals = new AuditSealSqlite(this.log, this.disk.storage, (event) =>
      ownRow(this.orgId, event, this.retentionDays),
    );
    this.sealer = new AuditSealer({
      origin: `gateway.example/audit/${this.orgId}`,
      storage: this.seals,
      archive: this.archive,
      signers: async (origin) => {
        this.signFault("before sign");
        const made = [...this.seeds].map(
          async ([version, seed]) => [version, await signerOf(origin, seed)] as const,
        );
        const byVersion = new Map(await Promise.all(made));
        return { current: Math.max(...this.seeds.keys()), byVersion };
      },
      now: () => this.now,
      pause: () => this.pause(),
    });
    const alarm = {
      set: async (at: number) => {
        this.alarmFault("before alarm");
        this.alarmAt = at;
        this.alarmFault("after alarm");
      },
    };
    this.machine = new AuditLogMachine(
      this.orgId,
      this.log,
      alarm,
      () => Promise.resolve(),
      () => this.now,
      {
        seal: () => this.sealer.batch(),
        retain: () =>
          retain({
            storage: this.seals,
            archive: this.archive,
            now: () => this.now,
            pause: () => Promise.resolve(),
          }),
        retentionDays: this.retentionDays,
      },
    );
  }

  record(type?: AuditEventType, data?: JsonObject, extra?: Partial<AuditRecord>): AuditRecord {
    return auditRecord(this.now, type, data, extra);
  }

  append(records: AuditRecord[]) {
    return this.machine.append(records);
  }

  /** Appends so many records in groups and seals after each. */
  async grow(groups: readonly number[]): Promise<AuditRecord[]> {
    const all: AuditRecord[] = [];
    for (const count of groups) {
      const records = Array.from({ length: count }, (_, n) =>
        this.record(n % 2 === 0 ? "request.blocked" : "request.completed", { model: `m${n}` }),
      );
      await this.append(records);
      await this.sealer.run();
      this.now += 1_000;
      all.push(...records);
    }
    return all;
  }

  /** The log as operations see it. */
  get port(): AuditLogPort {
    const archived = (sequence: number) => this.seals.archived(sequence, this.archive);
    return {
      append: (records) => this.machine.append(records),
      list: async (query) => {
        const { found, ...page } = this.machine.list(query);
        return { records: await shown(found, { log: this.log, archived }), ...page };
      },
      stand: async (seal) => {
        if (seal && this.log.made) await this.sealer.run();
        const { records, sealed } = this.log.extent();
        return { records, sealed, checkpoint: this.seals.state()?.checkpoint ?? null };
      },
      proof: async (eventId) => {
        if (this.log.made) await this.sealer.run();
        const [row] = this.log.list({ eventId }, null, 1);
        const state = this.seals.state();
        if (row === undefined || state === null) return null;
        return prove(row, row.body ?? (await archived(row.sequence)), state, this.archive);
      },
      segments: async (from, to) => this.seals.segments(from, to),
      unlink: async (kind, id) => this.log.unlink(kind, id),
    };
  }

  /** Rings the alarm each time that it is due until a time, or forever until nothing is left to seal. */
  async runUntil(time: number): Promise<void> {
    while (this.alarmAt !== null && this.alarmAt <= time) {
      this.now = Math.max(this.now, this.alarmAt);
      this.alarmAt = null;
      await this.machine.onAlarm();
    }
    this.now = time;
  }
}
