import { describe, expect, it } from "vitest";
import { MASTER, openWorld, type World } from "./world.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

async function acme() {
  let at = Date.UTC(2026, 10, 21);
  const world = openWorld(() => at);
  await world.make("/organization/new", { organization_alias: "acme" });
  await world.make("/team/new", { team_id: "search" });
  return { world, pass: (ms: number) => void (at += ms) };
}

const invite = (world: World, more = {}) =>
  world.make("/invitation/new", { user_email: "Guest@Example.com", ...more });
const claim = (world: World, token: unknown, more = {}) =>
  world.call(null, "POST", "/invitation/claim", { token, ...more });
const state = async (world: World, id: unknown) =>
  (await world.call(MASTER, "GET", `/invitation/info?invitation_id=${String(id)}`)).body["status"];

describe("an invitation", () => {
  it("makes a user of the team with a key that works, once, and is on record", async () => {
    const { world } = await acme();
    const made = await invite(world, { team_id: "search", user_role: "internal_user" });
    expect(made["invitation_link"]).toBe(`http://localhost/invitation#${made["token"]}`);
    expect(made).toMatchObject({ status: "open", user_email: "guest@example.com" });
    world.changes.length = 0;
    const claimed = await claim(world, made["token"], { user_alias: "Guest" });
    expect(claimed).toMatchObject({
      status: 200,
      body: {
        user_email: "guest@example.com",
        user_alias: "Guest",
        user_role: "developer",
        teams: ["search"],
      },
    });
    const key = String(claimed.body["key"]);
    const own = await world.call(key, "GET", "/key/info");
    expect(own.body).toMatchObject({
      info: { team_id: "search", user_id: claimed.body["user_id"], key_type: "default" },
    });
    const [change] = world.changes;
    expect(change?.events.map((event) => [event.type, event.actor])).toEqual([
      ["invitation.accepted", `user:${String(claimed.body["user_id"])}`],
      ["user.created", `user:${String(claimed.body["user_id"])}`],
      ["key.created", `user:${String(claimed.body["user_id"])}`],
    ]);
    expect(await state(world, made["id"])).toBe("accepted");
    expect((await claim(world, made["token"])).status).toBe(404);
  });

  it("is used by one of two that show it at once", async () => {
    const { world } = await acme();
    const { token } = await invite(world);
    const users = await Promise.all([claim(world, token), claim(world, token)]);
    expect(users.map((each) => String(each.status)).toSorted()).toEqual(["200", "404"]);
    const list = await world.call(MASTER, "GET", "/user/list");
    expect(list.body["total"]).toBe(1);
    expect((await world.call(MASTER, "GET", "/key/list")).body["total"]).toBe(1);
  });

  it("is closed after 7 days, when withdrawn, when replaced, and when its team or organization is gone", async () => {
    const { world, pass } = await acme();
    const refused = async (token: unknown) => {
      const before = world.rows();
      const answer = await claim(world, token);
      expect(world.rows()).toBe(before);
      return [answer.status, JSON.stringify(answer.body)];
    };
    const unknown = await refused("rt-invite-nonsense");
    expect(unknown[0]).toBe(404);

    const replaced = await invite(world);
    const withdrawn = await invite(world);
    expect(await state(world, replaced["id"])).toBe("withdrawn");
    expect(await refused(replaced["token"])).toEqual(unknown);
    expect(
      await world.make("/invitation/delete", { invitation_id: String(withdrawn["id"]) }),
    ).toMatchObject({ status: "withdrawn" });
    expect(await refused(withdrawn["token"])).toEqual(unknown);

    const late = await invite(world);
    pass(7 * DAY_MS - 1);
    expect(await state(world, late["id"])).toBe("open");
    pass(1);
    expect(await state(world, late["id"])).toBe("expired");
    expect(await refused(late["token"])).toEqual(unknown);

    const homeless = await invite(world, { team_id: "search" });
    await world.make("/team/delete", { team_ids: ["search"] });
    expect(await refused(homeless["token"])).toEqual(unknown);

    const blocked = await invite(world);
    await world.make("/organization/update", { blocked: true });
    expect(await refused(blocked["token"])).toEqual(unknown);
    await world.make("/organization/update", { blocked: false });
    expect((await claim(world, blocked["token"])).status).toBe(200);
  });

  it("is known by its token alone: every single character counts, and the record holds none of it", async () => {
    const { world } = await acme();
    const made = await invite(world);
    const token = String(made["token"]);
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === "A" ? "B" : "A";
      const forged = token.slice(0, at) + other + token.slice(at + 1);
      expect((await claim(world, forged)).status, `character ${at}`).toBe(404);
    }
    expect(JSON.stringify(world.changes)).not.toContain(token.split("-")[4]);
    expect(JSON.stringify(world.logs)).not.toContain(token.split("-")[4]);
    const shown = await world.call(MASTER, "GET", `/invitation/info?id=${String(made["id"])}`);
    expect(JSON.stringify(shown.body)).not.toContain(token.split("-")[4]);
    expect((await claim(world, token)).status).toBe(200);
  });

  it("never gives more than its maker has, and an admin's role in a team is of that team alone", async () => {
    const { world } = await acme();
    const boss = await world.make("/user/new", { user_id: "boss", user_role: "org_admin" });
    const ask = (input: object) =>
      world.call(boss["key"] ?? null, "POST", "/invitation/new", {
        user_email: "x@example.com",
        ...input,
      });
    expect((await ask({ user_role: "proxy_admin" })).status).toBe(403);
    const lead = await ask({ user_role: "org_admin", team_id: "search" });
    expect(lead.body).toMatchObject({ user_role: "developer", team_role: "admin" });
    const claimed = await claim(world, lead.body["token"]);
    const key = String(claimed.body["key"]);
    const add = { team_id: "search", member: { user_id: "boss" } };
    expect((await world.call(key, "POST", "/team/member_add", add)).status).toBe(200);
    expect((await world.call(key, "POST", "/team/new", {})).status).toBe(403);
    const again = await ask({ user_email: "X@example.com" });
    expect(again).toMatchObject({ status: 409, body: { error: { param: "user_email" } } });
  });

  it("is not claimed by what is no claim at all", async () => {
    const { world } = await acme();
    const faults = [{}, { token: 1 }, { token: "x".repeat(300) }, "[]", "{"];
    for (const input of faults) {
      const answer = await world.call(null, "POST", "/invitation/claim", input);
      expect([400, 422], JSON.stringify(input)).toContain(answer.status);
    }
  });
});
