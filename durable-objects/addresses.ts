import type { AuditLogPort } from "../worker/core/audit.ts";
import { hashOf } from "../worker/core/scope.ts";
import type { LedgerPort } from "../worker/core/account.ts";
import { GatewayError } from "../worker/core/errors.ts";
import { isOrgId, REGIONS } from "../worker/core/ids.ts";
import type { Region, RegionLetter } from "../worker/core/ids.ts";
import type { DeliveriesPort, DeliveryPort } from "../worker/core/delivery.ts";
import type { HealthObjectPort } from "../worker/core/health.ts";
import type { LearningObjectPort } from "../worker/core/learning.ts";
import type { OrgControlPort } from "../worker/core/ports.ts";
import { makePolicyArchive, type PolicyArchive } from "../worker/store/policy-archive.ts";
import { makeAuditArchive } from "../worker/store/audit-archive.ts";
import type { AuditArchive } from "../worker/store/audit-archive.ts";
import type { KeyCheckPort } from "../worker/store/key-verifier.ts";
import type { Answer } from "./answer.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Delivery } from "./delivery.ts";
import type { KeyCheck } from "./key-check.ts";
import type { Ledger } from "./ledger.ts";
import type { OrgControl } from "./org-control.ts";
import type { SmartLearning } from "./smart-learning.ts";
import type { ProviderHealth } from "./provider-health.ts";

// Where an organization's state lives, derived from its id alone. An object's jurisdiction is part of
// its id and never changes: what this file answers for an organization may never change either.

/** Key-check objects per organization; raising it only moves what they have in memory. */
const KEY_CHECK_SHARDS = 8;

const JURISDICTIONS: Partial<Record<Region, DurableObjectJurisdiction>> = {
  eu: "eu",
  fedramp: "fedramp",
};

function regionOf(orgId: string): Region {
  if (!isOrgId(orgId)) throw new TypeError("An address needs a bare organization id.");
  return REGIONS[orgId[0] as RegionLetter];
}

export function orgControlName(orgId: string): string {
  return `org-control/${orgId}`;
}

export function keyCheckName(orgId: string, keyId: string): string {
  return `key-check/${orgId}/${hashOf(keyId) % KEY_CHECK_SHARDS}`;
}

/** `home`: a team's id, or a name of `homeOf` for what spans teams. */
export function ledgerName(orgId: string, home: string): string {
  return `ledger/${orgId}/${home}`;
}

export function auditLogName(orgId: string): string {
  return `audit-log/${orgId}`;
}

function providerHealthName(orgId: string): string {
  return `provider-health/${orgId}`;
}

function deliveryName(orgId: string): string {
  return `delivery/${orgId}`;
}

export function smartLearningName(orgId: string): string {
  return `smart-learning/${orgId}`;
}

/** Prefix of an organization's objects in R2; the region stands first, so that a bucket can be split by it. */
export function archivePrefix(orgId: string): string {
  return `${regionOf(orgId)}/${orgId}/`;
}

/** Prefix of an organization's entries in KV. */
export function kvPrefix(orgId: string): string {
  return `${regionOf(orgId)}:${orgId}:`;
}

/** Where policy bundles lie, under each organization's own prefix. */
export function policyArchive(env: Env): PolicyArchive {
  return makePolicyArchive({ kv: env.KV, r2: env.ARCHIVE, kvPrefix, archivePrefix });
}

/** The organization's control object. What it can't answer becomes a refusal without a detail. */
export function orgControl(env: Env, orgId: string): OrgControlPort {
  const stub = () => objectOf<OrgControl>(env, env.ORG_CONTROL, orgId, orgControlName(orgId));
  return {
    open: (keyId, revision, have) => asked(() => stub().open(orgId, keyId, revision, have)),
    async keepBundle(hash, text) {
      await asked(() => stub().keepBundle(orgId, hash, text));
    },
    sync: (revision) => asked(() => stub().sync(orgId, revision)),
    apply: (change) => asked(() => stub().apply(orgId, change)),
  };
}

/** The object that proves one key. */
export function keyCheck(env: Env, orgId: string, keyId: string): KeyCheckPort {
  const stub = () => objectOf<KeyCheck>(env, env.KEY_CHECK, orgId, keyCheckName(orgId, keyId));
  return {
    verify: (digests, address) => asked(() => stub().verify(orgId, keyId, digests, address)),
    hash: (digest) => asked(() => stub().hash(digest)),
  };
}

/** What is known together of the organization's deployments. */
export function providerHealth(env: Env, orgId: string): HealthObjectPort {
  const name = providerHealthName(orgId);
  const stub = () => objectOf<ProviderHealth>(env, env.PROVIDER_HEALTH, orgId, name);
  return {
    sync: (message) => asked(() => stub().sync(message)),
    probe: (isolate, cells) => asked(() => stub().probe(isolate, cells)),
    async expect(deployments) {
      await asked(() => stub().expect(deployments));
    },
    async checked(checks, rules, accepted) {
      await asked(() => stub().checked(checks, rules, accepted));
    },
    view: () => asked(() => stub().view()),
    history: (request) => asked(() => stub().history(request)),
  };
}

