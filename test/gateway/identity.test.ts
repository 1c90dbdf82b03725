import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../support/upstream/index.ts";

const FIRST = "sk-upstream-first-0123456789";
const NEXT = "sk-upstream-next-0123456789";
/** A change counts everywhere after 5 s at most; reading of it takes a moment more. */
const SOON = { timeout: 7_000, interval: 100 };

let gw: TestGateway;
let up: Upstream;
beforeAll(async () => {
  [gw, up] = await Promise.all([
    startGateway({ vars: { PROFILE: "self-hosted" }, tenant: false }),
    startUpstream(),
  ]);
  await gw.admin("POST", "/organization/new", { organization_alias: "acme" });
  await gw.admin("POST", "/credentials", {
    credential_name: "house",
    credential_values: { api_key: FIRST, api_base: `${up.url}/v1` },
    credential_info: { custom_llm_provider: "openai" },
  });
  await gw.admin("POST", "/model/new", {
    model_name: "house",
    litellm_params: { model: "openai/gpt-test", litellm_credential_name: "house" },
    model_info: { id: "house-1" },
  });
});
afterAll(() => Promise.all([gw.stop(), up.stop()]));

type Row = Record<string, string>;
const post = (path: string, body: object) => gw.admin<Row>("POST", path, body);

/** The status of a chat call, as any client makes it. */
async function chat(key: string | undefined, more: object = {}): Promise<number> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "house",
      messages: [{ role: "user", content: "hi" }],
      ...more,
    }),
  });
  await answer.text();
  return answer.status;
}

