import { DurableObject } from "cloudflare:workers";
import type { AppendResult, AuditPage, AuditQuery, AuditRecord } from "../worker/core/audit.ts";
import { abandonedDecision } from "./abandoned.ts";
import { ledger } from "./addresses.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { AuditLogMachine } from "./audit-log-machine.ts";
import { AuditLogSqlite } from "./audit-log-sqlite.ts";

const REARM_MS = 1_000;

/** One object per organization: RPC, storage and alarm around `AuditLogMachine`. */
export class AuditLog extends DurableObject<Env> {
  readonly #storage: AuditLogSqlite;
  #owner: string | null = null;
  #machine: AuditLogMachine | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#storage = new AuditLogSqlite(ctx.storage);
    if (this.#storage.nextDue() !== null) ctx.waitUntil(this.#rearm());
  }

  append(orgId: string, records: unknown[]): Promise<Answer<AppendResult[]>> {
    return answered(() => this.#of(orgId).append(records));
  }

  list(orgId: string, query: AuditQuery): Promise<Answer<AuditPage>> {
    return answered(async () => this.#of(orgId).list(query));
  }

  override async alarm(): Promise<void> {
    const { orgId } = this.#storage;
    if (orgId !== null) await this.#of(orgId).onAlarm();
  }

  #of(orgId: string): AuditLogMachine {
    this.#owner ??= this.#storage.orgId ?? orgId;
    if (this.#owner !== orgId) throw new AnotherOrganization();
    const { storage } = this.ctx;
    this.#machine ??= new AuditLogMachine(
      orgId,
      this.#storage,
      { set: (at) => storage.setAlarm(at) },
      (decisions) => this.#abandoned(decisions),
      Date.now,
    );
    return this.#machine;
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

/** An object was asked for a log that is not its own. */
class AnotherOrganization extends Error {
  override name = "AnotherOrganization";
}
