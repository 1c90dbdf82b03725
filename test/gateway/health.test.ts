import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, UPSTREAM_KEY, type TestGateway } from "../support/cluster/index.ts";
import { fails, startUpstream, text, type Upstream } from "../support/upstream/index.ts";

const WRONG = ["sk", "upstream", "wrong"].join("-");

let gw: TestGateway;
let up: Upstream;
let organization_id: string;

beforeAll(async () => {
  [gw, up] = await Promise.all([
    startGateway({ vars: { PROFILE: "self-hosted" } }),
    startUpstream({ keys: [UPSTREAM_KEY] }),
  ]);
  organization_id = gw.tenant.organizationId;
});
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
});

interface Latest {
  latest_health_checks: Record<string, { status: string; error: string | null }>;
  states: Record<string, { state: string }>;
}
const latest = () => gw.admin<Latest>("GET", `/health/latest?organization_id=${organization_id}`);
const added = async (name: string, more: object = {}) => {
  const target = { upstream: up, organizationId: organization_id };
  const made = await gw.newModel(name, target, more as Record<string, unknown>);
  return (made as { model_id: string }).model_id;
};
const connect = (body: object) =>
  gw.admin("POST", "/health/test_connection", { organization_id, ...body });

async function ask(model: string) {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gw.firstKey}` },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] }),
  });
  return { status: answer.status, body: await answer.text(), headers: answer.headers };
}

test("a new deployment is checked behind the call that adds it, without a paid call; one with a refused key never serves", async () => {
  up.model("pair", text("from the good one"));
  const good = await added("pair");
  const bad = await added("pair", { api_key: WRONG });
  await expect
    .poll(async () => (await latest()).latest_health_checks, { timeout: 5_000, interval: 50 })
    .toMatchObject({ [good]: { status: "healthy" }, [bad]: { status: "unhealthy" } });
  expect(up.calls.all).toHaveLength(0);
  expect((await latest()).states[bad]?.state).toBe("open");
  // The exchange behind the first requests tells the isolate of it.
  await ask("pair");
  await expect.poll(async () => (await latest()).states[good]?.state).toBe("closed");
  const before = up.calls.all.length;
  for (let n = 0; n < 10; n++)
    expect((await ask("pair")).headers.get("x-routero-model-id")).toBe(good);
  expect(up.calls.all.length - before).toBeLessThanOrEqual(12);
});

test("checks on demand and by the minute are kept as history", async () => {
  const now = await gw.admin<{ healthy_count: number; unhealthy_count: number }>(
    "GET",
    `/health?organization_id=${organization_id}`,
  );
  expect(now).toMatchObject({ healthy_count: 1, unhealthy_count: 1 });
  const count = async () =>
    (await gw.admin<{ total: number }>("GET", `/health/history?organization_id=${organization_id}`))
      .total;
  // A name that is nothing here, or another's, must not read as "nothing of it is ill".
  for (const what of ["model=nothing", "model_id=nothing"]) {
    await expect(
      gw.admin("GET", `/health?organization_id=${organization_id}&${what}`),
    ).rejects.toMatchObject({ status: 404, body: { error: { param: what.split("=")[0] } } });
  }
  const before = await count();
  await gw.tick();
  expect(await count()).toBeGreaterThan(before);
});

test("a connection is tried before anything is kept, and a stored key never goes to another host", async () => {
  const api_base = `${up.url}/v1`;
  const params = { model: "openai/gpt-4o", api_base, api_key: UPSTREAM_KEY };
  await expect(connect({ litellm_params: params })).resolves.toMatchObject({ status: "success" });
  await expect(connect({ litellm_params: { ...params, api_key: WRONG } })).resolves.toMatchObject({
    status: "error",
  });
  await gw.admin("POST", "/credentials", {
    organization_id,
    credential_name: "kept",
    credential_values: { api_key: UPSTREAM_KEY, api_base },
    credential_info: { custom_llm_provider: "openai" },
  });
  const named = { model: "openai/gpt-4o", litellm_credential_name: "kept" };
  await expect(connect({ litellm_params: named })).resolves.toMatchObject({ status: "success" });
  const elsewhere = { ...named, api_base: "http://127.0.0.1:9/v1" };
  await expect(connect({ litellm_params: elsewhere })).rejects.toMatchObject({
    status: 400,
    body: { error: { param: "litellm_params.api_base" } },
  });
});

test("a credential that is spent shows at every deployment that is called with it, and only there", async () => {
  const named = { litellm_credential_name: "kept" };
  const made = (model_name: string) =>
    gw.admin<{ model_id: string }>("POST", "/model/new", {
      organization_id,
      model_name,
      litellm_params: { model: `openai/${model_name}`, ...named },
    });
  const [spent, other] = [await made("spent"), await made("other")];
  up.model("spent", fails("quota"));
  await expect.poll(async () => (await ask("spent")).status, { timeout: 6_000 }).toBe(502);
  await expect
    .poll(async () => (await latest()).states, { timeout: 5_000, interval: 50 })
    .toMatchObject({
      [spent.model_id]: { state: "open", reason: "deployment" },
      [other.model_id]: { state: "open", reason: "deployment" },
    });
  const { states } = await latest();
  expect(Object.values(states).some(({ state }) => state === "closed")).toBe(true);
});

test("a credential that is mended serves again at once, and one that is broken serves nobody: no rest is waited for", async () => {
  const api_base = `${up.url}/v1`;
  const state = async (id: string) => (await latest()).states[id]?.state;
  const statusOf = async (id: string) => (await latest()).latest_health_checks[id]?.status;
  await gw.admin("POST", "/credentials", {
    organization_id,
    credential_name: "renewed",
    credential_values: { api_key: WRONG, api_base },
    credential_info: { custom_llm_provider: "openai" },
  });
  const { model_id } = await gw.admin<{ model_id: string }>("POST", "/model/new", {
    organization_id,
    model_name: "mended",
    litellm_params: { model: "openai/mended", litellm_credential_name: "renewed" },
  });
  await expect.poll(() => statusOf(model_id), { timeout: 5_000 }).toBe("unhealthy");
  // The isolate holds the deployment and the key that is about to be replaced.
  await expect
    .poll(async () => (await ask("mended")).status, { timeout: 6_000, interval: 100 })
    .not.toBe(404);
  expect(await state(model_id)).toBe("open");

  const patch = (api_key: string) =>
    gw.admin("PATCH", "/credentials/renewed", { organization_id, credential_values: { api_key } });
  await patch(UPSTREAM_KEY);
  await expect.poll(() => statusOf(model_id), { timeout: 5_000 }).toBe("healthy");
  up.model("mended", text("mended"));
  // Well within the 60 s that a refused credential rests.
  await expect
    .poll(async () => (await ask("mended")).status, { timeout: 10_000, interval: 100 })
    .toBe(200);

  await gw.admin("POST", "/model/update", {
    organization_id,
    model_id,
    litellm_params: { api_key: WRONG },
  });
  await expect.poll(() => statusOf(model_id), { timeout: 5_000 }).toBe("unhealthy");
  // Out at once, and after its short rest only for a probe.
  expect(await state(model_id)).toMatch(/^(open|half_open)$/);
}, 30_000);
