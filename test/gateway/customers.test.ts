import { afterAll, beforeAll, expect, test } from "vitest";
import { MODEL, startGround, type Ground } from "./support/ground.ts";

let ground: Ground;
let organization_id: string;
beforeAll(async () => {
  ground = await startGround();
  const { gw, up } = ground;
  organization_id = gw.tenant.organizationId;
  for (const region_name of ["eu-central-1", "us-east-1"]) {
    const target = { upstream: up, organizationId: organization_id, model: `at-${region_name}` };
    await gw.newModel("spread", target, { region_name });
  }
  const rules: [user_id: string, more: object][] = [
    ["of-eu", { allowed_model_region: "eu" }],
    ["of-cn", { allowed_model_region: "cn-only" }],
    ["modest", { default_model: MODEL.openai }],
    ["narrow", { default_model: "spread", allowed_model_region: "us" }],
  ];
  for (const [user_id, more] of rules) {
    await gw.admin("POST", "/customer/new", { organization_id, user_id, ...more });
  }
});
afterAll(() => ground?.stop());

const messages = [{ role: "user", content: "hello" }];
const ask = (body: object) => ground.post("openai", { messages, ...body });

test("a customer's region narrows every choice, and nothing widens it", async () => {
  const { up } = ground;
  for (let n = 0; n < 12; n++) {
    up.calls.clear();
    const answer = await ask({ model: "spread", user: "of-eu" });
    expect(answer.status).toBe(200);
    expect(up.calls.all.map((call) => call.model)).toEqual(["at-eu-central-1"]);
  }
  up.calls.clear();
  const refused = await ask({ model: "spread", customer_id: "of-cn" });
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ error: { code: "policy_no_candidate" } });
  // A deployment that says no region lies in none.
  expect((await ask({ model: MODEL.openai, user: "of-eu" })).status).toBe(403);
  expect(up.calls.all).toEqual([]);
});

test("a customer's default model serves what names no model, as it was sent otherwise", async () => {
  const { up } = ground;
  up.calls.clear();
  const body = `  { "messages": ${JSON.stringify(messages)}, "user":"modest", "seed": 7}`;
  expect((await ground.post("openai", body)).status).toBe(200);
  expect(up.calls.all[0]?.body).toMatchObject({ model: MODEL.openai, messages, seed: 7 });
  expect((await ask({ user: "narrow" })).status).toBe(200);
  expect(up.calls.all[1]?.model).toBe("at-us-east-1");
  // What is named counts, also where it does not exist.
  expect((await ask({ user: "modest", model: "no-such-model" })).status).toBe(404);
  for (const user of ["stranger", "of-eu", "constructor"]) {
    const refused = await ask({ user });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { param: "model" } });
  }
});

test("a rule that is changed counts within 5 s", async () => {
  const { gw } = ground;
  const change = { organization_id, user_id: "of-cn", allowed_model_region: "us" };
  const shown = await gw.admin<Record<string, unknown>>("POST", "/customer/update", change);
  expect(shown).toMatchObject({ allowed_model_region: "us", default_model: null });
  const status = async () => (await ask({ model: "spread", user: "of-cn" })).status;
  await expect.poll(status, { timeout: 5000 }).toBe(200);
  await gw.admin("POST", "/customer/delete", { organization_id, user_ids: ["modest"] });
  const without = async () => (await ask({ user: "modest" })).status;
  await expect.poll(without, { timeout: 5000 }).toBe(400);
});
