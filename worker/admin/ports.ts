import type { LedgerPort } from "../core/account.ts";
import type { AuditLogPort } from "../core/audit.ts";
import type { Authorized } from "../core/call.ts";
import type { DeliveriesPort } from "../core/delivery.ts";
import type { HealthObjectPort } from "../core/health.ts";
import type { LearningObjectPort } from "../core/learning.ts";
import type { NoteKey } from "../core/sealed-log/note.ts";
import type { Deps } from "../core/ports.ts";
import type { Explanation } from "../core/routing.ts";
import type { SignedKeys } from "../store/signed-key.ts";
import type { InvitationTokens } from "../store/invitation-token.ts";
import type { Db } from "../store/database.ts";
import type { IssuedKey } from "../store/key-verifier.ts";
import type { AuditArchive } from "../store/audit-archive.ts";
import type { PolicyArchive } from "../store/policy-archive.ts";
import type { RotatingVault } from "../store/vault.ts";

/** What operations need beyond the request path's world. */
export interface AdminDeps extends Deps {
  /** The record; operations read it and write only through `control`. */
  db: Db;
  /** The books of a team, for what they show. */
  books: (orgId: string, teamId: string) => Pick<LedgerPort, "spend">;
  /** An organization's log, and the objects that it is sealed in. */
  auditLog: (orgId: string) => AuditLogPort;
  auditArchive: (orgId: string) => Pick<AuditArchive, "read" | "list" | "create">;
  /** Whose cosignatures of checkpoints are taken. */
  witnesses: readonly NoteKey[];
  /** What an organization's webhook has not taken. */
  deliveries: (orgId: string) => DeliveriesPort;
  /** What is known together of an organization's deployments. */
  healthObject: (orgId: string) => HealthObjectPort;
  /** What an organization's smart router has learned. */
  learningObject: (orgId: string) => LearningObjectPort;
  /** Where policy bundles lie. */
  policyArchive: PolicyArchive;
  /** What the routers would make of a request that is not made; pure but for the world it reads. */
  previewRouters: (
    deps: Deps,
    call: Authorized,
  ) => Pick<Explanation, "smart" | "auto"> & { refused?: { code: string; message: string } };
  /** Makes a virtual key of an organization; its row is the operation's to write. */
  issueKey: (orgId: string) => Promise<IssuedKey>;
  /** Makes another token of a known key; replacing the one in its row is the operation's to do. */
  reissueKey: (orgId: string, keyId: string) => Promise<IssuedKey>;
  signedKeys: SignedKeys;
  invitationTokens: InvitationTokens;
  /** The current versions of what can be rotated, and the way to bring a credential to the current one. */
  rotation: { kek: number; pepper: number; rewrap: RotatingVault["rewrap"] };
}
