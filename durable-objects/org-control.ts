import { DurableObject } from "cloudflare:workers";
import type { OutboxItem } from "../worker/core/account.ts";
import type { AuditRecord } from "../worker/core/audit.ts";
import { fitRecord } from "../worker/core/audit-record.ts";
import type { Applied, Change } from "../worker/core/ports.ts";
import type { Delta, Opened } from "../worker/core/records.ts";
import { writeChange } from "../worker/store/changes.ts";
import type { WriteOutcome } from "../worker/store/changes.ts";
import { openDb } from "../worker/store/database.ts";
import { readLimits, readTimeZone } from "../worker/store/limit-rows.ts";
import { readKey, readShared } from "../worker/store/org-rows.ts";
import { makeTrailSink } from "../worker/store/trail-sink.ts";
import { pause } from "../worker/core/time.ts";
import { ledger, policyArchive } from "./addresses.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { OrgControlMachine } from "./org-control-machine.ts";
import type { OrgControlStorage } from "./org-control-machine.ts";
import { OrgControlSqlite } from "./org-control-sqlite.ts";
import { trailStores } from "./trail.ts";
import { spreadLimits } from "./org-limits.ts";

/** A transaction that did not answer in this time counts as unknown. */
const WRITE_TIMEOUT_MS = 10_000;
/** The answer to a change waits so long for its events to be in the log; the alarm goes on from there. */
const DELIVERY_TIMEOUT_MS = 1_000;
const REARM_MS = 1_000;
const MOST_DRAIN_MS = 5_000;

/** One object per organization: RPC, storage and alarm around `OrgControlMachine`. */
export class OrgControl extends DurableObject<Env> {
  readonly #storage: OrgControlSqlite;
  #machine: OrgControlMachine | null = null;
  /** By change, how long what was lent before may still be used, milliseconds. */
  readonly #drains = new Map<string, number>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#storage = new OrgControlSqlite(ctx.storage);
    if (this.#storage.load().pending !== null || this.#storage.outbox(1).length > 0) {
      ctx.waitUntil(ctx.storage.setAlarm(Date.now() + REARM_MS));
    }
  }

  open(
    orgId: string,
    keyId: string | null,
    revision: number,
    have?: string[],
  ): Promise<Answer<Opened>> {
    return answered(() => this.#of(orgId).open(keyId, revision, have));
  }

  keepBundle(orgId: string, hash: string, text: string): Promise<Answer<null>> {
    return answered(async () => {
      this.#of(orgId).keepBundle(hash, text);
      return null;
    });
  }

  sync(orgId: string, revision: number): Promise<Answer<Delta>> {
    return answered(async () => this.#of(orgId).sync(revision));
  }

  /** Answers once nothing is lent any more under limits that were wider before (PLATFORM 24). */
  apply(orgId: string, change: Change): Promise<Answer<Applied>> {
    return answered(async () => {
      const applied = await this.#of(orgId).apply(change);
      const drainMs = this.#drains.get(change.id) ?? 0;
      this.#drains.delete(change.id);
      if (drainMs > 0) await pause(Math.min(drainMs, MOST_DRAIN_MS));
      return applied;
    });
  }

  override async alarm(): Promise<void> {
    const orgId = this.#storage.orgId;
    if (orgId !== null) await this.#of(orgId).onAlarm();
  }

  /** Writes a change into the record, and tells the ledgers of limits that it changed. */
  async #write(orgId: string, change: Change): Promise<WriteOutcome> {
    const { env } = this;
    const outcome = await writeChange(env.DB, orgId, change, Date.now());
    if (outcome.kind !== "applied") return outcome;
    const parts = {
      orgId,
      store: this.#storage.told,
      read: (names: readonly string[]) => readLimits(openDb(env.DB), orgId, names),
      timeZone: () => readTimeZone(openDb(env.DB), orgId),
      ledger: (home: string) => ledger(env, orgId, home),
      now: Date.now,
    };
    try {
      const revision = this.#storage.load().revision + 1;
      const { drainMs } = await spreadLimits(parts, change.touches, revision);
      this.#drains.set(change.id, drainMs);
      return outcome;
    } catch {
      return { kind: "unknown" };
    }
  }

  #of(orgId: string): OrgControlMachine {
    const { env, ctx } = this;
    const owner = this.#storage.claim(orgId);
    if (owner !== orgId) throw new Error("This object belongs to another organization.");
    const db = openDb(env.DB);
    const archive = policyArchive(env);
    // Straight to the log, whatever the profile: a change is rare, and its outbox is durable already.
    const sink = makeTrailSink(
      trailStores(env, (message, fields) =>
        console.error(JSON.stringify({ level: "error", msg: message, ...fields })),
      ),
    );
    this.#machine ??= new OrgControlMachine(
      this.#storage satisfies OrgControlStorage,
      {
        shared: () => readShared(db, orgId),
        key: (keyId) => readKey(db, orgId, keyId),
        bundle: (hash) => archive.load(orgId, hash),
        write: (change) =>
          within(WRITE_TIMEOUT_MS, this.#write(orgId, change), { kind: "unknown" }),
        deliver: (records) => within(DELIVERY_TIMEOUT_MS, sink.deliver(records.map(asOutcome)), []),
      },
      {
        set: (at) => ctx.storage.setAlarm(at),
        clear: () => ctx.storage.deleteAlarm(),
      },
      Date.now,
    );
    return this.#machine;
  }
}

/** An event on its way, cut to what the log takes. */
function asOutcome(record: AuditRecord, seq: number): OutboxItem {
  const fit = fitRecord(record);
  return { kind: "outcome", seq, record: "record" in fit ? fit.record : record };
}

/** The work's own outcome, or `otherwise` after `ms`; the work itself goes on. */
function within<T>(ms: number, work: Promise<T>, otherwise: T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