/** Who an organization tells of its events, and what of them has not been delivered. */
export function delivery(env: Env, orgId: string): DeliveryPort & DeliveriesPort {
  const stub = () => objectOf<Delivery>(env, env.DELIVERY, orgId, deliveryName(orgId));
  return {
    async tell(events) {
      await asked(() => stub().tell(events));
    },
    undelivered: (status, limit) => asked(() => stub().undelivered(status, limit)),
    countOf: (eventIds) => asked(() => stub().countOf(eventIds)),
    async resend(eventIds) {
      await asked(() => stub().resend(eventIds));
    },
  };
}

/** What the organization's smart router learns with. */
export function smartLearning(env: Env, orgId: string): LearningObjectPort {
  const name = smartLearningName(orgId);
  const stub = () => objectOf<SmartLearning>(env, env.SMART_LEARNING, orgId, name);
  return {
    async observe(rows) {
      await asked(() => stub().observe(rows));
    },
    judge: (judgement) => asked(() => stub().judge(judgement)),
    snapshot: (version) => asked(() => stub().snapshot(version)),
    versions: () => asked(() => stub().versions()),
    revert: (version) => asked(() => stub().revert(version)),
  };
}

/** The books of one team, or of what spans teams. What they can't answer becomes a refusal; what it did is not known then. */
export function ledger(env: Env, orgId: string, home: string): LedgerPort {
  const stub = () => objectOf<Ledger>(env, env.LEDGER, orgId, ledgerName(orgId, home));
  return {
    hold: (message) => asked(() => stub().hold(message)),
    async return(message) {
      await asked(() => stub().return(message));
    },
    settle: (rows) => asked(() => stub().settle(rows)),
    settleAbandoned: (decision) => asked(() => stub().settleAbandoned(decision)),
    single: (message) => asked(() => stub().single(message)),
    async debit(debits) {
      await asked(() => stub().debit(debits));
    },
    async spent(messages) {
      await asked(() => stub().spent(messages));
    },
    define: (definitions) => asked(() => stub().define(definitions)),
    spend: (scopes) => asked(() => stub().spend(scopes)),
  };
}

/** The objects that an organization's log is sealed in. */
export function auditArchive(env: Env, orgId: string): AuditArchive {
  return makeAuditArchive(env.ARCHIVE, archivePrefix(orgId));
}

/** The organization's log. An append that the object did not answer says of each record that it may not be durable. */
export function auditLog(env: Env, orgId: string): AuditLogPort {
  const stub = () => objectOf<AuditLog>(env, env.AUDIT_LOG, orgId, auditLogName(orgId));
  return {
    append: (records) =>
      asked(() => stub().append(orgId, records)).catch(() =>
        records.map(() => ({ ok: false, reason: "the log gave no answer" })),
      ),
    list: (query) => asked(() => stub().list(orgId, query)),
    stand: (seal) => asked(() => stub().stand(orgId, seal)),
    proof: (eventId) => asked(() => stub().proof(orgId, eventId)),
    segments: (from, to) => asked(() => stub().segments(orgId, from, to)),
    unlink: (kind, id) => asked(() => stub().unlink(orgId, kind, id)),
  };
}

/**
 * A stub of this request (PLATFORM 3). It is typed as the class, since what our objects take and return is plain data:
 * the platform's own types for it unfold recursive JSON without end.
 */
function objectOf<T>(env: Env, namespace: DurableObjectNamespace, orgId: string, name: string): T {
  const jurisdiction = JURISDICTIONS[regionOf(orgId)];
  const home =
    jurisdiction === undefined || env.PROFILE === "self-hosted"
      ? namespace
      : namespace.jurisdiction(jurisdiction);
  return home.get(home.idFromName(name)) as unknown as T;
}

async function asked<T>(call: () => Promise<Answer<T>>): Promise<T> {
  const answer = await call().catch((cause: unknown): Answer<T> => ({ fault: String(cause) }));
  if ("value" in answer) return answer.value;
  const cause = answer.fault;
  if (cause === "RefusedChange") {
    throw new GatewayError("internal_error", "The change could not be stored.", { cause });
  }
  const unsealed = UNSEALED[cause];
  if (unsealed !== undefined) throw new GatewayError("audit_unavailable", unsealed, { cause });
  throw new GatewayError("control_plane_unavailable", "The control plane can't be reached now.", {
    retryAfter: 1,
    cause,
  });
}

/** Why a log can't be sealed until somebody does something about it, by the fault's name. */
const UNSEALED: Readonly<Record<string, string>> = {
  ArchiveAhead:
    "The audit log is not sealed: its archive and its own state are not of the same day, one of them was restored from a backup. The gateway's logs say what to do (audit log not sealed). Records are taken all the same.",
  ArchiveDiffers:
    "The audit log is not sealed: an object in its archive is not what was written. The gateway's logs name it (audit log not sealed). Records are taken all the same.",
  SigningKeyDiffers:
    "The audit log is not sealed: AUDIT_SIGNING_KEY is not the key that it was sealed with. The gateway's logs say what to do (audit log not sealed). Records are taken all the same.",
};
