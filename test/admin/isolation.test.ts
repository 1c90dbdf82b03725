import { describe, expect, it } from "vitest";
import { OPERATIONS } from "../../worker/admin/operations/index.ts";
import { INPUTS, NO_REFERENCES, REFERENCES, SEEDS, type Kind } from "./tables.ts";
import { MASTER, openWorld, type Answer } from "./world.ts";

/** Operations whose argument need not exist: the answer is the same for both, and may be a success. */
const MAKES = new Set(["customer.block", "organization.new", "audit_log.unlink"]);

/** What a stranger can see of an answer; ids of the request itself aside. */
function seen({ status, body, headers }: Answer) {
  const { "x-routero-call-id": _, "x-request-id": __, ...rest } = headers;
  return { status, body, headers: rest };
}

async function twoOrgs() {
  const world = openWorld();
  const orgs = [];
  for (const name of ["a", "b"]) {
    const org = await world.make("/organization/new", {
      organization_alias: name,
      organization_id: `chosen-${name}`,
    });
    const organization_id = org["organization_id"] ?? "";
    const input = { organization_id };
    await world.make("/team/new", {
      ...input,
      team_id: `team-${name}`,
      team_alias: `alias-${name}`,
    });
    const user = await world.make("/user/new", {
      ...input,
      user_id: `user-${name}`,
      user_email: `${name}@example.com`,
      user_role: "org_admin",
    });
    const key = await world.make("/key/generate", {
      ...input,
      key_alias: `key-${name}`,
      team_id: `team-${name}`,
    });
    const model = await world.make("/model/new", {
      ...input,
      model_name: `model-${name}`,
      litellm_params: { model: "sim/echo" },
    });
    orgs.push({ organization_id, admin: user["key"] ?? "", key, model: model["model_id"] ?? "" });
  }
  return { world, a: orgs[0]!, b: orgs[1]! };
}

/** Names of an object of organization `b`, each with one of the same form that nobody has. */
async function foreign() {
  // The clock runs while objects are made, and stands while answers are compared.
  let at = Date.UTC(2026, 10, 21);
  let step = 1;
  const world = openWorld(() => (at += step));
  await world.make("/organization/new", { organization_alias: "acme", organization_id: "acme" });
  for (const team_id of ["t", "elsewhere"]) await world.make("/team/new", { team_id });
  for (const [path, input] of SEEDS) await world.make(path, input);
  await world.make("/user/new", { user_id: "ada", teams: ["t"], key_alias: "of-ada" });
  const boss = await world.make("/user/new", { user_id: "boss", user_role: "org_admin" });
  const org = await world.make("/organization/new", {
    organization_alias: "bee",
    organization_id: "theirs-b",
  });
  const b = { organization_id: "theirs-b" };
  await world.make("/team/new", { ...b, team_id: "team-b", team_alias: "alias-b" });
  await world.make("/user/new", { ...b, user_id: "user-b", user_email: "b@example.com" });
  const key = await world.make("/key/generate", { ...b, key_alias: "key-b" });
  await world.make("/customer/new", { ...b, user_id: "shop-b" });
  await world.make("/budget/new", { ...b, budget_id: "budget-b", max_budget: 5 });
  const invited = await world.make("/invitation/new", { ...b, user_email: "guest-b@example.com" });
  await world.make("/model/new", {
    ...b,
    model_name: "model-b",
    litellm_params: { model: "sim/echo" },
    model_info: { id: "d-b" },
  });
  await world.make("/credentials", {
    ...b,
    credential_name: "cred-b",
    credential_values: { api_key: "sk-up-1234567890abcd" },
    credential_info: { custom_llm_provider: "openai" },
  });
  await world.make("/byok", { ...b, provider: "mistral", api_key: "sk-up-1234567890abcd" });
  step = 0;
  const theirs = world.changes.at(-1)?.events.at(-1);
  const names: Record<Kind, [foreign: string, missing: string][]> = {
    org: [
      [String(org["organization_id"]), "theirs-z"],
      [String(key["organization_id"]), "org_gzzzzzzzzzzzz"],
    ],
    team: [
      ["team-b", "team-z"],
      ["alias-b", "alias-z"],
    ],
    user: [
      ["user-b", "user-z"],
      ["b@example.com", "z@example.com"],
    ],
    key: [
      ["key-b", "key-z"],
      [String(key["token"]), `sha256:${"0".repeat(64)}`],
      [String(key["key"]), `sk-rt-${"x".repeat(82)}`],
    ],
    event: [[theirs?.eventId ?? "", `evt_${"0".repeat(22)}`]],
    invitation: [[String(invited["id"]), "z".repeat(12)]],
    customer: [["shop-b", "shop-z"]],
    budget: [["budget-b", "budget-z"]],
    model: [
      ["d-b", "d-z"],
      ["model-b", "model-z"],
    ],
    credential: [["cred-b", "cred-z"]],
    provider: [["mistral", "groq"]],
  };
  return { world, boss: String(boss["key"]), names };
}

