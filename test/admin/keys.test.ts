import { describe, expect, it } from "vitest";
import { MASTER, openWorld, type World } from "./world.ts";

const HOUR = 3_600_000;

async function acme(now: { at: number } = { at: Date.UTC(2026, 10, 21) }) {
  const world = openWorld(() => now.at);
  await world.make("/organization/new", { organization_alias: "acme" });
  await world.make("/team/new", { team_alias: "search", team_id: "search" });
  return { world, now };
}

const works = async (world: World, key: string | undefined) =>
  (await world.call(key ?? null, "GET", "/key/info")).status;

describe("a key", () => {
  it("keeps its handle over a regeneration; with a grace both secrets work until it ends", async () => {
    const { world, now } = await acme();
    const first = await world.make("/key/generate", { key_alias: "k", rpm_limit: 5 });
    const next = await world.make("/key/regenerate", { key: "k", grace_period: "1h" });
    expect(next).toMatchObject({ token: first["token"], key_alias: "k", rpm_limit: 5 });
    expect(next["key_name"]).toBe(`sk-…${next["key"]?.slice(-4)}`);
    expect([await works(world, first["key"]), await works(world, next["key"])]).toEqual([200, 200]);
    now.at += HOUR - 1;
    expect(await works(world, first["key"])).toBe(200);
    now.at += 1;
    expect([await works(world, first["key"]), await works(world, next["key"])]).toEqual([401, 200]);
  });

  it("without a grace dies with its old secret at once, and a second regeneration ends a grace", async () => {
    const { world } = await acme();
    const first = await world.make("/key/generate", { key_alias: "k" });
    const second = await world.make(`/key/${first["token"]}/regenerate`, { grace_period: "1h" });
    const third = await world.make("/key/k/regenerate", { grace_period: "1h" });
    const all = () => Promise.all([first, second, third].map((each) => works(world, each["key"])));
    expect(await all()).toEqual([401, 200, 200]);
    await world.make("/key/regenerate", { key: "k" });
    expect(await all()).toEqual([401, 401, 401]);
  });

  it("answers as the management API's clients read it, from generate to delete", async () => {
    const { world } = await acme();
    const made = await world.make("/key/generate", { key_alias: "k", team_id: "search" });
    const updated = await world.make("/key/update", {
      key: made["key"] ?? "",
      max_budget: 12.5,
      budget_duration: "30d",
      metadata: { owner: "ops" },
      tags: ["a"],
      temp_budget_increase: 3,
      temp_budget_expiry: "2026-11-22T00:00:00Z",
    });
    expect(updated).toMatchObject({
      key: made["token"],
      max_budget: 12.5,
      temp_budget_increase: 3,
      temp_budget_expiry: "2026-11-22T00:00:00.000Z",
    });
    await world.call(MASTER, "PUT", "/key/update", { key: "k", max_budget: null, metadata: null });
    const { body } = await world.call(MASTER, "GET", "/key/info?key=k");
    expect(body).toMatchObject({
      key: made["token"],
      info: { max_budget: null, budget_duration: "30d", metadata: {}, tags: ["a"], spend: 0 },
    });
    expect(await world.make("/key/block", { key: "k" })).toMatchObject({ blocked: true });
    expect(await works(world, made["key"])).toBe(401);
    expect(await world.make("/key/unblock", { key: "k" })).toMatchObject({ blocked: false });
    expect(await works(world, made["key"])).toBe(200);
    const other = await world.make("/key/generate", {});
    const deleted = await world.call(MASTER, "DELETE", "/key/delete", {
      keys: [other["key"]],
      key_aliases: ["k"],
    });
    expect(deleted.body).toEqual({ deleted_keys: [other["token"], "k"] });
    expect([await works(world, made["key"]), await works(world, other["key"])]).toEqual([401, 401]);
    const events = JSON.stringify(world.changes.map((each) => each.events));
    for (const key of [made["key"], other["key"]]) {
      expect(events).not.toContain(String(key).split("-")[4]);
    }
  });

  it("is deleted with all that were named, or none is", async () => {
    const { world } = await acme();
    const one = await world.make("/key/generate", {});
    const { status } = await world.call(MASTER, "POST", "/key/delete", {
      keys: [one["token"], "no-such-key"],
    });
    expect([status, await works(world, one["key"])]).toEqual([404, 200]);
    expect((await world.call(MASTER, "DELETE", `/key/delete?key=${one["token"]}`)).status).toBe(
      200,
    );
    expect((await world.call(MASTER, "POST", "/key/delete", {})).status).toBe(400);
  });

  it("lets its owner neither lift its block nor its budget, nor take a wider key's secret", async () => {
    const { world } = await acme();
    const dev = await world.make("/user/new", { user_id: "dev", models: ["gpt-4o"] });
    const wide = await world.make("/key/generate", { user_id: "dev", key_alias: "wide" });
    const ask = (path: string, input: object) =>
      world.call(dev["key"] ?? null, "POST", path, { key: "wide", ...input });
    expect((await ask("/key/update", { max_budget: 1e6 })).status).toBe(403);
    expect((await ask("/key/unblock", {})).status).toBe(403);
    expect((await ask("/key/regenerate", {})).status).toBe(403);
    expect((await ask("/key/regenerate", { models: ["gpt-4o"] })).status).toBe(200);
    expect(await works(world, wide["key"])).toBe(401);
    expect((await ask("/key/update", { models: ["o3"] })).status).toBe(403);
    expect((await ask("/key/update", { user_id: null })).status).toBe(403);
  });

  it("takes a choice of its own neither as key nor as new_key", async () => {
    const { world } = await acme();
    await world.make("/key/generate", { key_alias: "k" });
    const answer = await world.call(MASTER, "POST", "/key/regenerate", {
      key: "k",
      new_key: "sk-1",
    });
    expect(answer).toMatchObject({ status: 400, body: { error: { param: "new_key" } } });
    expect(JSON.stringify(answer.body)).not.toContain("sk-1");
  });
});
