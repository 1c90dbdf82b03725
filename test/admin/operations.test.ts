import { validate } from "@readme/openapi-parser";
import { describe, expect, it } from "vitest";
import { endpoints } from "../../worker/admin/documents.ts";
import { openApi } from "../../worker/admin/openapi.ts";
import { OPERATIONS } from "../../worker/admin/operations/index.ts";
import { AUDIT_EVENTS } from "../../worker/core/audit.ts";
import { ERROR_KINDS } from "../../worker/core/errors.ts";
import type { Role } from "../../worker/core/principal.ts";
import { ROLE_GRANTS } from "../../worker/policy/authz/roles.ts";
import { MASTER, openWorld, type World } from "./world.ts";

/** A fitting input of each operation, in a world with a team `t`, a user `ada`. */
const INPUTS: Record<string, Record<string, unknown>> = {
  "organization.new": { organization_alias: "other" },
  "organization.list": {},
  "organization.info": {},
  "team.new": { team_alias: "new" },
  "team.list": {},
  "team.info": { team_id: "t" },
  "user.new": { user_id: "new", user_role: "internal_user_viewer" },
  "user.list": {},
  "user.info": { user_id: "ada" },
  "key.generate": { team_id: "t" },
  "key.list": {},
  "key.info": { key: "of-ada" },
  "key.token": { key: "of-ada" },
  "key_encryption.rotate": {},
  "key_encryption.status": {},
  "model.new": {
    model_name: "m",
    litellm_params: { model: "openai/gpt-4o", api_key: "sk-up-1234567890abcd" },
  },
  "model.info": {},
  "model.groups": {},
};

// Who gets what, written down by hand from the table of roles. Team and key `of-ada` are the caller's own in column
// `own`; 200 done, 403 not for this role, 404 not to be seen.
const EXPECTED: Record<string, Partial<Record<Role, number>>> = {
  "organization.new": { platform_admin: 200 },
  "organization.list": { platform_admin: 200, admin: 200, auditor: 200, finance: 200 },
  "organization.info": { platform_admin: 200, admin: 200, auditor: 200, finance: 200 },
  "team.new": { platform_admin: 200, admin: 200 },
  "team.list": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
    finance: 200,
    member: 200,
  },
  "team.info": {
    platform_admin: 200,
    admin: 200,
    team_admin: 404,
    developer: 404,
    auditor: 200,
    finance: 200,
    member: 404,
  },
  "user.new": { platform_admin: 200, admin: 200 },
  "user.list": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
    finance: 200,
    viewer: 200,
    member: 200,
  },
  "user.info": {
    platform_admin: 200,
    admin: 200,
    team_admin: 404,
    developer: 404,
    auditor: 200,
    finance: 404,
    viewer: 404,
    member: 404,
  },
  "key.generate": { platform_admin: 200, admin: 200, team_admin: 404, developer: 404 },
  "key.list": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
    finance: 200,
    viewer: 200,
    member: 200,
  },
  "key.info": {
    platform_admin: 200,
    admin: 200,
    team_admin: 404,
    developer: 404,
    auditor: 200,
    finance: 200,
    viewer: 404,
    member: 404,
  },
  // One key never speaks for another, whatever its role.
  "key.token": { platform_admin: 404, admin: 404, team_admin: 404, developer: 404, member: 404 },
  "key_encryption.rotate": { platform_admin: 200 },
  "key_encryption.status": { platform_admin: 200, admin: 200 },
  "model.new": { platform_admin: 200, admin: 200 },
  "model.info": { platform_admin: 200, admin: 200, team_admin: 200, developer: 200, auditor: 200 },
  "model.groups": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
  },
};
/** The same for callers whose own team is `t` and who are ada. */
const OWN: Record<string, Partial<Record<Role, number>>> = {
  "team.info": { team_admin: 200, developer: 200, member: 200 },
  "user.info": { team_admin: 200, developer: 200, finance: 200, viewer: 200, member: 200 },
  "key.generate": { team_admin: 200, developer: 200 },
  "key.info": { team_admin: 200, developer: 200, viewer: 200, member: 200 },
  "key.token": { platform_admin: 200, admin: 200, team_admin: 200, developer: 200, member: 200 },
};

async function seeded(): Promise<World> {
  const world = openWorld();
  await world.make("/organization/new", { organization_alias: "acme" });
  await world.make("/team/new", { team_alias: "t", team_id: "t" });
  await world.make("/team/new", { team_alias: "elsewhere", team_id: "elsewhere" });
  return world;
}

async function keyOf(world: World, role: Role, user: string, team: string, more = {}) {
  const { key } = await world.make("/user/new", {
    user_id: user,
    user_role: role,
    teams: [team],
    ...more,
  });
  return String(key);
}

