import { describe, expect, it } from "vitest";
import { MASTER, openWorld, type Answer, type World } from "./world.ts";

/** Ada is a developer of `a` and, for the same person, an auditor of `b`; her key was made by the platform. */
async function twoOrgs() {
  const world = openWorld();
  for (const name of ["a", "b"]) {
    await world.make("/organization/new", { organization_alias: name, organization_id: name });
    await world.make("/team/new", { organization_id: name, team_id: `team-${name}` });
  }
  const ada = await world.make("/user/new", { organization_id: "a", user_id: "ada" });
  const boss = await world.make("/user/new", {
    organization_id: "a",
    user_id: "boss",
    user_role: "org_admin",
  });
  await world.make("/organization/member_add", {
    organization_id: "b",
    member: { user_id: "ada", role: "auditor", from_organization_id: "a" },
  });
  return { world, ada: ada["key"] ?? "", boss: boss["key"] ?? "" };
}

const seen = ({ status, body, headers }: Answer) => {
  const { "x-routero-call-id": _, "x-request-id": __, ...rest } = headers;
  return { status, body, headers: rest };
};
const teams = async (world: World, key: string, org?: string) => {
  const headers: Record<string, string> = org === undefined ? {} : { "x-organization-id": org };
  const answer = await world.call(key, "GET", "/team/list", undefined, headers);
  if (answer.status !== 200) return answer.status;
  return (answer.body as unknown as { team_id: string }[])
    .map((each) => each.team_id)
    .filter((id) => id.startsWith("team-"));
};

describe("a user of two organizations", () => {
  it("acts in either, by header, by argument or by choice, with the role of that one", async () => {
    const { world, ada } = await twoOrgs();
    expect(await teams(world, ada)).toEqual([]);
    expect(await teams(world, ada, "b")).toEqual(["team-b"]);
    const list = await world.call(ada, "GET", "/team/list?organization_id=b");
    expect(JSON.stringify(list.body)).toContain("team-b");
    const both = await world.call(ada, "GET", "/team/list?organization_id=a", undefined, {
      "x-organization-id": "b",
    });
    expect(both.status).toBe(404);
    const create = (org: string) =>
      world.call(ada, "POST", "/team/new", { team_alias: "n", organization_id: org });
    expect([(await create("a")).status, (await create("b")).status]).toEqual([403, 403]);

    const chosen = await world.call(ada, "POST", "/user/switch_org", { organization_id: "b" });
    expect(chosen.body).toMatchObject({ user_id: "ada", user_role: "auditor" });
    expect(await teams(world, ada)).toEqual(["team-b"]);
    expect(await teams(world, ada, "a")).toEqual([]);
    const names = await world.call(ada, "GET", "/organization/list", undefined, {
      "x-organization-id": "a",
    });
    expect(names.status).toBe(403);
    await world.call(ada, "POST", "/user/switch_org", { organization_id: "a" });
    expect(await teams(world, ada)).toEqual([]);
  });

  it("loses the other one with the membership there, at once, and falls back to the own one", async () => {
    const { world, ada } = await twoOrgs();
    await world.call(ada, "POST", "/user/switch_org", { organization_id: "b" });
    const gone = await world.call(MASTER, "DELETE", "/organization/member_delete", {
      organization_id: "b",
      user_id: "ada",
    });
    expect(gone.status).toBe(200);
    expect([await teams(world, ada), await teams(world, ada, "b")]).toEqual([[], 403]);
  });

  it("is let in by the platform alone; a user of the same id or address elsewhere is somebody else", async () => {
    const { world, boss } = await twoOrgs();
    const bobs = await world.make("/user/new", {
      organization_id: "a",
      user_id: "bob",
      user_email: "bob@example.com",
    });
    await world.make("/user/new", {
      organization_id: "b",
      user_id: "bob",
      user_email: "bob@example.com",
      user_role: "org_admin",
    });
    const bob = bobs["key"] ?? "";
    const foreign = await world.call(bob, "POST", "/user/switch_org", { organization_id: "b" });
    const missing = await world.call(bob, "POST", "/user/switch_org", { organization_id: "zz" });
    expect(foreign.status).toBe(404);
    expect(seen(foreign)).toEqual(seen(missing));
    expect([await teams(world, bob, "b"), await teams(world, bob, "zz")]).toEqual([403, 403]);
    const invite = (from: string) =>
      world.call(boss, "POST", "/organization/member_add", {
        member: { user_id: "carol", from_organization_id: from },
      });
    expect(seen(await invite("b"))).toEqual(seen(await invite("zz")));
    expect((await invite("b")).status).toBe(403);
  });

  it("does not lend the way to whoever administers one of them", async () => {
    const { world, ada, boss } = await twoOrgs();
    const made = await world.call(boss, "POST", "/key/generate", { user_id: "ada" });
    expect(await teams(world, String(made.body["key"]), "b")).toBe(403);
    const info = await world.call(ada, "GET", "/key/info");
    const changed = await world.call(boss, "POST", "/key/regenerate", { key: info.body["key"] });
    expect(changed.status).toBe(200);
    expect(await teams(world, String(changed.body["key"]), "b")).toBe(403);
    const foreign = { organization_id: "b" };
    const key = String(changed.body["key"]);
    expect((await world.call(key, "POST", "/user/switch_org", foreign)).status).toBe(404);
  });
});