/** A fitting input of an operation with another value at one place. */
function naming(id: string, path: string, value: string): Record<string, unknown> {
  const input = structuredClone(INPUTS[id] ?? {});
  const parts = path.split(".");
  let at: Record<string, unknown> = input;
  for (const [index, part] of parts.slice(0, -1).entries()) {
    at[part] ??= /^\d+$/.test(parts[index + 1] ?? "") ? [] : {};
    at = at[part] as Record<string, unknown>;
  }
  // A member is named by one thing at a time.
  if (path.endsWith("user_email") || id === "key.delete") {
    for (const other of ["user_id", "key"]) delete at[other];
  }
  if (id === "budget.new") delete input["team_id"];
  if (path === "model_info.id") delete input["model_id"];
  at[parts.at(-1) ?? ""] = value;
  if (path.endsWith("litellm_credential_name")) delete at["api_key"];
  return input;
}

describe("an object of another organization", () => {
  it("is looked for by the test below in every operation that names objects", () => {
    const looks = /(^|_)(id|ids|email|key|keys|hash|name|member|provider|key_aliases)$/;
    expect(Object.keys(REFERENCES).toSorted()).toEqual(
      OPERATIONS.map((each) => each.id).toSorted(),
    );
    for (const { id, input } of OPERATIONS) {
      const tested = new Set(Object.keys(REFERENCES[id] ?? {}).map((path) => path.split(".")[0]));
      for (const name of Object.keys(input.shape).filter((each) => looks.test(each))) {
        const known = tested.has(name) || NO_REFERENCES.has(`${id} ${name}`);
        expect(known || name === "organization_id", `${id} ${name}`).toBe(true);
      }
    }
  });

  it("answers exactly as one that does not exist: status, body and headers, by every route and name", async () => {
    const { world, boss, names } = await foreign();
    let written = world.rows();
    for (const operation of OPERATIONS) {
      const references: [string, Kind][] = Object.entries(REFERENCES[operation.id] ?? {});
      if (Object.hasOwn(operation.input.shape, "organization_id")) {
        references.push(["organization_id", "org"]);
      }
      for (const [path, kind] of references) {
        for (const [theirs, nobodys] of names[kind]) {
          for (const route of operation.http) {
            const ask = async (name: string) => {
              const answer = await world.ask(boss, route, naming(operation.id, path, name));
              const text = JSON.stringify(seen(answer)).replaceAll(name, "…");
              return { text, status: answer.status };
            };
            const what = `${operation.id} ${route.path} ${path} ${theirs}`;
            const [known, unknown] = [await ask(theirs), await ask(nobodys)];
            expect(known.text, what).toBe(unknown.text);
            if (operation.event !== null && !MAKES.has(operation.id)) {
              expect([400, 403, 404], what).toContain(known.status);
            }
          }
        }
      }
      // Blocking a stranger makes a row in the own organization, of that name.
      if (operation.id === "customer.block") {
        await world.make("/customer/delete", { user_ids: ["shop-b", "shop-z"] });
        written = world.rows();
      }
      expect(world.rows(), operation.id).toBe(written);
    }
    const { body } = await world.call(
      MASTER,
      "GET",
      "/customer/info?end_user_id=shop-b",
      undefined,
      {
        "x-organization-id": "theirs-b",
      },
    );
    expect(body).toMatchObject({ blocked: false });
  }, 120_000);

  it("shows in no listing", async () => {
    const { world, a } = await twoOrgs();
    for (const path of [
      "/organization/list",
      "/organization/info",
      "/team/list",
      "/user/list",
      "/key/list?return_full_object=true",
      "/model/info",
      "/model_group/info",
    ]) {
      const answer = await world.call(a.admin, "GET", path);
      expect(answer.status, path).toBe(200);
      const text = JSON.stringify(answer.body);
      expect(text, path).toMatch(/chosen-a|team-a|user-a|key-a|model-a/);
      expect(text, path).not.toMatch(/chosen-b|team-b|user-b|key-b|model-b/);
    }
  });

  it("is out of reach by header: a key stays in its organization, the master key goes where it is told", async () => {
    const { world, a, b } = await twoOrgs();
    const list = (key: string, org: string) =>
      world.call(key, "GET", "/user/list", undefined, { "x-organization-id": org });
    const foreign = await list(a.admin, b.organization_id);
    expect(foreign.status).toBe(403);
    expect(seen(foreign)).toEqual(seen(await list(a.admin, "no-such-organization")));
    for (const own of [a.organization_id, "a"]) expect((await list(a.admin, own)).status).toBe(200);
    expect(JSON.stringify((await list(MASTER, b.organization_id)).body)).toContain("user-b");
    expect(JSON.stringify((await world.call(MASTER, "GET", "/user/list")).body)).toContain(
      "user-a",
    );
    expect((await list(MASTER, "no-such-organization")).status).toBe(404);
  });
});
