import { describe, expect, it } from "vitest";
import type { Authenticated } from "../../worker/core/call.ts";
import { authorize } from "../../worker/stages/authorize.ts";
import { readShared } from "../../worker/store/org-rows.ts";
import { MASTER, openWorld, type World } from "./world.ts";

async function acme() {
  const world = openWorld();
  const org = await world.make("/organization/new", { organization_alias: "acme" });
  await world.make("/team/new", { team_id: "search" });
  return { world, orgId: String(org["organization_id"]).slice(4) };
}

/** What the gate says of a call in the name of a customer: null, or the refusal. */
async function gate(world: World, orgId: string, customerId: string | undefined) {
  const shared = await readShared(world.deps.db, orgId);
  const principal = { kind: "key", orgId, keyType: "default", role: "developer" };
  const call = {
    identity: { principal, shared, key: null, team: null, user: null },
    extensions: { features: {}, ...(customerId !== undefined && { customerId }) },
    chat: { model: "gpt" },
  } as unknown as Authenticated;
  try {
    authorize(world.deps, call);
    return null;
  } catch (cause) {
    return (cause as { kind: string }).kind;
  }
}

describe("a customer", () => {
  it("that is blocked is refused by name, described before or not; others and unnamed calls go through", async () => {
    const { world, orgId } = await acme();
    await world.make("/customer/new", { user_id: "known" });
    await world.make("/customer/block", { user_ids: ["known", "unseen"] });
    const all = () =>
      Promise.all(
        ["known", "unseen", "stranger", undefined].map((each) => gate(world, orgId, each)),
      );
    expect(await all()).toEqual(["forbidden", "forbidden", null, null]);
    await world.make("/customer/unblock", { user_ids: ["known"] });
    await world.make("/customer/delete", { user_ids: ["unseen"] });
    expect(await all()).toEqual([null, null, null, null]);
    await world.make("/customer/update", { user_id: "known", blocked: true });
    expect(await gate(world, orgId, "known")).toBe("forbidden");
  });

  it("is unknown to another organization's gate", async () => {
    const { world, orgId } = await acme();
    const other = await world.make("/organization/new", { organization_alias: "b" });
    await world.make("/customer/block", {
      user_ids: ["shop"],
      organization_id: String(other["organization_id"]),
    });
    expect(await gate(world, orgId, "shop")).toBeNull();
    expect((await world.call(MASTER, "GET", "/customer/info?end_user_id=shop")).status).toBe(404);
  });

  it("answers as the management API's clients read it, from new to delete", async () => {
    const { world } = await acme();
    expect(
      await world.make("/customer/new", { user_id: "shop", alias: "Shop", max_budget: 20 }),
    ).toMatchObject({ user_id: "shop", alias: "Shop", blocked: false, max_budget: 20, spend: 0 });
    const again = await world.call(MASTER, "POST", "/customer/new", { user_id: "shop" });
    expect(again).toMatchObject({ status: 409, body: { error: { param: "user_id" } } });
    const changed = await world.make("/customer/update", { user_id: "shop", max_budget: null });
    expect(changed).toMatchObject({ alias: "Shop", max_budget: null });
    expect(await world.make("/customer/block", { user_ids: ["shop"] })).toMatchObject({
      blocked_users: [{ user_id: "shop", blocked: true, alias: "Shop" }],
    });
    const list = await world.call(MASTER, "GET", "/customer/list");
    expect(list.headers["x-total-count"]).toBe("1");
    expect(list.body).toMatchObject([{ user_id: "shop", blocked: true }]);
    expect(await world.make("/customer/delete", { user_ids: ["shop"] })).toMatchObject({
      deleted_customers: 1,
    });
    expect((await world.call(MASTER, "GET", "/customer/info?end_user_id=shop")).status).toBe(404);
  });

  it("of a team is looked after by that team's admin alone, and stays when the team goes", async () => {
    const { world } = await acme();
    await world.make("/team/new", { team_id: "ads" });
    const lead = await world.make("/user/new", {
      user_id: "lead",
      user_role: "team_admin",
      teams: ["search"],
    });
    const ask = (path: string, input: object) =>
      world.call(lead["key"] ?? null, "POST", path, input);
    expect((await ask("/customer/new", { user_id: "ours" })).body).toMatchObject({
      team_id: "search",
    });
    await world.make("/customer/new", { user_id: "theirs", team_id: "ads" });
    expect((await ask("/customer/block", { user_ids: ["theirs"] })).status).toBe(404);
    expect((await ask("/customer/block", { user_ids: ["nobody"] })).status).toBe(404);
    expect((await ask("/customer/block", { user_ids: ["ours", "theirs"] })).status).toBe(404);
    expect((await ask("/customer/new", { user_id: "x", team_id: "ads" })).status).toBe(404);
    expect((await ask("/customer/update", { user_id: "ours", team_id: "ads" })).status).toBe(404);
    const own = await world.call(lead["key"] ?? null, "GET", "/customer/list");
    expect(own.body).toMatchObject([{ user_id: "ours", blocked: false }]);
    await world.make("/team/delete", { team_ids: ["ads"] });
    const left = await world.call(MASTER, "GET", "/customer/info?end_user_id=theirs");
    expect(left.body).toMatchObject({ team_id: null });
  });
});
