import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../worker/core/json.ts";
import { readShared } from "../../worker/store/org-rows.ts";
import { MASTER, openWorld, type World } from "./world.ts";

const FIRST = "sk-up-first-000000001111";
const NEXT = "sk-up-next-0000000002222";

async function acme() {
  const world = openWorld();
  const org = await world.make("/organization/new", { organization_alias: "acme" });
  return { world, orgId: String(org["organization_id"]).slice(4) };
}

/** What the path holds of the organization's secrets, opened. */
async function secrets(world: World, orgId: string) {
  const shared = await readShared(world.deps.db, orgId);
  return Promise.all(
    (shared?.credentials ?? []).map(async (each) => ({
      provider: each.provider,
      host: each.host,
      secret: await world.deps.vault.open(orgId, each),
    })),
  );
}

const model = (api: JsonObject = {}): JsonObject => ({
  model_name: "gpt",
  litellm_params: { model: "openai/gpt-4o", api_key: FIRST, ...api },
  model_info: { id: "d1" },
});

describe("a stored secret", () => {
  it("is bound to where it was saved for: another address or provider needs it sent again", async () => {
    const { world, orgId } = await acme();
    await world.make("/model/new", model());
    const rows = world.rows();
    const before = await secrets(world, orgId);
    for (const litellm_params of [
      { api_base: "https://evil.example/v1" },
      { api_base: "https://api.openai.com/v1/elsewhere" },
      { api_base: "https://api.openai.com:8443/v1" },
      { model: "groq/llama" },
      { custom_llm_provider: "groq" },
    ]) {
      for (const [method, path] of [
        ["POST", "/model/update"],
        ["PATCH", "/model/update"],
        ["PATCH", "/model/d1/update"],
      ] as const) {
        const answer = await world.call(MASTER, method, path, { model_id: "d1", litellm_params });
        expect(answer, JSON.stringify(litellm_params)).toMatchObject({
          status: 400,
          body: { error: { param: "litellm_params.api_base" } },
        });
      }
    }
    expect(world.rows()).toBe(rows);
    expect(await secrets(world, orgId)).toEqual(before);
    const moved = await world.call(MASTER, "PATCH", "/model/d1/update", {
      litellm_params: { api_base: "https://eu.example.com/v1", api_key: NEXT },
    });
    expect(moved.body).toMatchObject({
      model_id: "d1",
      litellm_params: { api_base: "https://eu.example.com/v1", api_key: "…2222" },
    });
    expect(await secrets(world, orgId)).toEqual([
      { provider: "openai", host: "eu.example.com", secret: NEXT },
    ]);
    for (const bad of ["http://169.254.169.254/v1", "https://metadata.google.internal/v1"]) {
      const answer = await world.call(MASTER, "PATCH", "/model/d1/update", {
        litellm_params: { api_base: bad, api_key: NEXT },
      });
      expect(answer.status).toBe(400);
    }
  });

  it("with a name is used by the models that name it, follows its changes, and stays while it is used", async () => {
    const { world, orgId } = await acme();
    const cred = {
      credential_name: "eu",
      credential_values: { api_key: FIRST, api_base: "https://eu.example.com/v1" },
      credential_info: { custom_llm_provider: "openai", description: "EU" },
    };
    expect(await world.make("/credentials", cred)).toMatchObject({
      success: true,
      credential_info: { custom_llm_provider: "openai", description: "EU" },
      credential_values: { api_key: "…1111", api_base: "https://eu.example.com/v1" },
    });
    expect((await world.call(MASTER, "POST", "/credentials", cred)).status).toBe(409);
    const named = { api_key: null, litellm_credential_name: "eu" };
    const made = await world.make("/model/new", model(named));
    expect(made).toMatchObject({
      litellm_params: { api_base: "https://eu.example.com/v1", api_key: "…1111" },
    });
    const patch = (credential_values: JsonObject) =>
      world.call(MASTER, "PATCH", "/credentials/eu", { credential_values });
    expect((await patch({ api_base: "https://evil.example/v1" })).status).toBe(400);
    expect((await patch({ api_key: NEXT })).body).toMatchObject({ version: 2 });
    expect(await secrets(world, orgId)).toEqual([
      { provider: "openai", host: "eu.example.com", secret: NEXT },
    ]);
    const moved = { api_key: NEXT, api_base: "https://us.example.com/v1" };
    expect((await patch(moved)).body).toMatchObject({ version: 3, host: "us.example.com" });
    const weighed = { model_id: "d1", litellm_params: { weight: 4 } };
    expect(await world.make("/model/update", weighed)).toMatchObject({
      litellm_params: { api_base: "https://us.example.com/v1", weight: 4, api_key: "…2222" },
    });
    expect((await world.call(MASTER, "DELETE", "/credentials/eu")).status).toBe(409);
    const foreign = model({ ...named, api_base: "https://evil.example/v1" });
    const other = { ...foreign, model_info: { id: "d2" } };
    expect((await world.call(MASTER, "POST", "/model/new", other)).status).toBe(422);
    await world.make("/model/delete", { id: "d1" });
    expect((await world.call(MASTER, "DELETE", "/credentials/eu")).status).toBe(200);
    expect(await secrets(world, orgId)).toEqual([]);
  });

  it("of a deployment goes with it; what a change leaves alone stays", async () => {
    const { world, orgId } = await acme();
    const prices = { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 };
    await world.make("/model/new", model({ ...prices, weight: 2, tags: ["a"], timeout: 9 }));
    const changed = await world.make("/model/update", {
      model_info: { id: "d1", supports_vision: false },
      litellm_params: { output_cost_per_token: 3e-6, weight: null },
    });
    expect(changed).toMatchObject({
      litellm_params: { weight: 1, tags: ["a"], timeout: 9, api_key: "…1111" },
      model_info: {
        input_cost_per_token: 1e-6,
        output_cost_per_token: 3e-6,
        supports_vision: false,
      },
    });
    const renamed = await world.make("/model/update", { model_id: "d1", model_name: "best" });
    expect(renamed).toMatchObject({
      model_name: "best",
      model_info: { output_cost_per_token: 3e-6, supports_vision: false },
    });
    await world.make("/model/delete", { id: "d1" });
    expect(await secrets(world, orgId)).toEqual([]);
    expect((await world.call(MASTER, "POST", "/model/delete", { id: "d1" })).status).toBe(404);
  });

  it("of an own provider key is one per provider, first in line, and leaves the platform's behind it", async () => {
    const { world, orgId } = await acme();
    await world.make("/model/new", model());
    expect(await world.make("/byok", { provider: "openai", api_key: FIRST })).toMatchObject({
      provider: "openai",
      api_key: "…1111",
      source: "own",
      host: "api.openai.com",
    });
    const again = { provider: "openai", api_key: NEXT };
    expect(await world.call(MASTER, "POST", "/byok", again)).toMatchObject({
      status: 409,
      body: { error: { param: "provider" } },
    });
    await world.make("/byok/openai/rotate", { api_key: NEXT });
    expect((await secrets(world, orgId))[0]?.secret).toBe(NEXT);
    expect((await world.call(MASTER, "GET", "/byok")).body).toMatchObject({
      total: 1,
      keys: [{ provider: "openai", version: 2, api_key: "…2222" }],
    });
    expect((await world.call(MASTER, "GET", "/credentials")).body).toMatchObject({ total: 0 });
    expect((await world.call(MASTER, "DELETE", "/byok/openai")).body).toEqual({
      provider: "openai",
      source: "platform",
    });
    expect((await secrets(world, orgId)).map((each) => each.secret)).toEqual([FIRST]);
    expect((await world.call(MASTER, "DELETE", "/byok/openai")).status).toBe(404);
    expect(
      (await world.call(MASTER, "POST", "/byok", { provider: "sim", api_key: NEXT })).status,
    ).toBe(422);
  });

  it("is in no answer, no log and no record", async () => {
    const { world } = await acme();
    const answers: unknown[] = [];
    const ask = async (method: string, path: string, input?: unknown) =>
      void answers.push(await world.call(MASTER, method, path, input));
    const nasty = { api_key: FIRST, aws_secret_access_key: FIRST };
    await ask("POST", "/model/new", model());
    await ask("POST", "/model/update", { model_id: "d1", litellm_params: nasty });
    await ask("POST", "/credentials", { credential_name: "c", credential_values: nasty });
    await ask("POST", "/credentials", {
      credential_name: "c",
      credential_values: { api_key: FIRST },
      credential_info: { custom_llm_provider: "openai" },
    });
    await ask("PATCH", "/credentials/c", { credential_values: { api_key: `${FIRST} ` } });
    await ask("POST", "/byok", { provider: "openai", api_key: FIRST });
    await ask("POST", "/byok", { provider: FIRST, api_key: FIRST });
    for (const path of ["/model/info", "/credentials", "/byok"]) await ask("GET", path);
    const events = world.changes.map((each) => each.events);
    expect(JSON.stringify([answers, world.logs, events])).not.toContain(FIRST);
    const statements = JSON.stringify(world.changes.map((each) => each.statements));
    expect(statements).not.toContain(FIRST);
  });
});

describe("the webhook of an organization", () => {
  it("is sent to public addresses over https alone, and the path never holds its secret", async () => {
    const { world, orgId } = await acme();
    const update = (alerting_webhook_url: string) =>
      world.call(MASTER, "POST", "/config/update", {
        organization_id: orgId,
        general_settings: { alerting_webhook_url },
      });
    for (const url of [
      "http://hooks.example.com/a",
      "https://10.0.0.1/a?token=x",
      "https://169.254.169.254/?a=b",
      "https://user:pass@hooks.example.com/",
      "//hooks.example.com",
    ]) {
      const { status, body } = await update(url);
      expect([url, status, JSON.stringify(body)]).toEqual([
        url,
        expect.any(Number),
        expect.stringContaining("general_settings.alerting_webhook_url"),
      ]);
      expect(status).toBeGreaterThanOrEqual(400);
    }
    const { status } = await update("https://hooks.example.com/a?token=x");
    expect(status).toBe(200);
    expect(await secrets(world, orgId)).toEqual([]);
  });
});
