/** What a role may do stands as data in `policy/authz/roles.ts`; these are its names. */
export type Role =
  | "platform_admin"
  | "admin"
  | "team_admin"
  | "developer"
  | "auditor"
  | "finance"
  | "viewer"
  | "member";

/** What a key is for: everything its role may, model calls alone, management alone, or reading alone. */
export type KeyType = "default" | "llm_api" | "management" | "read_only";

/** Who is asking, once a credential proved it. Plain data; safe to keep for as long as the request runs. */
export interface Principal {
  kind: "master" | "key" | "session" | "service";
  /** Bare org id. */
  orgId: string;
  keyId?: string;
  /** Public handle of the key (`sha256:…`), from which the key can be neither derived nor tested. */
  keyHandle?: string;
  keyType: KeyType;
  teamId?: string;
  userId?: string;
  /** The role that the credential carries in its org. */
  role: Role;
}

/** How records name who asked: `key:<handle>`, or the kind of principal (`master`). */
export function actorOf({ kind, keyHandle }: Pick<Principal, "kind" | "keyHandle">): string {
  return keyHandle === undefined ? kind : `key:${keyHandle}`;
}

/** Resources and actions that the `Authorizer` decides on; a data-plane call is `inference:call`. */
export type Resource =
  | "inference"
  | "key"
  | "organization"
  | "member"
  | "team"
  | "user"
  | "customer"
  | "model"
  | "credential"
  | "budget"
  | "policy"
  | "feature"
  | "spend"
  | "billing"
  | "audit"
  | "integration"
  | "platform";

export type Action = "call" | "read" | "write" | "create" | "delete";

/** The object that is acted on, as far as the decision needs it. */
export interface Subject {
  orgId: string;
  teamId?: string;
  userId?: string;
}

/** Decides; never throws. Anything that no row allows is denied. */
export interface Authorizer {
  check(
    principal: Principal,
    resource: Resource,
    action: Action,
    subject: Subject,
  ): { allowed: boolean; reason: string };
}
