import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

function call(key: string, method: string, path: string, body?: unknown) {
  return fetch(gateway.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

describe("the admin plane over HTTP", () => {
  it("takes a team from its creation to a paid call, each step with the right of the one before", async () => {
    const { organization_id } = await gateway.admin<{ organization_id: string }>(
      "POST",
      "/organization/new",
      { organization_alias: "acme" },
    );
    const boss = await gateway.admin<{ key: string }>("POST", "/user/new", {
      organization_id,
      user_id: "boss",
      user_role: "org_admin",
    });
    const asBoss = async (method: string, path: string, body?: unknown) => {
      const answer = await call(boss.key, method, path, body);
      expect(answer.status, path).toBe(200);
      return (await answer.json()) as Record<string, string>;
    };
    await asBoss("POST", "/model/new", {
      model_name: "house",
      litellm_params: {
        model: "sim/echo",
        input_cost_per_token: 2.5e-6,
        output_cost_per_token: 1e-5,
      },
    });
    await asBoss("POST", "/team/new", { team_alias: "search", models: ["house"] });
    const made = await asBoss("POST", "/key/generate", { team_id: "search", key_alias: "prod" });
    const client = new OpenAI({ apiKey: made["key"], baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const said = await client.chat.completions.create({
      model: "house",
      messages: [{ role: "user", content: "hello" }],
    });
    expect(said.choices[0]?.message.content).toContain("hello");
    const refused = await client.chat.completions
      .create({ model: "sim/text", messages: [{ role: "user", content: "hello" }] })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 403, code: "model_not_allowed" });

    const used = said.usage;
    const price = (used?.prompt_tokens ?? 0) * 2.5e-6 + (used?.completion_tokens ?? 0) * 1e-5;
    await expect
      .poll(async () => {
        const info = await asBoss("GET", `/key/info?key_hash=${made["token"]}`);
        return (info["info"] as unknown as { spend: number }).spend;
      })
      .toBeCloseTo(price, 9);
    // The key itself, asked without a name, sees itself; it may not administrate.
    expect((await call(made["key"] ?? "", "GET", "/key/info")).status).toBe(200);
    expect((await call(made["key"] ?? "", "POST", "/team/new", {})).status).toBe(403);
  });

  it("refuses with the field's place, the taken name, and the methods that a path takes", async () => {
    const bad = await call(gateway.masterKey, "POST", "/model/new", {
      model_name: "m",
      litellm_params: { model: "openai/gpt-4o", api_base: "http://169.254.169.254/v1" },
    });
    expect(bad.status).toBe(400);
    expect(await bad.json()).toMatchObject({
      error: { type: "invalid_request_error", param: "litellm_params.api_base" },
    });
    const odd = await call(gateway.masterKey, "POST", "/team/new", { team_alias: 7, models: [1] });
    expect(odd.status).toBe(422);
    expect(odd.headers.get("x-should-retry")).toBe("false");
    expect(await odd.json()).toMatchObject({
      error: { code: "invalid_request", param: "team_alias" },
      detail: [
        { loc: ["body", "team_alias"], type: "string_type" },
        { loc: ["body", "models", 0], type: "string_type" },
      ],
    });
    const secret = await call(gateway.masterKey, "POST", "/model/new", {
      model_name: "m",
      litellm_params: { model: "openai/gpt-4o", api_key: "os.environ/KEK" },
    });
    expect(secret.status).toBe(400);
    await gateway.admin("POST", "/team/new", { team_alias: "once" });
    const twice = await call(gateway.masterKey, "POST", "/team/new", { team_alias: "once" });
    expect(twice.status).toBe(409);
    expect(await twice.json()).toMatchObject({ error: { type: "conflict", param: "team_alias" } });
    const put = await call(gateway.masterKey, "PUT", "/team/new", {});
    expect(put.status).toBe(405);
    expect(put.headers.get("allow")).toBe("POST");
    expect((await call("sk-wrong", "GET", "/team/list")).status).toBe(401);
  });

  it("names an endpoint that is not there in the words of whoever asks", async () => {
    const missing = async (path: string) => {
      const answer = await fetch(gateway.url + path, { method: "POST" });
      expect(answer.status, path).toBe(404);
      return answer.json();
    };
    expect(await missing("/v1beta/models/m:embedContent")).toMatchObject({
      error: { code: 404, status: "NOT_FOUND", message: expect.stringContaining("/docs") },
    });
    expect(await missing("/anthropic/v1/files")).toMatchObject({
      type: "error",
      error: { type: "not_found_error" },
    });
    expect(await missing("/v1/images/generations")).toMatchObject({ error: { code: "not_found" } });
  });

  it("serves its documents to anybody, and never a secret in answers or logs", async () => {
    for (const path of ["/openapi.json", "/docs", "/docs/style.css", "/docs/search.js"]) {
      const answer = await fetch(gateway.url + path);
      expect(answer.status, path).toBe(200);
      expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    }
    const root = await fetch(gateway.url, { redirect: "manual" });
    expect([root.status, root.headers.get("location")]).toEqual([302, "/docs"]);
    const page = await (await fetch(`${gateway.url}/docs`)).text();
    expect(page).not.toMatch(/<script(?! src="\/docs)|style="|(src|href)="https?:/);
    const api_key = "sk-upstream-canary-aaaabbbbcccc9Z8y";
    const made = await gateway.admin("POST", "/model/new", {
      model_name: "sealed",
      litellm_params: { model: "openai/gpt-4o", api_key },
    });
    const shown = [made, await gateway.admin("GET", "/model/info"), gateway.logs];
    expect(JSON.stringify(shown)).not.toContain("canary");
    expect(JSON.stringify(made)).toContain("…9Z8y");
    expect(JSON.stringify(gateway.logs)).not.toContain(gateway.masterKey);
  });
});
