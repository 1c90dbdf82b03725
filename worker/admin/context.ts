import type { AuditRecord } from "../core/audit.ts";
import type { Identity } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { timeOrderedId } from "../core/ids.ts";
import type { Statement } from "../core/ports.ts";
import type { Action, Principal, Resource, Subject } from "../core/principal.ts";
import { ownerId } from "../policy/authz/roles.ts";
import { limitsCustomers } from "../store/limit-rows.ts";
import { changeRecord, type ChangeEvent } from "./change-record.ts";
import type { FileAnswer } from "./audit-forms.ts";
import type { AdminDeps } from "./ports.ts";

/** Who calls. `identity` is null for the master key before there is an organization. */
export interface Caller {
  principal: Principal;
  identity: Identity | null;
  /** The same caller in the key's own organization, where the call acts in another one. */
  home?: Caller;
  /** Unix milliseconds. */
  at: number;
  requestId: string;
}

export interface Commit {
  statements: Statement[];
  touches: string[];
  events: ChangeEvent[];
  /** Bare id; where it is not the organization that the call acts in. */
  orgId?: string;
}

/** What a uniqueness rule of the record means to a caller. */
const CONFLICTS: Readonly<Record<string, string>> = {
  "organizations.chosen_id": "organization_id",
  "teams.id": "team_id",
  "teams.alias": "team_alias",
  "users.id": "user_id",
  "users.email": "user_email",
  "keys.alias": "key_alias",
  "invitations.id": "token",
  "deployments.id": "model_info.id",
  "customers.id": "user_id",
  "team_members.user_id": "user_id",
  "users.org_id": "user_id",
  "credentials.name": "credential_name",
  "credentials.provider": "provider",
};

/** One admin call under way: who asks, in which organization, and the only way to change anything. */
export class AdminContext {
  readonly deps: AdminDeps;
  readonly caller: Caller;
  readonly principal: Principal;
  /** Bare id of the organization that the call acts in; empty before there is one. */
  readonly orgId: string;
  /** Headers that the operation adds to its answer. */
  readonly headers: Record<string, string> = {};
  /** Set by an operation whose answer was asked for as a file and not as JSON. */
  file: FileAnswer | null = null;
  /** How the caller reached this gateway: `https://gateway.example.com`. */
  readonly origin: string;

  constructor(deps: AdminDeps, caller: Caller, origin: string) {
    this.deps = deps;
    this.origin = origin;
    this.caller = caller;
    this.principal = caller.principal;
    this.orgId = caller.principal.orgId;
  }

  get now(): number {
    return this.caller.at;
  }

  /** The subject that is nearest to the caller: what is denied for it is denied for everything. */
  get nearest(): Subject {
    const { orgId, teamId } = this.principal;
    return { orgId, teamId, userId: ownerId(this.principal) };
  }

  may(resource: Resource, action: Action, subject: Subject): boolean {
    return this.deps.authorizer.check(this.principal, resource, action, subject).allowed;
  }

  require(resource: Resource, action: Action, subject: Subject): void {
    const { allowed, reason } = this.deps.authorizer.check(
      this.principal,
      resource,
      action,
      subject,
    );
    if (!allowed) throw new GatewayError("forbidden", `This key may not do that: ${reason}.`);
  }

  /** True when a permission reaches every object of the organization. */
  mayAll(resource: Resource, action: Action): boolean {
    return this.may(resource, action, { orgId: this.orgId });
  }

  /** How records name the caller: `master`, or the key by its public handle. */
  get actor(): string {
    const { kind, keyHandle, userId } = this.principal;
    if (kind === "master") return "master";
    if (keyHandle !== undefined) return `key:${keyHandle}`;
    return userId === undefined ? kind : `user:${userId}`;
  }

  /** Applies a change with its audit records, durably, exactly once; a taken name is a 409. */
  async commit(commit: Commit): Promise<void> {
    const orgId = commit.orgId ?? this.orgId;
    const events = commit.events.map((event) => this.#record(orgId, event));
    const applied = await this.deps.control(orgId).apply({
      id: `chg_${timeOrderedId(this.now)}`,
      statements: commit.statements,
      touches: await this.#touches(orgId, commit.touches),
      events,
    });
    if (applied.ok) return;
    const param = CONFLICTS[applied.conflict];
    throw new GatewayError(
      "conflict",
      param === undefined ? "This exists already." : `This ${param} is taken already.`,
      { param },
    );
  }

  /** Isolates ask for customers' limits only where any has one: the first has to reach them all. */
  async #touches(orgId: string, touches: string[]): Promise<string[]> {
    if (touches.includes("shared") || !touches.some((name) => name.startsWith("customer:"))) {
      return touches;
    }
    return (await limitsCustomers(this.deps.db, orgId)) ? touches : ["shared", ...touches];
  }

  #record(orgId: string, event: ChangeEvent): AuditRecord {
    const { keyHandle, userId } = this.principal;
    return {
      eventId: `evt_${timeOrderedId(this.now)}`,
      type: event.type,
      at: this.now,
      orgId,
      teamId: event.teamId,
      keyHandle,
      actor: this.actor,
      requestId: this.caller.requestId,
      data: changeRecord(event, {
        user: userId ?? this.actor,
        keyHandle: keyHandle ?? null,
      }),
    };
  }
}