function ask(world: World, id: string, key: string) {
  const [route] = OPERATIONS.find((each) => each.id === id)?.http ?? [];
  if (!route) throw new Error(`no operation ${id}`);
  const input = INPUTS[id] ?? {};
  if (route.method !== "GET") return world.call(key, route.method, route.path, input);
  const query = new URLSearchParams(input as Record<string, string>).toString();
  return world.call(key, "GET", query === "" ? route.path : `${route.path}?${query}`);
}

describe("operations", () => {
  it("are each named in the tables of this test", () => {
    const ids = OPERATIONS.map((each) => each.id).toSorted();
    expect(Object.keys(EXPECTED).toSorted()).toEqual(ids);
    expect(Object.keys(INPUTS).toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("answer every role as the table says, and write nothing where they refuse", async () => {
    for (const role of Object.keys(ROLE_GRANTS) as Role[]) {
      const world = await seeded();
      await world.make("/user/new", { user_id: "ada", teams: ["t"], key_alias: "of-ada" });
      const key = await keyOf(world, role, "caller", "elsewhere");
      for (const [id, row] of Object.entries(EXPECTED)) {
        const before = world.rows();
        const answer = await ask(world, id, key);
        expect(answer.status, `${role} ${id} ${JSON.stringify(answer.body)}`).toBe(
          row[role] ?? 403,
        );
        if (answer.status !== 200) expect(world.rows(), `${role} ${id}`).toBe(before);
      }
    }
  });

  it("answer for the caller's own team, user and keys where the role reaches those", async () => {
    for (const role of Object.keys(ROLE_GRANTS) as Role[]) {
      const world = await seeded();
      const key = await keyOf(world, role, "ada", "t", { key_alias: "of-ada" });
      for (const [id, row] of Object.entries(OWN)) {
        const answer = await ask(world, id, key);
        const expected = row[role] ?? EXPECTED[id]?.[role] ?? 403;
        expect(answer.status, `${role} ${id} ${JSON.stringify(answer.body)}`).toBe(expected);
      }
    }
  });

  it("never let an llm_api key in, and let a read_only key read", async () => {
    const world = await seeded();
    await world.make("/user/new", { user_id: "ada", key_alias: "of-ada" });
    const inference = await keyOf(world, "admin", "bot", "t", { key_type: "llm_api" });
    const reader = await keyOf(world, "admin", "eye", "t", { key_type: "read_only" });
    for (const operation of OPERATIONS) {
      expect((await ask(world, operation.id, inference)).status, operation.id).toBe(403);
      const read = operation.permission.action === "read" ? 200 : 403;
      expect((await ask(world, operation.id, reader)).status, operation.id).toBe(read);
    }
  });

  it("put their audit event into the change they make, and only then", async () => {
    const world = await seeded();
    await world.make("/user/new", { user_id: "ada", key_alias: "of-ada" });
    for (const operation of OPERATIONS) {
      world.changes.length = 0;
      const answer = await ask(world, operation.id, MASTER);
      expect(answer.status, operation.id).toBe(200);
      const written = world.changes.flatMap((change) => change.events);
      if (operation.event === null) {
        expect(world.changes, operation.id).toEqual([]);
        expect(operation.permission.action).toBe("read");
        continue;
      }
      expect(world.changes.length, operation.id).toBe(1);
      expect(written[0]).toMatchObject({ type: operation.event, actor: "master" });
      expect(written[0]?.requestId).toBe(answer.headers["x-routero-call-id"]);
      for (const event of written) expect(AUDIT_EVENTS).toContain(event.type);
      expect(JSON.stringify(world.changes.map((change) => change.events))).not.toContain("sk-");
    }
  });

  it("answer in the form that the documents show", async () => {
    const world = await seeded();
    await world.make("/user/new", { user_id: "ada", key_alias: "of-ada", teams: ["t"] });
    for (const operation of OPERATIONS) {
      const { body } = await ask(world, operation.id, MASTER);
      const read = operation.output.safeParse(body);
      expect(read.error?.issues ?? [], operation.id).toEqual([]);
      const example = operation.output.safeParse(operation.example.output);
      expect(example.error?.issues ?? [], operation.id).toEqual([]);
      const input = operation.input.safeParse(operation.example.input);
      expect(input.error?.issues ?? [], operation.id).toEqual([]);
    }
  });
});

describe("documents", () => {
  it("make a valid OpenAPI 3.1 document", async () => {
    const document = openApi();
    const result = await validate(structuredClone(document) as never);
    expect(result).toMatchObject({ valid: true });
  });

  it("say of every endpoint who may call it, what it is for, an example and its refusals", () => {
    const documents = endpoints();
    for (const operation of OPERATIONS)
      expect(documents.some((each) => each.id === operation.id)).toBe(true);
    for (const each of documents) {
      expect(each.summary, each.id).not.toBe("");
      expect(each.example.output, each.id).toBeDefined();
      for (const kind of each.errors) expect(ERROR_KINDS).toContain(kind);
      if (each.permission === null) continue;
      expect(each.roles.length, each.id).toBeGreaterThan(0);
      expect(each.errors, each.id).toContain("forbidden");
    }
  });
});
