import { describe, expect, it } from "vitest";
import { changeRecord, type ChangeEvent } from "../../worker/admin/change-record.ts";
import { MASTER, openWorld } from "./world.ts";

const BY = { user: "ada", keyHandle: `sha256:${"a".repeat(64)}` };
const record = (event: Partial<ChangeEvent>) =>
  changeRecord({ type: "team.updated", objectId: "t", ...event }, BY);

describe("the record of a change", () => {
  it("holds what differs before and after, who changed it and where it lies", () => {
    const before = { team_alias: "t", models: ["a", "b"], max_budget: 5, updated_at: "yesterday" };
    const after = { team_alias: "t", models: ["a"], max_budget: 5, updated_at: "today" };
    expect(record({ before, after, data: { fields: ["models"] } })).toEqual({
      object_id: "t",
      table_name: "teams",
      before_value: { models: ["a", "b"] },
      updated_values: { models: ["a"] },
      changed_by: "ada",
      changed_by_api_key: BY.keyHandle,
      fields: ["models"],
    });
  });

  it("holds the whole row of what is new, and of what is gone", () => {
    expect(record({ after: { a: 1, b: null } })).toMatchObject({
      before_value: null,
      updated_values: { a: 1, b: null },
    });
    expect(record({ before: { a: 1 } })).toMatchObject({
      before_value: { a: 1 },
      updated_values: null,
    });
  });

  it("holds no secret, whatever it is called and wherever it stands; handles and last four stay", () => {
    const secrets = {
      api_key: "plain-words",
      metadata: { deep: [{ webhook_secret: { inner: "plain-words" } }], note: "Bearer abc" },
      note: "use sk-rt-123 for it",
      key_name: "sk-…abcd",
      pem: ["-----BEGIN", "PRIVATE KEY-----"].join(" "),
    };
    const text = JSON.stringify(record({ before: secrets, after: { ...secrets, note: "sk-2" } }));
    expect(text).not.toMatch(/plain-words|sk-|abc|BEGIN/);
    const open = { token: BY.keyHandle, api_key: "…x7Qe", rpm_limit: 3 };
    expect(record({ after: open })).toMatchObject({ updated_values: open });
  });

  it("is bounded: a large member is told by its digest", () => {
    const models = Array.from({ length: 1000 }, (_, index) => `model-${index}-${"x".repeat(200)}`);
    const big = Object.fromEntries(
      ["models", "metadata", "aliases", "tags", "allowed_ips", "litellm_params"].map((name) => [
        name,
        models,
      ]),
    );
    const whole = record({ before: big, after: { ...big, models: ["one"] } });
    expect(JSON.stringify(whole).length).toBeLessThan(1000);
    expect(whole).toMatchObject({
      before_value: { models: { sha256: expect.any(String), bytes: expect.any(Number) } },
      updated_values: { models: ["one"] },
    });
  });

  it("is what a change over HTTP leaves", async () => {
    const world = openWorld();
    await world.make("/organization/new", { organization_alias: "acme" });
    await world.make("/team/new", { team_id: "t", models: ["gpt-4o", "gpt-4o-mini"] });
    const boss = await world.make("/user/new", { user_id: "boss", user_role: "org_admin" });
    world.changes.length = 0;
    const answer = await world.call(boss["key"] ?? null, "POST", "/team/update", {
      team_id: "t",
      models: ["gpt-4o-mini"],
      max_budget: 5,
    });
    expect(answer.status).toBe(200);
    expect(world.changes[0]?.events[0]?.data).toEqual({
      object_id: "t",
      table_name: "teams",
      before_value: { models: ["gpt-4o", "gpt-4o-mini"], max_budget: null, blocks_at_usd: null },
      updated_values: { models: ["gpt-4o-mini"], max_budget: 5, blocks_at_usd: 5 },
      changed_by: "boss",
      changed_by_api_key: boss["token"],
      fields: ["models", "max_budget"],
    });
    await world.call(MASTER, "POST", "/team/block", { team_id: "t" });
    expect(world.changes[1]?.events[0]?.data).toMatchObject({
      before_value: { blocked: false },
      updated_values: { blocked: true },
      changed_by: "master",
      changed_by_api_key: null,
    });
  });
});
