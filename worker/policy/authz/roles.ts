import type {
  Action,
  Authorizer,
  KeyType,
  Principal,
  Resource,
  Role,
  Subject,
} from "../../core/principal.ts";

/**
 * How far a grant reaches: every organization, the principal's own organization, objects of the principal's team,
 * or objects that belong to the principal.
 */
export type Reach = "platform" | "org" | "team" | "own";

/** Actions of one resource, as `action: reach`; what is not named is denied. */
export type Grant = Partial<Record<Action, Reach>>;

/** What one role may do; what is not named is denied. */
export type Grants = Partial<Record<Resource, Grant>>;

const all = (reach: Reach): Grant => ({ read: reach, write: reach, create: reach, delete: reach });
const read = (reach: Reach): Grant => ({ read: reach });
const edit = (reach: Reach): Grant => ({ read: reach, write: reach });
const CALL: Grant = { call: "org" };

/**
 * The matrix of roles (rows of the documented table, turned by role). Custom roles and the external engine answer the
 * same question through the same port; nothing outside this folder knows a role's rights.
 */
export const ROLE_GRANTS: Readonly<Record<Role, Grants>> = {
  platform_admin: {
    inference: CALL,
    key: all("org"),
    organization: all("platform"),
    member: all("org"),
    team: all("org"),
    user: all("org"),
    customer: all("org"),
    model: all("org"),
    credential: all("org"),
    budget: all("org"),
    policy: all("org"),
    feature: all("org"),
    spend: read("org"),
    billing: all("org"),
    audit: read("org"),
    integration: all("org"),
    platform: all("platform"),
  },
  admin: {
    inference: CALL,
    key: all("org"),
    organization: edit("org"),
    member: all("org"),
    team: all("org"),
    user: all("org"),
    customer: all("org"),
    model: all("org"),
    credential: all("org"),
    budget: all("org"),
    policy: all("org"),
    feature: all("org"),
    spend: read("org"),
    billing: read("org"),
    audit: read("org"),
    integration: all("org"),
  },
  team_admin: {
    inference: CALL,
    key: all("team"),
    member: all("team"),
    team: edit("team"),
    user: read("own"),
    customer: all("team"),
    model: read("org"),
    budget: all("team"),
    policy: read("org"),
    feature: read("org"),
    spend: read("team"),
  },
  developer: {
    inference: CALL,
    key: all("own"),
    team: read("team"),
    user: read("own"),
    model: read("org"),
    budget: read("own"),
    policy: read("org"),
    feature: read("org"),
    spend: read("own"),
  },
  auditor: {
    key: read("org"),
    organization: read("org"),
    member: read("org"),
    team: read("org"),
    user: read("org"),
    customer: read("org"),
    model: read("org"),
    budget: read("org"),
    policy: read("org"),
    feature: read("org"),
    spend: read("org"),
    billing: read("org"),
    audit: read("org"),
    integration: read("org"),
  },
  finance: {
    key: read("org"),
    organization: read("org"),
    team: read("org"),
    user: read("own"),
    customer: read("org"),
    budget: read("org"),
    spend: read("org"),
    billing: read("org"),
  },
  viewer: {
    key: read("own"),
    user: read("own"),
    spend: read("own"),
  },
  member: {
    inference: CALL,
    key: read("own"),
    team: read("team"),
    user: read("own"),
    spend: read("own"),
  },
};

/** What a key's type leaves of its role; a type only narrows. */
const KEY_TYPES: Readonly<Record<KeyType, (resource: Resource, action: Action) => boolean>> = {
  default: () => true,
  llm_api: (resource) => resource === "inference",
  management: (resource) => resource !== "inference",
  read_only: (_, action) => action === "read",
};

/**
 * The id that "own" is compared with: the user behind the credential or, for a key without a user, the key itself
 * as `key:<id>` (no user id may have that form).
 */
export function ownerId(principal: Principal): string | undefined {
  if (principal.userId !== undefined) return principal.userId;
  return principal.keyId === undefined ? undefined : `key:${principal.keyId}`;
}

/** The principal of the master key, acting in an organization. */
export function masterPrincipal(orgId: string): Principal {
  return { kind: "master", orgId, keyType: "default", role: "platform_admin" };
}

function reaches(reach: Reach, principal: Principal, subject: Subject): boolean {
  if (reach === "platform") return true;
  if (subject.orgId !== principal.orgId) return false;
  if (reach === "org") return true;
  const owner = ownerId(principal);
  if (owner !== undefined && subject.userId === owner) return true;
  return reach === "team" && subject.teamId !== undefined && subject.teamId === principal.teamId;
}

/** Decides by `ROLE_GRANTS` and the key's type; whatever no row allows is denied. */
export class RoleAuthorizer implements Authorizer {
  check(
    principal: Principal,
    resource: Resource,
    action: Action,
    subject: Subject,
  ): { allowed: boolean; reason: string } {
    const asked = `${resource}:${action}`;
    if (!own(KEY_TYPES, principal.keyType)?.(resource, action)) {
      return deny(`a key of type ${principal.keyType} may not do ${asked}`);
    }
    const reach = own(own(own(ROLE_GRANTS, principal.role), resource), action);
    if (reach === undefined) return deny(`the role ${principal.role} may not do ${asked}`);
    if (!reaches(reach, principal, subject)) {
      return deny(`the role ${principal.role} may do ${asked} only for its ${SCOPE[reach]}`);
    }
    return { allowed: true, reason: `${principal.role} ${asked} ${reach}` };
  }
}

const REACHES: readonly Reach[] = ["own", "team", "org", "platform"];

/** True when a role may do nothing that the other may not: who makes keys or users can hand on no more than that. */
export function roleWithin(inner: Role, outer: Role): boolean {
  return Object.entries(ROLE_GRANTS[inner]).every(([resource, grant]) =>
    Object.entries(grant).every(([action, reach]) => {
      const other = ROLE_GRANTS[outer][resource as Resource]?.[action as Action];
      return other !== undefined && REACHES.indexOf(reach) <= REACHES.indexOf(other);
    }),
  );
}

/**
 * The role that a user's key of a team carries: the user's own, or that of a team admin where the user administers this
 * team and loses nothing by it. A key of nobody is a member.
 */
export function roleOf(
  user: { role: Role; adminOf?: readonly string[] } | null,
  teamId: string | undefined,
): Role {
  if (user === null) return "member";
  const leads = teamId !== undefined && user.adminOf?.includes(teamId) === true;
  return leads && roleWithin(user.role, "team_admin") ? "team_admin" : user.role;
}

const SCOPE: Record<Reach, string> = {
  platform: "platform",
  org: "own organization",
  team: "own team",
  own: "own objects",
};

function deny(reason: string): { allowed: false; reason: string } {
  return { allowed: false, reason };
}

/** Reads a table by a name that came from a record: inherited members are no rows. */
function own<T extends object, K extends keyof T>(table: T | undefined, name: K): T[K] | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}
