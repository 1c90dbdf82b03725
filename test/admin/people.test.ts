import { describe, expect, it } from "vitest";
import { MASTER, openWorld, type World } from "./world.ts";

async function acme() {
  const world = openWorld();
  await world.make("/organization/new", { organization_alias: "acme" });
  for (const team_id of ["search", "ads"]) await world.make("/team/new", { team_id });
  return world;
}

const works = async (world: World, key: string | undefined) =>
  (await world.call(key ?? null, "GET", "/key/info")).status;
const keyOf = async (world: World, input: Record<string, string>) =>
  (await world.make("/key/generate", input))["key"];
const types = (world: World) => world.changes.at(-1)?.events.map((each) => each.type);

describe("a team", () => {
  it("takes its keys and memberships along when it is deleted, and leaves everything else", async () => {
    const world = await acme();
    await world.make("/user/new", { user_id: "ada", teams: ["search", "ads"] });
    const dies = await keyOf(world, { team_id: "search", user_id: "ada" });
    const stays = await keyOf(world, { team_id: "ads", user_id: "ada" });
    expect(await world.make("/team/delete", { team_ids: ["search"] })).toMatchObject({
      deleted_teams: [{ team_id: "search" }],
      deleted_keys: 1,
    });
    expect(types(world)).toEqual(["team.deleted", "key.revoked"]);
    expect([await works(world, dies), await works(world, stays)]).toEqual([401, 200]);
    // A team of the same name is another team: nothing of the old one comes back.
    await world.make("/team/new", { team_id: "search" });
    expect(await works(world, dies)).toBe(401);
    const { body } = await world.call(MASTER, "GET", "/team/info?team_id=search");
    expect(body).toMatchObject({ keys: [], team_memberships: [] });
    const { body: user } = await world.call(MASTER, "GET", "/user/info?user_id=ada");
    expect((user["teams"] as unknown as { team_id: string }[]).map((each) => each.team_id)).toEqual(
      ["ads"],
    );
  });

  it("that keys without a team belong to stays", async () => {
    const world = await acme();
    const rows = world.rows();
    const answer = await world.call(MASTER, "DELETE", "/team/delete", {
      team_ids: ["ads", "default"],
    });
    expect(answer.status).toBe(400);
    expect(world.rows()).toBe(rows);
  });

  it("stops and lets go its keys with its block", async () => {
    const world = await acme();
    const key = await keyOf(world, { team_id: "search" });
    await world.make("/team/block", { team_id: "search" });
    expect(await works(world, key)).toBe(401);
    await world.make("/team/unblock", { team_id: "search" });
    expect(await works(world, key)).toBe(200);
  });

  it("is led by a member with the role admin, with keys of this team and no other", async () => {
    const world = await acme();
    await world.make("/user/new", { user_id: "ada", teams: ["search", "ads"] });
    const search = await keyOf(world, { team_id: "search", user_id: "ada" });
    const ads = await keyOf(world, { team_id: "ads", user_id: "ada" });
    const rename = async (key: string | undefined, team_id: string) =>
      (await world.call(key ?? null, "POST", "/team/update", { team_id, tags: ["x"] })).status;
    expect(await rename(search, "search")).toBe(403);
    expect(
      await world.make("/team/member_update", {
        team_id: "search",
        user_id: "ada",
        role: "admin",
        max_budget_in_team: 7.5,
      }),
    ).toMatchObject({ role: "admin", max_budget_in_team: 7.5, blocks_at_usd: 7.5, user_id: "ada" });
    expect([
      await rename(search, "search"),
      await rename(ads, "ads"),
      await rename(search, "ads"),
    ]).toEqual([200, 403, 404]);
    // Who leads a team brings people in and takes their keys of this team with them when they go.
    await world.make("/user/new", { user_id: "bob", auto_create_key: false });
    const lead = (path: string, input: object) =>
      world.call(search ?? null, "POST", path, { team_id: "search", ...input });
    expect(await lead("/team/member_add", { member: [{ user_id: "bob" }] })).toMatchObject({
      status: 200,
      body: {
        updated_users: [{ user_id: "bob" }],
        updated_team_memberships: [{ user_id: "bob", role: "user", team_id: "search" }],
      },
    });
    expect((await lead("/team/member_add", { member: { user_id: "bob" } })).status).toBe(409);
    const bobs = await lead("/key/generate", { user_id: "bob" });
    const key = String(bobs.body["key"]);
    const elsewhere = await keyOf(world, { user_id: "bob", team_id: "ads" });
    expect((await lead("/team/member_delete", { user_id: "bob" })).body).toMatchObject({
      deleted_keys: 1,
    });
    expect([await works(world, key), await works(world, elsewhere)]).toEqual([401, 200]);
    await world.make("/team/member_update", { team_id: "search", user_id: "ada", role: "user" });
    expect(await rename(search, "search")).toBe(403);
  });
});

describe("a user", () => {
  it("takes keys and memberships along when deleted; who comes after under the same id gets none of it", async () => {
    const world = await acme();
    const made = await world.make("/user/new", { user_id: "ada", teams: ["search"] });
    const other = await keyOf(world, { user_id: "ada" });
    expect(await world.make("/user/delete", { user_ids: ["ada"] })).toEqual({
      deleted_users: ["ada"],
      deleted_keys: 2,
    });
    expect(types(world)).toEqual(["user.deleted", "key.revoked", "key.revoked"]);
    await world.make("/user/new", { user_id: "ada", auto_create_key: false });
    expect([await works(world, made["key"]), await works(world, other)]).toEqual([401, 401]);
    const { body } = await world.call(MASTER, "GET", "/user/info?user_id=ada");
    expect(body).toMatchObject({ keys: [], teams: [] });
  });

  it("changes with what it may do at once; nobody reaches above the own role", async () => {
    const world = await acme();
    const boss = await world.make("/user/new", { user_id: "boss", user_role: "org_admin" });
    await world.make("/user/new", { user_id: "root", user_role: "proxy_admin" });
    const ada = await world.make("/user/new", { user_id: "ada" });
    const ask = (input: object, path = "/user/update") =>
      world.call(boss["key"] ?? null, "POST", path, input);
    expect(await ask({ user_id: "ada", user_role: "org_admin" })).toMatchObject({
      status: 200,
      body: { user_role: "admin", data: { user_id: "ada" } },
    });
    expect(types(world)).toEqual(["user.updated", "role.changed"]);
    expect(
      await world.call(ada["key"] ?? null, "POST", "/team/new", { team_alias: "n" }),
    ).toMatchObject({ status: 200 });
    expect((await ask({ user_id: "ada", user_role: "proxy_admin" })).status).toBe(403);
    expect((await ask({ user_id: "root", user_alias: "x" })).status).toBe(403);
    expect((await ask({ user_ids: ["root"] }, "/user/delete")).status).toBe(403);
    await ask({ user_id: "ada", user_email: "Ada@Example.com" });
    expect((await ask({ user_email: "ada@example.com", user_role: "internal_user" })).status).toBe(
      200,
    );
    expect((await world.call(ada["key"] ?? null, "POST", "/team/new", {})).status).toBe(403);
  });
});
