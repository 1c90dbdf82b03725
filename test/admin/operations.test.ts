import { validate } from "@readme/openapi-parser";
import { describe, expect, it } from "vitest";
import { endpoints } from "../../worker/admin/docs/endpoints.ts";
import { openApi } from "../../worker/admin/docs/openapi.ts";
import { buildApp } from "../../worker/app.ts";
import { OPERATIONS } from "../../worker/admin/operations/index.ts";
import { AUDIT_EVENTS } from "../../worker/core/audit.ts";
import { ERROR_KINDS } from "../../worker/core/errors.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Role } from "../../worker/core/principal.ts";
import { ROLE_GRANTS } from "../../worker/policy/authz/roles.ts";
import { EXPECTED, INPUTS, OWN, PERSONAL, SEEDS } from "./tables.ts";
import { MASTER, openWorld, type World } from "./world.ts";

/** An organization with one object of each kind; `ada` is of team `t`, and so is her key. */
async function seeded(): Promise<World> {
  const world = openWorld();
  await world.make("/organization/new", { organization_alias: "acme", organization_id: "acme" });
  for (const name of ["t", "elsewhere"]) {
    await world.make("/team/new", { team_alias: name, team_id: name });
  }
  for (const [path, input] of SEEDS) await world.make(path, input);
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

/** Makes worlds, and a new one whenever the last was changed: every operation finds its objects untouched. */
function worlds<T>(make: () => Promise<T & { world: World }>) {
  let held: (T & { world: World }) | null = null;
  let changes = 0;
  return async () => {
    if (held === null || held.world.changes.length > changes) held = await make();
    changes = held.world.changes.length;
    return held;
  };
}

function ask(world: World, id: string, key: string) {
  const [route] = OPERATIONS.find((each) => each.id === id)?.http ?? [];
  if (!route) throw new Error(`no operation ${id}`);
  return world.ask(key, route, INPUTS[id] ?? {});
}

describe("operations", () => {
  it("are each named in the tables of this test", () => {
    const ids = OPERATIONS.map((each) => each.id).toSorted();
    expect(Object.keys(EXPECTED).toSorted()).toEqual(ids);
    expect(Object.keys(INPUTS).toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(Object.keys(ROLE_GRANTS) as Role[])(
    "answer the role %s as the table says, and write nothing where they refuse",
    async (role) => {
      const next = worlds(async () => {
        const world = await seeded();
        await world.make("/user/new", { user_id: "ada", teams: ["t"], key_alias: "of-ada" });
        return { world, key: await keyOf(world, role, "caller", "elsewhere") };
      });
      for (const [id, row] of Object.entries(EXPECTED)) {
        const { world, key } = await next();
        const before = world.rows();
        const answer = await ask(world, id, key);
        expect(answer.status, `${role} ${id} ${JSON.stringify(answer.body)}`).toBe(
          row[role] ?? 403,
        );
        if (answer.status !== 200) expect(world.rows(), `${role} ${id}`).toBe(before);
      }
    },
    120_000,
  );

  it.each(Object.keys(ROLE_GRANTS) as Role[])(
    "answer the role %s for the caller's own team, user and keys where it reaches those",
    async (role) => {
      const next = worlds(async () => {
        const world = await seeded();
        return { world, key: await keyOf(world, role, "ada", "t", { key_alias: "of-ada" }) };
      });
      for (const [id, row] of Object.entries(OWN)) {
        const { world, key } = await next();
        const answer = await ask(world, id, key);
        const expected = row[role] ?? EXPECTED[id]?.[role] ?? 403;
        expect(answer.status, `${role} ${id} ${JSON.stringify(answer.body)}`).toBe(expected);
      }
    },
    120_000,
  );

  it("never let an llm_api key in, and let a read_only key read", async () => {
    const world = await seeded();
    await world.make("/user/new", { user_id: "ada", key_alias: "of-ada" });
    const inference = await keyOf(world, "admin", "bot", "t", { key_type: "llm_api" });
    const reader = await keyOf(world, "admin", "eye", "t", { key_type: "read_only" });
    for (const operation of OPERATIONS) {
      expect((await ask(world, operation.id, inference)).status, operation.id).toBe(403);
      const read = operation.event === null ? 200 : 403;
      expect((await ask(world, operation.id, reader)).status, operation.id).toBe(read);
    }
  });

  it("put their audit event into the change they make, and only then", async () => {
    const next = worlds(async () => {
      const world = await seeded();
      await world.make("/user/new", { user_id: "ada", key_alias: "of-ada", teams: ["t"] });
      return { world };
    });
    for (const operation of OPERATIONS) {
      const { world } = await next();
      world.changes.length = 0;
      const answer = await ask(world, operation.id, caller(operation.id, world));
      expect(answer.status, `${operation.id} ${JSON.stringify(answer.body)}`).toBe(200);
      const written = world.changes.flatMap((change) => change.events);
      if (operation.event === null) {
        expect(world.changes, operation.id).toEqual([]);
        expect(operation.permission.action).toBe("read");
        continue;
      }
      expect(world.changes.length, operation.id).toBe(1);
      expect(written[0], operation.id).toMatchObject({ type: operation.event });
      expect(written[0]?.requestId).toBe(answer.headers["x-routero-call-id"]);
      for (const event of written) {
        expect(AUDIT_EVENTS).toContain(event.type);
        expect(event.data, event.type).toMatchObject({
          object_id: expect.any(String),
          table_name: expect.any(String),
          changed_by: PERSONAL.has(operation.id) ? "ada" : "master",
        });
        expect(valuesOf(event.data), event.type).toBe(expectedValues(event.type));
      }
      expect(JSON.stringify(world.changes.map((change) => change.events))).not.toContain("sk-");
      world.changes.length = 1e6;
    }
  });

  it("answer in the form that the documents show, by every route", async () => {
    const next = worlds(async () => {
      const world = await seeded();
      await world.make("/user/new", { user_id: "ada", key_alias: "of-ada", teams: ["t"] });
      return { world };
    });
    for (const operation of OPERATIONS) {
      for (const route of operation.http) {
        const { world } = await next();
        const key = caller(operation.id, world);
        const { body } = await world.ask(key, route, INPUTS[operation.id] ?? {});
        const read = operation.output.safeParse(body);
        expect(read.error?.issues ?? [], `${operation.id} ${JSON.stringify(body)}`).toEqual([]);
        expect(JSON.stringify(body), operation.id).not.toContain("sk-up-");
      }
      const example = operation.output.safeParse(operation.example.output);
      expect(example.error?.issues ?? [], operation.id).toEqual([]);
      const input = operation.input.safeParse(operation.example.input);
      expect(input.error?.issues ?? [], operation.id).toEqual([]);
    }
  });
});

type Values = "before" | "after" | "both" | "none";

/** Which values an event holds, by the last word of its name. */
const VALUES: Record<string, Values> = {
  created: "after",
  added: "after",
  switched: "after",
  deleted: "before",
  removed: "before",
  revoked: "before",
};
/** What these change is no row that anybody is shown. */
const WITHOUT_ROW = new Set<string>([
  "audit.unlinked",
  "key.token_created",
  "credential.rewrapped",
  "webhook.resent",
]);

function valuesOf(data: JsonObject): Values {
  const { before_value: before, updated_values: after } = data;
  if (before !== null && after !== null) return "both";
  if (before === null && after === null) return "none";
  return before === null ? "after" : "before";
}

function expectedValues(type: string): Values {
  return WITHOUT_ROW.has(type) ? "none" : (VALUES[type.split(/[._]/).at(-1) ?? ""] ?? "both");
}

/** The master key, but for what only a person's own key can do. */
function caller(id: string, world: World): string {
  return PERSONAL.has(id) ? (world.made("ada") ?? MASTER) : MASTER;
}

describe("documents", () => {
  it("make a valid OpenAPI 3.1 document", async () => {
    const document = openApi();
    const result = await validate(structuredClone(document) as never);
    expect(result).toMatchObject({ valid: true });
  });

  it("show every path that is served, and none that is not", () => {
    const documented = endpoints().flatMap((each) =>
      each.http.map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, "*")}`),
    );
    // Pages for people and their parts; the counters, which are no JSON.
    const beside = /^GET (\/|\/docs.*|\/openapi\.json|\/invitation(\/[a-z]+\.[a-z]+)?|\/metrics)$/;
    const served = buildApp()
      .routes.filter(({ method, path }) => method !== "ALL" && !path.includes(":call"))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:\w+(\{[^}]*\})?/g, "*")}`)
      .filter((route) => !beside.test(route));
    const google = documented.filter((route) => route.includes("*:"));
    expect(google).toHaveLength(9);
    expect(new Set(documented.filter((route) => !google.includes(route)))).toEqual(new Set(served));
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