describe("an organization", () => {
  it("goes with all its keys, and leaves others and its own history alone", async () => {
    const { world, ada } = await twoOrgs();
    const b = await world.make("/key/generate", { organization_id: "b" });
    const answer = await world.call(MASTER, "DELETE", "/organization/delete", {
      organization_ids: ["a"],
    });
    expect(answer.body).toMatchObject([{ organization_id: "a" }]);
    expect((await world.call(ada, "GET", "/key/info")).status).toBe(401);
    expect((await world.call(b["key"] ?? null, "GET", "/key/info")).status).toBe(200);
    const again = { organization_ids: ["a"] };
    expect((await world.call(MASTER, "POST", "/organization/delete", again)).status).toBe(404);
    expect(world.changes.at(-1)?.events).toMatchObject([{ type: "organization.deleted" }]);
  });

  it("changes by PATCH and POST; only the platform blocks it, with all its keys", async () => {
    const { world, ada, boss } = await twoOrgs();
    const patch = (input: object) => world.call(boss, "PATCH", "/organization/update", input);
    expect(await patch({ max_budget: 7.5, organization_alias: "A" })).toMatchObject({
      status: 200,
      body: { organization_alias: "A", max_budget: 7.5 },
    });
    expect((await patch({ blocked: true })).status).toBe(403);
    await world.make("/organization/update", { organization_id: "a", blocked: true });
    expect((await world.call(ada, "GET", "/key/info")).status).toBe(401);
    await world.make("/organization/update", { organization_id: "a", blocked: false });
    expect((await world.call(ada, "GET", "/key/info")).status).toBe(200);
  });

  it("gives its members roles, as a whole and in a team, and takes their keys when they go", async () => {
    const { world, boss } = await twoOrgs();
    const ask = (method: string, path: string, input: object) =>
      world.call(boss, method, `/organization/${path}`, input);
    const added = await ask("POST", "member_add", {
      member: [{ user_email: "Eve@Example.com", role: "internal_user_viewer" }, { user_id: "joe" }],
      max_budget_in_organization: 5,
    });
    expect(added.body).toMatchObject({
      updated_users: [{ user_email: "eve@example.com", user_role: "viewer" }, { user_id: "joe" }],
      updated_organization_memberships: [{ max_budget_in_organization: 5 }, { user_id: "joe" }],
    });
    const eve = { user_email: "eve@example.com" };
    const above = await ask("PATCH", "member_update", { ...eve, role: "proxy_admin" });
    expect(above.status).toBe(403);
    expect((await ask("PATCH", "member_update", { ...eve, role: "finance" })).body).toMatchObject({
      user_role: "finance",
    });
    const permit = (input: object) =>
      ask("POST", "member_permission_update", { ...eve, user_role: "org_admin", ...input });
    expect((await permit({ team_id: "team-a" })).status).toBe(404);
    await world.make("/team/member_add", {
      organization_id: "a",
      team_id: "team-a",
      member: { user_email: "eve@example.com" },
    });
    expect((await permit({ team_id: "team-a" })).body).toMatchObject({ user_role: "admin" });
    expect((await permit({})).body).toMatchObject({ user_role: "admin", team_id: null });
    const key = await world.make("/key/generate", { user_id: "eve@example.com" });
    const gone = await ask("DELETE", "member_delete", eve);
    expect(gone.body).toMatchObject({ deleted_keys: 1 });
    expect((await world.call(key["key"] ?? null, "GET", "/key/info")).status).toBe(401);
    const team = await world.call(boss, "GET", "/team/info?team_id=team-a");
    expect(team.body).toMatchObject({ team_memberships: [] });
  });
});
