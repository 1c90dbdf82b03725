import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  Action,
  KeyType,
  Principal,
  Resource,
  Role,
  Subject,
} from "../../../worker/core/principal.ts";
import { ROLE_GRANTS, RoleAuthorizer, ownerId } from "../../../worker/policy/authz/roles.ts";

const RESOURCES: Resource[] = [
  "inference",
  "key",
  "organization",
  "member",
  "team",
  "user",
  "customer",
  "model",
  "credential",
  "budget",
  "policy",
  "feature",
  "spend",
  "billing",
  "audit",
  "integration",
  "platform",
];
const ACTIONS: Action[] = ["call", "read", "write", "create", "delete"];
const ROLES = Object.keys(ROLE_GRANTS) as Role[];
const KEY_TYPES: KeyType[] = ["default", "llm_api", "management", "read_only"];

// The table of the contract, typed in a second time and by hand: resource → role → what it says.
// `o` own objects, `t` own team, `a` all of the organization, `p` platform; r read, w everything else.
const TABLE: Record<string, Record<string, string>> = {
  inference: {
    platform_admin: "call",
    admin: "call",
    team_admin: "call",
    developer: "call",
    auditor: "-",
    finance: "-",
  },
  key: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "rwt",
    developer: "rwo",
    auditor: "ra",
    finance: "ra",
  },
  organization: {
    platform_admin: "rwp",
    admin: "rwa",
    team_admin: "-",
    developer: "-",
    auditor: "ra",
    finance: "ra",
  },
  member: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "rwt",
    developer: "-",
    auditor: "ra",
    finance: "-",
  },
  team: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "rwt",
    developer: "rt",
    auditor: "ra",
    finance: "ra",
  },
  customer: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "rwt",
    developer: "-",
    auditor: "ra",
    finance: "ra",
  },
  model: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "ra",
    developer: "ra",
    auditor: "ra",
    finance: "-",
  },
  credential: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "-",
    developer: "-",
    auditor: "-",
    finance: "-",
  },
  budget: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "rwt",
    developer: "ro",
    auditor: "ra",
    finance: "ra",
  },
  policy: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "ra",
    developer: "ra",
    auditor: "ra",
    finance: "-",
  },
  spend: {
    platform_admin: "ra",
    admin: "ra",
    team_admin: "rt",
    developer: "ro",
    auditor: "ra",
    finance: "ra",
  },
  billing: {
    platform_admin: "rwa",
    admin: "ra",
    team_admin: "-",
    developer: "-",
    auditor: "ra",
    finance: "ra",
  },
  audit: {
    platform_admin: "ra",
    admin: "ra",
    team_admin: "-",
    developer: "-",
    auditor: "ra",
    finance: "-",
  },
  integration: {
    platform_admin: "rwa",
    admin: "rwa",
    team_admin: "-",
    developer: "-",
    auditor: "ra",
    finance: "-",
  },
  platform: {
    platform_admin: "rwp",
    admin: "-",
    team_admin: "-",
    developer: "-",
    auditor: "-",
    finance: "-",
  },
};

const me = (role: Role, keyType: KeyType = "default"): Principal => ({
  kind: "key",
  orgId: "gA",
  keyId: "k1",
  teamId: "t1",
  userId: "u1",
  role,
  keyType,
});
const SUBJECTS: Record<string, Subject> = {
  o: { orgId: "gA", teamId: "t9", userId: "u1" },
  t: { orgId: "gA", teamId: "t1", userId: "u9" },
  a: { orgId: "gA", teamId: "t9", userId: "u9" },
  p: { orgId: "gB", teamId: "t1", userId: "u1" },
};
const WIDTH = "otap";
const authorizer = new RoleAuthorizer();

describe("RoleAuthorizer", () => {
  it("answers as the table of roles says, cell by cell, for own, team, foreign-team and foreign-org objects", () => {
    for (const [resource, row] of Object.entries(TABLE)) {
      for (const [role, cell] of Object.entries(row)) {
        for (const [width, subject] of Object.entries(SUBJECTS)) {
          const within = WIDTH.indexOf(width) <= WIDTH.indexOf(cell.at(-1) ?? "");
          const asked = (action: Action) =>
            authorizer.check(me(role as Role), resource as Resource, action, subject).allowed;
          const where = `${role} ${resource} ${width}`;
          if (cell === "call") {
            expect(asked("call"), where).toBe(width !== "p");
            expect(
              ACTIONS.filter((action) => action !== "call" && asked(action)),
              where,
            ).toEqual([]);
            continue;
          }
          expect(asked("read"), where).toBe(cell.includes("r") && within);
          expect(asked("write"), where).toBe(cell.includes("w") && within);
          expect(asked("call"), where).toBe(false);
        }
      }
    }
  });

  it("lets only the platform admin create or delete organizations, and a team admin no team", () => {
    const who = (resource: Resource, action: Action) =>
      ROLES.filter(
        (role) => authorizer.check(me(role), resource, action, SUBJECTS["t"] as Subject).allowed,
      );
    expect(who("organization", "create")).toEqual(["platform_admin"]);
    expect(who("organization", "delete")).toEqual(["platform_admin"]);
    expect(who("team", "create")).toEqual(["platform_admin", "admin"]);
    expect(who("user", "create")).toEqual(["platform_admin", "admin"]);
  });

  it("narrows by key type and never widens", () => {
    for (const role of ROLES) {
      for (const resource of RESOURCES) {
        for (const action of ACTIONS) {
          const subject = SUBJECTS["o"] as Subject;
          const plain = authorizer.check(me(role), resource, action, subject).allowed;
          for (const keyType of KEY_TYPES) {
            const { allowed } = authorizer.check(me(role, keyType), resource, action, subject);
            if (allowed) expect(plain).toBe(true);
            if (keyType === "llm_api" && allowed) expect(resource).toBe("inference");
            if (keyType === "read_only" && allowed) expect(action).toBe("read");
            if (keyType === "management" && allowed) expect(resource).not.toBe("inference");
          }
        }
      }
    }
  });

  it("denies whatever has no row, with a reason, whatever the names are", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "admin")),
        fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "key")),
        fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "read")),
        (role, resource, action) => {
          const known =
            ROLES.includes(role as Role) &&
            RESOURCES.includes(resource as Resource) &&
            ACTIONS.includes(action as Action);
          const answer = authorizer.check(
            me(role as Role),
            resource as Resource,
            action as Action,
            SUBJECTS["o"] as Subject,
          );
          if (!known) expect(answer.allowed).toBe(false);
          expect(answer.reason).not.toBe("");
        },
      ),
    );
    expect(
      authorizer.check(me("admin", "odd" as KeyType), "key", "read", { orgId: "gA" }).allowed,
    ).toBe(false);
  });

  it("takes a key without a user for the owner of itself alone", () => {
    const machine: Principal = {
      kind: "key",
      orgId: "gA",
      keyId: "k1",
      role: "member",
      keyType: "default",
    };
    const check = (userId?: string) =>
      authorizer.check(machine, "key", "read", { orgId: "gA", userId }).allowed;
    expect(ownerId(machine)).toBe("key:k1");
    expect(check("key:k1")).toBe(true);
    expect(check("key:k2")).toBe(false);
    expect(check(undefined)).toBe(false);
    const nobody: Principal = {
      kind: "service",
      orgId: "gA",
      role: "developer",
      keyType: "default",
    };
    expect(authorizer.check(nobody, "key", "read", { orgId: "gA" }).allowed).toBe(false);
  });
});
