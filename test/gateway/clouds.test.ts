import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportPKCS8, generateKeyPair } from "jose";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AdminError } from "../support/cluster/client.ts";
import { text } from "../support/upstream/index.ts";
import { startGround, type Ground } from "./support/ground.ts";

/* Clouds: credentials of several parts, addresses made of parameters, and no secret ever told again. */

let ground: Ground;
let identity: { url: string; server: Server; asked: string[] };
let pem: string;

beforeAll(async () => {
  ground = await startGround();
  const asked: string[] = [];
  const server = createServer((req, res) => {
    let body = "";
    req.on("data", (chunk: Buffer) => (body += chunk.toString()));
    req.on("end", () => {
      asked.push(`${req.url} ${body}`);
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ access_token: `token-${asked.length}`, expires_in: 3600 }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  identity = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, asked };
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  pem = await exportPKCS8(privateKey);
});
beforeEach(() => ground.up.reset());
afterAll(async () => {
  identity.server.close();
  await ground.stop();
});

const send = (name: string, params: object) =>
  ground.gw.admin<Record<string, unknown>>("POST", "/model/new", {
    model_name: name,
    organization_id: ground.gw.tenant.organizationId,
    litellm_params: params,
  });

/** Adds a deployment and waits until it is known where calls are served. */
async function add(name: string, params: object): Promise<Record<string, unknown>> {
  const added = await send(name, params);
  const known = async () => (await ground.openai().models.list()).data.map((each) => each.id);
  await expect.poll(known, { timeout: 5000 }).toContain(name);
  return added;
}

async function call(model: string, upstreamModel: string) {
  ground.up.model(upstreamModel, text("Hello."));
  const answer = await ground.openai().chat.completions.create({
    model,
    messages: [{ role: "user", content: "hi" }],
  });
  expect(answer.choices[0]?.message.content).toBe("Hello.");
  return ground.up.calls.of(upstreamModel).at(-1)!;
}

const account = () => ({
  type: "service_account",
  client_email: "gateway@project.iam.gserviceaccount.com",
  private_key: pem,
  token_uri: `${identity.url}/token`,
});

test("a service account is exchanged once for a token, and never shown", async () => {
  const added = await add("vertex", {
    model: "vertex_ai/gemini-cloud",
    api_base: ground.up.url,
    vertex_project: "project-1",
    vertex_location: "europe-west4",
    vertex_credentials: account(),
  });
  const first = await call("vertex", "gemini-cloud");
  expect(first.path).toBe(
    "/v1/projects/project-1/locations/europe-west4/publishers/google/models/gemini-cloud:generateContent",
  );
  expect(first.headers.authorization).toMatch(/^Bearer token-\d+$/);
  const second = await call("vertex", "gemini-cloud");
  expect(second.headers.authorization).toBe(first.headers.authorization);
  expect(identity.asked.filter((each) => each.startsWith("/token"))).toHaveLength(1);
  const shown = JSON.stringify([added, await ground.gw.admin("GET", "/model/info")]);
  expect(shown).not.toContain(pem.slice(40, 80));
  expect(shown).not.toContain("gateway@project");
  expect(shown).toContain("europe-west4");
});

test("Azure takes a key, an Entra token or nothing that is not whole, at its own path and version", async () => {
  await add("azure-key", {
    model: "azure/cloud-a",
    api_base: ground.up.url,
    api_key: "azure-secret-1",
  });
  const byKey = await call("azure-key", "cloud-a");
  expect(byKey.path).toBe("/openai/deployments/cloud-a/chat/completions");
  expect(byKey.headers["api-key"]).toBe("azure-secret-1");
  expect(byKey.request.query.get("api-version")).toBe("2024-10-21");

  await add("azure-token", {
    model: "azure/cloud-b",
    api_base: `${ground.up.url}/openai`,
    api_version: "2025-01-01-preview",
    azure_ad_token: "entra-token-1",
  });
  const byToken = await call("azure-token", "cloud-b");
  expect(byToken.path).toBe("/openai/deployments/cloud-b/chat/completions");
  expect(byToken.headers.authorization).toBe("Bearer entra-token-1");
  expect(byToken.request.query.get("api-version")).toBe("2025-01-01-preview");

  // The address that serves OpenAI's protocol as it is, is called as it is.
  await add("azure-v1", {
    model: "azure/cloud-c",
    api_base: `${ground.up.url}/openai/v1`,
    api_key: "k",
  });
  expect((await call("azure-v1", "cloud-c")).path).toBe("/openai/v1/chat/completions");

  // What lies beside a deployment that was added is reached by its name.
  const beside = await call("azure/cloud-d", "cloud-d");
  expect(beside.path).toMatch(/\/chat\/completions$/);
});

test("another secret takes the place of the first, in the form that the provider takes", async () => {
  const added = await add("azure-change", {
    model: "azure/cloud-e",
    api_base: ground.up.url,
    api_key: "old-1",
  });
  await ground.gw.admin("POST", "/model/update", {
    model_id: added["model_id"],
    organization_id: ground.gw.tenant.organizationId,
    litellm_params: { azure_ad_token: "new-token" },
  });
  await expect
    .poll(async () => (await call("azure-change", "cloud-e")).headers.authorization, {
      timeout: 5000,
    })
    .toBe("Bearer new-token");
});

test("a stored credential of several parts serves the models that name it", async () => {
  await ground.gw.admin("POST", "/credentials", {
    organization_id: ground.gw.tenant.organizationId,
    credential_name: "google-eu",
    credential_values: {
      api_base: ground.up.url,
      vertex_credentials: JSON.stringify({ ...account(), token_uri: `${identity.url}/named` }),
    },
    credential_info: { custom_llm_provider: "vertex_ai" },
  });
  await add("vertex-named", {
    model: "vertex_ai/gemini-named",
    vertex_project: "project-2",
    litellm_credential_name: "google-eu",
  });
  const reached = await call("vertex-named", "gemini-named");
  expect(reached.path).toContain("/projects/project-2/locations/us-central1/");
  expect(reached.headers.authorization).toMatch(/^Bearer token-\d+$/);
});

test("a caller of Responses passes through unchanged where the provider serves them", async () => {
  await add("responses", {
    model: "openai/gpt-both",
    api_base: `${ground.up.url}/v1`,
    api_key: "k",
  });
  ground.up.model("gpt-both", text("Hello."));
  const client = new OpenAI({ baseURL: `${ground.gw.url}/v1`, apiKey: ground.key, maxRetries: 0 });
  const answer = await client.responses.create({ model: "responses", input: "hi", store: true });
  expect(answer.output_text).toBe("Hello.");
  const reached = ground.up.calls.of("gpt-both").at(-1)!;
  expect(reached.path).toBe("/v1/responses");
  expect(reached.body).toEqual({ model: "gpt-both", input: "hi", store: true });
  await expect(
    client.responses.create({ model: "claude-test", input: "hi", previous_response_id: "resp_1" }),
  ).rejects.toMatchObject({ status: 400, param: "previous_response_id" });
});

describe("a deployment is refused", () => {
  const at = { api_base: "https://example.com" };
  test.each([
    [{ model: "openai/x", aws_access_key_id: "AKIA" }, "aws_access_key_id", "takes none"],
    [{ model: "azure/x", ...at, tenant_id: "t" }, "client_id", "together"],
    [
      { model: "vertex_ai/x", vertex_project: "p", vertex_credentials: "{}" },
      "vertex_credentials",
      "JSON key",
    ],
    [{ model: "vertex_ai/x" }, "vertex_project", "needs it"],
    [
      { model: "vertex_ai/x", vertex_project: "p", vertex_location: "evil.com/#" },
      "vertex_location",
      "Only letters",
    ],
    [{ model: "azure/x", ...at, api_key: "k", azure_ad_token: "t" }, "api_key", "Not together"],
    [{ model: "azure/x" }, "api_base", "needs one"],
    [{ model: "ollama/x" }, "api_base", "needs one"],
    [
      { model: "azure/x", ...at, azure_ad_token: "os.environ/TOKEN" },
      "azure_ad_token",
      "os.environ",
    ],
  ])("%j, by its member %s: %s", async (params, member, why) => {
    const refused = await send("refused", params).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AdminError);
    const said = JSON.stringify((refused as AdminError).body);
    expect(said).toContain(member);
    expect(said).toContain(why);
  });
});
