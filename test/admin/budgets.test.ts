import { expect, test } from "vitest";
import { MASTER, openWorld } from "./world.ts";

async function acme() {
  const world = openWorld(() => Date.UTC(2026, 10, 21));
  await world.make("/organization/new", { organization_alias: "acme" });
  await world.make("/team/new", { team_alias: "search", team_id: "search" });
  await world.make("/user/new", { user_id: "ada", auto_create_key: false });
  await world.make("/customer/new", { user_id: "anna" });
  await world.make("/key/generate", { key_alias: "k" });
  return world;
}

/** Every kind of object that takes budget fields, by the call that changes one. */
const HOLDERS: [string, string, Record<string, string>][] = [
  ["PATCH", "/organization/update", {}],
  ["POST", "/team/update", { team_id: "search" }],
  ["POST", "/user/update", { user_id: "ada" }],
  ["POST", "/customer/update", { user_id: "anna" }],
  ["POST", "/key/update", { key: "k" }],
];

test.each([
  [{ m: "much" }, "model_max_budget.m"],
  [{ m: "" }, "model_max_budget.m"],
  [{ m: -1 }, "model_max_budget.m"],
  [{ m: [1] }, "model_max_budget.m"],
  [{ m: { max_budget: "much" } }, "model_max_budget.m.max_budget"],
  [{ m: { max_bugdet: 1 } }, "model_max_budget.m"],
  [{ m: { max_budget: 1, budget_duration: "1 month" } }, "model_max_budget.m.budget_duration"],
  [{ m: { rpm_limit: 1.5 } }, "model_max_budget.m.rpm_limit"],
])("a model's budget that limits nothing is refused rather than kept: %j", async (value, param) => {
  const world = await acme();
  for (const [method, path, name] of HOLDERS) {
    const { status, body } = await world.call(MASTER, method, path, {
      ...name,
      model_max_budget: value,
    });
    expect([path, status, body["error"]?.["param"]]).toEqual([path, 422, param]);
  }
});

test("a model's budget is taken in each form that clients write", async () => {
  const world = await acme();
  const forms = {
    a: 5,
    b: "0.5",
    c: { budget_limit: 1, time_period: "1d" },
    d: { max_budget: 1, budget_duration: null, rpm_limit: 5, tpm_limit: 100 },
  };
  for (const [method, path, name] of HOLDERS) {
    const { status, body } = await world.call(MASTER, method, path, {
      ...name,
      model_max_budget: forms,
    });
    expect([path, status, body["model_max_budget"]]).toEqual([path, 200, forms]);
  }
});

test("everything that has a budget may have more of it for a while, and null ends that", async () => {
  const world = await acme();
  const more = { temp_budget_increase: 3, temp_budget_expiry: "2026-11-22T00:00:00Z" };
  const shown = { temp_budget_increase: 3, temp_budget_expiry: "2026-11-22T00:00:00.000Z" };
  const nothing = { temp_budget_increase: null, temp_budget_expiry: null };
  await world.make("/budget/new", { budget_id: "b", max_budget: 1 });
  for (const [method, path, name] of [...HOLDERS, ["POST", "/budget/update", { budget_id: "b" }]]) {
    const change = (fields: object) =>
      world.call(MASTER, String(method), String(path), { ...(name as object), ...fields });
    const { body } = await change({ max_budget: 1, ...more });
    expect([path, body]).toMatchObject([path, shown]);
    expect((await change({ temp_budget_increase: 3 })).body["error"]).toMatchObject({
      param: "temp_budget_expiry",
    });
    const late = { ...more, temp_budget_expiry: "2026-11-20T00:00:00Z" };
    expect([path, (await change(late)).status]).toEqual([path, 422]);
    expect((await change(nothing)).body).toMatchObject({ max_budget: 1, ...nothing });
  }
});

test("a budget that is named fills what is open, and takes with it only what it brought", async () => {
  const world = await acme();
  await world.make("/budget/new", { budget_id: "a", max_budget: 5, tiers: { warn: 0.5 } });
  await world.make("/budget/new", { budget_id: "b", soft_budget: 2 });
  for (const [method, path, name] of HOLDERS) {
    const change = async (fields: object) =>
      (await world.call(MASTER, method, path, { ...name, ...fields })).body;
    await change({ rpm_limit: 7 });
    const attached = { budget_id: "a", max_budget: 5, rpm_limit: 7, tiers: { warn: 0.5 } };
    expect(await change({ budget_id: "a" })).toMatchObject(attached);
    const other = { budget_id: "b", max_budget: null, soft_budget: 2, rpm_limit: 7, tiers: null };
    expect(await change({ budget_id: "b" })).toMatchObject(other);
    const own = { budget_id: null, max_budget: null, soft_budget: null, rpm_limit: 7 };
    expect(await change({ budget_id: null })).toMatchObject(own);
    expect(await change({ budget_id: null, max_budget: 4 })).toMatchObject({ max_budget: 4 });
    expect(await change({ budget_id: null })).toMatchObject({ max_budget: 4 });
  }
});

test("a change or the end of a budget leaves alone what those it is attached to have of their own", async () => {
  const world = await acme();
  await world.make("/budget/new", { budget_id: "a", max_budget: 5, rpm_limit: 100 });
  const own = { max_budget: 1, model_max_budget: { m: 1 } };
  await world.make("/team/update", { team_id: "search", budget_id: "a", ...own });
  const team = async () => {
    const { body } = await world.call(MASTER, "GET", "/team/info?team_id=search");
    return body["team_info"];
  };
  expect(await team()).toMatchObject({ max_budget: 1, rpm_limit: 100 });
  await world.make("/budget/update", { budget_id: "a", max_budget: 50, rpm_limit: 200 });
  expect(await team()).toMatchObject({ max_budget: 1, rpm_limit: 200 });
  await world.make("/budget/delete", { id: "a" });
  expect(await team()).toMatchObject({ budget_id: null, rpm_limit: null, ...own });
});

test("rates by model are taken as clients write them, beside what a model may spend, and shown", async () => {
  const world = await acme();
  await world.make("/budget/new", { budget_id: "b", max_budget: 1 });
  for (const [method, path, name] of [...HOLDERS, ["POST", "/budget/update", { budget_id: "b" }]]) {
    const change = async (fields: object) => {
      const input = { ...(name as object), ...fields };
      return (await world.call(MASTER, String(method), String(path), input)).body;
    };
    await change({ model_max_budget: { m: 5, n: { max_budget: 1, rpm: 9 } } });
    expect([path, await change({ model_rpm_limit: { m: 3 } })]).toMatchObject([
      path,
      {
        model_max_budget: { m: { max_budget: 5, rpm_limit: 3 }, n: { max_budget: 1 } },
        model_rpm_limit: { m: 3 },
      },
    ]);
    expect(await change({ model_tpm_limit: { o: 100 } })).toMatchObject({
      model_rpm_limit: { m: 3 },
      model_tpm_limit: { o: 100 },
    });
    const cleared = await change({ model_rpm_limit: null, model_tpm_limit: null });
    expect(cleared["model_max_budget"]).toEqual({ m: { max_budget: 5 }, n: { max_budget: 1 } });
    const { status } = await world.call(MASTER, String(method), String(path), {
      ...(name as object),
      model_rpm_limit: { m: "many" },
    });
    expect([path, status]).toEqual([path, 422]);
  }
  const made = await world.make("/key/generate", { model_rpm_limit: { m: 2 } });
  expect(made).toMatchObject({ model_max_budget: { m: { rpm_limit: 2 } } });
});
