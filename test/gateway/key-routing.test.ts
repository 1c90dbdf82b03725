import { afterAll, beforeAll, expect, test } from "vitest";
import { startGround, type Ground } from "./support/ground.ts";

let ground: Ground;
let organization_id: string;
beforeAll(async () => {
  ground = await startGround();
  organization_id = ground.gw.tenant.organizationId;
  for (const region_name of ["eu-central-1", "us-east-1"]) {
    const { gw, up } = ground;
    const target = { upstream: up, organizationId: organization_id, model: `at-${region_name}` };
    const prices = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-6 };
    await gw.newModel("spread", target, { region_name, ...prices });
  }
});
afterAll(() => ground?.stop());

type Row = Record<string, unknown>;

async function admin(path: string, body: object, key = ground.gw.masterKey) {
  const answer = await fetch(ground.gw.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ organization_id, ...body }),
  });
  return { status: answer.status, body: (await answer.json()) as Row };
}

async function served(key: unknown): Promise<string[]> {
  const { up, post } = ground;
  up.calls.clear();
  const statuses = new Set<number>();
  for (let n = 0; n < 8; n++) {
    const body = { model: "spread", messages: [{ role: "user", content: `hello ${n}` }] };
    const headers = { authorization: `Bearer ${String(key)}` };
    statuses.add((await post("openai", body, { headers })).status);
  }
  const models = new Set(up.calls.all.map((call) => call.model));
  return [...statuses].map(String).concat([...models].toSorted());
}

test("a key's router settings are shown, bind its calls, and bind every key that it makes", async () => {
  const made = await admin("/key/generate", {
    key_type: "default",
    user_id: ground.gw.tenant.userId,
    router_settings: { residency: "us-only", num_retries: 0, max_cost_usd: 1 },
  });
  expect(made.body).toMatchObject({
    policy_id: null,
    router_settings: { residency: "us-only", num_retries: 0, max_cost_usd: 1 },
  });
  const key = String(made.body["key"]);
  expect(await served(key)).toEqual(["200", "at-us-east-1"]);

  const child = await admin("/key/generate", { router_settings: { num_retries: 1 } }, key);
  expect(child.body["router_settings"]).toEqual({
    residency: "us-only",
    num_retries: 1,
    max_cost_usd: 1,
  });
  expect(await served(child.body["key"])).toEqual(["200", "at-us-east-1"]);
  const wider = [
    { residency: "eu-only" },
    { residency: ["us-east-1", "eu-central-1"] },
    { max_cost_usd: 2 },
  ];
  for (const router_settings of wider) {
    const refused = await admin("/key/generate", { router_settings }, key);
    expect(refused.status, JSON.stringify(router_settings)).toBe(403);
  }
  // Nor does it lift its own.
  const own = { key: made.body["token"], router_settings: null };
  expect((await admin("/key/update", own, key)).body["router_settings"]).toEqual({
    residency: "us-only",
    max_cost_usd: 1,
  });
  expect((await admin("/key/update", own)).body["router_settings"]).toEqual({});
  await expect.poll(() => served(key), { timeout: 5000, interval: 200 }).toHaveLength(3);
});

test("a key's residency never lifts the organization's", async () => {
  const made = await admin("/key/generate", { router_settings: { residency: "us-only" } });
  await admin("/config/update", { router_settings: { residency: "eu-only" } });
  try {
    await expect
      .poll(() => served(made.body["key"]), { timeout: 5000, interval: 200 })
      .toEqual(["403"]);
  } finally {
    await admin("/config/update", { router_settings: { residency: null } });
  }
});

test("what is no setting, and a policy that does not exist, is refused and named", async () => {
  const faults: [input: object, status: number, param: string][] = [
    [{ router_settings: { routing_strategy: "best" } }, 422, "router_settings.routing_strategy"],
    [{ router_settings: { residancy: "eu-only" } }, 422, "router_settings"],
    [{ router_settings: { fallbacks: "gpt" } }, 422, "router_settings.fallbacks"],
    [{ policy_id: "strict" }, 404, "policy_id"],
  ];
  const key = (await admin("/key/generate", {})).body["token"];
  for (const [input, status, param] of faults) {
    for (const [path, more] of [
      ["/key/generate", {}],
      ["/key/update", { key }],
    ] as const) {
      const refused = await admin(path, { ...more, ...input });
      expect(refused, `${path} ${JSON.stringify(input)}`).toMatchObject({
        status,
        body: { error: { param } },
      });
    }
  }
  expect((await admin("/key/update", { key, policy_id: null })).status).toBe(200);
});