describe("a change made over HTTP reaches the calls to models", () => {
  it("of a key: grace, regeneration, block, allowlist and deletion", async () => {
    const made = await post("/key/generate", { key_alias: "k" });
    expect(await chat(made["key"])).toBe(200);
    const next = await post("/key/k/regenerate", { grace_period: "1h" });
    expect([await chat(made["key"]), await chat(next["key"])]).toEqual([200, 200]);
    await expect.poll(() => chat(made["key"]), SOON).toBe(200);
    const last = await post("/key/regenerate", { key: "k" });
    expect(await chat(last["key"])).toBe(200);
    await expect.poll(() => chat(made["key"]), SOON).toBe(401);
    await expect.poll(() => chat(next["key"]), SOON).toBe(401);
    await post("/key/block", { key: "k" });
    await expect.poll(() => chat(last["key"]), SOON).toBe(401);
    await post("/key/unblock", { key: "k" });
    await expect.poll(() => chat(last["key"]), SOON).toBe(200);
    await gw.admin("PUT", "/key/update", { key: "k", models: ["other"] });
    await expect.poll(() => chat(last["key"]), SOON).toBe(403);
    await gw.admin("DELETE", "/key/delete", { key_aliases: ["k"] });
    await expect.poll(() => chat(last["key"]), SOON).toBe(401);
  }, 60_000);

  it("of a team and its members: block, deletion, and a place of the same name that brings nothing back", async () => {
    await post("/team/new", { team_id: "search" });
    await post("/user/new", { user_id: "ada", teams: ["search"], auto_create_key: false });
    const adas = await post("/key/generate", { team_id: "search", user_id: "ada" });
    const teams = await post("/key/generate", { team_id: "search" });
    expect([await chat(adas["key"]), await chat(teams["key"])]).toEqual([200, 200]);
    await post("/team/block", { team_id: "search" });
    await expect.poll(() => chat(teams["key"]), SOON).toBe(401);
    await post("/team/unblock", { team_id: "search" });
    await expect.poll(() => chat(teams["key"]), SOON).toBe(200);
    await post("/team/member_delete", { team_id: "search", user_id: "ada" });
    await expect.poll(() => chat(adas["key"]), SOON).toBe(401);
    expect(await chat(teams["key"])).toBe(200);
    await post("/team/delete", { team_ids: ["search"] });
    await post("/team/new", { team_id: "search" });
    await expect.poll(() => chat(teams["key"]), SOON).toBe(401);
    const fresh = await post("/key/generate", { team_id: "search" });
    expect([await chat(fresh["key"]), await chat(teams["key"])]).toEqual([200, 401]);
  }, 60_000);

  it("of a user: deletion ends the keys, and the same id again is somebody else", async () => {
    const made = await post("/user/new", { user_id: "bob" });
    expect(await chat(made["key"])).toBe(200);
    await gw.admin("DELETE", "/user/delete", { user_ids: ["bob"] });
    await post("/user/new", { user_id: "bob", auto_create_key: false });
    await expect.poll(() => chat(made["key"]), SOON).toBe(401);
  }, 30_000);

  it("of a customer: blocked by either name of the field, others and unknown ones go through", async () => {
    const { key } = await post("/key/generate", {});
    expect(await chat(key, { user: "shop" })).toBe(200);
    await post("/customer/block", { user_ids: ["shop"] });
    await expect.poll(() => chat(key, { user: "shop" }), SOON).toBe(403);
    expect(await chat(key, { customer_id: "shop" })).toBe(403);
    expect(await chat(key, { metadata: { customer_id: "shop" } })).toBe(403);
    expect([await chat(key, { user: "stranger" }), await chat(key)]).toEqual([200, 200]);
    await post("/customer/unblock", { user_ids: ["shop"] });
    await expect.poll(() => chat(key, { user: "shop" }), SOON).toBe(200);
  }, 30_000);

  it("of a credential and a model: the next secret, the next name at the provider, and none at last", async () => {
    const { key } = await post("/key/generate", {});
    expect(await chat(key)).toBe(200);
    const sent = () => up.calls.all.at(-1)?.headers["authorization"];
    expect(sent()).toBe(`Bearer ${FIRST}`);
    await gw.admin("PATCH", "/credentials/house", { credential_values: { api_key: NEXT } });
    await expect
      .poll(async () => {
        await chat(key);
        return sent();
      }, SOON)
      .toBe(`Bearer ${NEXT}`);
    const evil = { api_base: "https://evil.example/v1" };
    await expect(
      gw.admin("PATCH", "/model/house-1/update", { litellm_params: evil }),
    ).rejects.toMatchObject({ status: 400 });
    await gw.admin("PATCH", "/model/house-1/update", {
      litellm_params: { model: "openai/gpt-next" },
    });
    await expect
      .poll(async () => {
        await chat(key);
        return up.calls.all.at(-1)?.model;
      }, SOON)
      .toBe("gpt-next");
    await post("/model/delete", { id: "house-1" });
    await expect.poll(() => chat(key), SOON).toBe(404);
    await gw.admin("DELETE", "/credentials/house");
  }, 60_000);

  it("of an own provider key: the provider's models come and go with it", async () => {
    const { key } = await post("/key/generate", {});
    const models = async () => {
      const answer = await fetch(`${gw.url}/v1/models`, {
        headers: { authorization: `Bearer ${key}` },
      });
      const { data } = (await answer.json()) as { data: { owned_by: string }[] };
      return data.some((each) => each.owned_by === "anthropic");
    };
    expect(await models()).toBe(false);
    await post("/byok", { provider: "anthropic", api_key: FIRST });
    await expect.poll(models, SOON).toBe(true);
    await post("/byok/anthropic/rotate", { api_key: NEXT });
    expect(await gw.admin("DELETE", "/byok/anthropic")).toMatchObject({ source: "none" });
    await expect.poll(models, SOON).toBe(false);
  }, 30_000);

  it("and no secret shows in a log or on record", async () => {
    const rows = await Promise.all(
      ["audit_events", "credentials", "keys"].map((table) => gw.sql(`select * from ${table}`)),
    );
    const kept = JSON.stringify([gw.logs, rows]);
    for (const secret of [FIRST, NEXT, gw.masterKey]) expect(kept).not.toContain(secret);
    expect(kept).not.toMatch(/sk-rt-\w{13}-\w{12}-\w{43}/);
  });
});
