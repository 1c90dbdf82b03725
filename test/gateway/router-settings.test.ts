import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fails, text } from "../support/upstream/index.ts";
import { bodyFor, startGround, type Ground } from "./support/ground.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

/** Changes reach every isolate within 5 s; each look is a request that may see the old rules. */
const SOON = { timeout: 5_000, interval: 100 };
const organization_id = () => ground.gw.tenant.organizationId;

interface Configured {
  ignored: string[];
  unknown_models: string[];
}

function configure(router_settings: object): Promise<Configured> {
  const body = { organization_id: organization_id(), router_settings };
  return ground.gw.admin("POST", "/config/update", body);
}

interface Told {
  status: number;
  retries: string | null;
  fallbacks: string | null;
  route: string | null;
  /** US dollars; of a failed request too. */
  cost: number;
  content: string;
}

async function ask(more: object = {}): Promise<Told> {
  const headers = { "x-litellm-num-retries": "5" };
  const answer = await ground.post("openai", bodyFor("openai", more), { headers });
  const said = await answer.text();
  return {
    status: answer.status,
    retries: answer.headers.get("x-routero-attempted-retries"),
    fallbacks: answer.headers.get("x-routero-attempted-fallbacks"),
    route: answer.headers.get("x-routero-model-id"),
    cost: Number(answer.headers.get("x-routero-response-cost") ?? Number.NaN),
    content: said,
  };
}

describe("settings of the router", () => {
  test("fallbacks that an administrator writes serve within 5 s, and are gone as soon when taken away", async () => {
    ground.up.model("gpt-test", fails("server_error"));
    ground.up.model("claude-test", text("from the other group"));
    await ground.gw.admin("POST", "/fallbacks", {
      organization_id: organization_id(),
      model: "gpt-test",
      fallback_models: ["claude-test"],
    });
    await configure({ num_retries: 1 });
    await expect
      .poll(() => ask(), SOON)
      .toMatchObject({ status: 200, retries: "1", fallbacks: "1" });
    expect((await ask()).content).toContain("from the other group");
    // The caller may narrow: no fallback, no retry.
    expect(await ask({ disable_fallbacks: true })).toMatchObject({ status: 503, cost: 0 });
    expect(await ask({ num_retries: 0 })).toMatchObject({ retries: "0", fallbacks: "1" });

    const query = `organization_id=${organization_id()}`;
    await ground.gw.admin("DELETE", `/fallbacks/gpt-test?${query}`);
    await expect.poll(async () => (await ask()).status, SOON).toBe(503);
    const { router_settings } = await ground.gw.admin<{ router_settings: object }>(
      "GET",
      `/config/list?${query}`,
    );
    expect(router_settings).toEqual({ disable_cooldowns: true, num_retries: 1, fallbacks: [] });
  });

  test("an alias stands for a group, and settings of one group count there alone", async () => {
    ground.up.model("gpt-test", text("hello"));
    await configure({
      model_group_alias: { nickname: "gpt-test" },
      model_group_settings: { "gpt-test": { num_retries: 0 } },
    });
    await expect.poll(async () => (await ask({ model: "nickname" })).status, SOON).toBe(200);
    ground.up.model("gpt-test", fails("server_error"));
    expect(await ask()).toMatchObject({ status: 503, retries: "0" });
    // A chain of the alias is a chain of who asks by it; one of a name that stands for nothing would never serve.
    const chain = (model: string) =>
      ground.gw.admin("POST", "/fallbacks", {
        organization_id: organization_id(),
        model,
        fallback_models: ["claude-test"],
      });
    await chain("nickname");
    await expect
      .poll(() => ask({ model: "nickname" }), SOON)
      .toMatchObject({ status: 200, fallbacks: "1" });
    expect((await ask()).status).toBe(503);
    await expect(chain("nickname2")).rejects.toMatchObject({
      status: 422,
      body: { error: { param: "model" } },
    });
    await configure({ fallbacks: null, model_group_alias: null, model_group_settings: null });
  });

  test("what makes no sense is refused by name, and what means nothing here is named", async () => {
    await expect(configure({ routing_strategy: "fastest" })).rejects.toMatchObject({ status: 422 });
    await expect(configure({ num_retries: -1 })).rejects.toMatchObject({ status: 422 });
    const many = ["a", "b", "c", "d", "e", "f"];
    await expect(configure({ fallbacks: [{ x: many }] })).rejects.toMatchObject({ status: 422 });
    await expect(configure({ redis_host: "h", routing_strategy: "least-busy" })).resolves.toEqual(
      expect.objectContaining({ ignored: ["router_settings.redis_host"] }),
    );
    const { ignored } = await configure({
      allowed_fails: 0,
      cooldown_time: 0,
      retry_policy: { TimeoutErrors: 1 },
      model_group_settings: { "gpt-test": { residancy: "eu-only" } },
    });
    expect(ignored).toEqual([
      "router_settings.retry_policy.TimeoutErrors",
      "router_settings.model_group_settings.gpt-test.residancy",
    ]);
    const none = { allowed_fails: null, cooldown_time: null, retry_policy: null };
    await configure({ ...none, routing_strategy: null, model_group_settings: null });
  });

  test("a fallback may be named by an alias, as a request may", async () => {
    ground.up.model("gpt-test", fails("server_error"));
    ground.up.model("claude-test", text("from behind the alias"));
    await configure({
      model_group_alias: { nick: "claude-test", same: "claude-test" },
      fallbacks: [{ "gpt-test": ["nick", "same"] }],
    });
    await expect.poll(() => ask(), SOON).toMatchObject({ status: 200, fallbacks: "1" });
    expect((await ask()).content).toContain("from behind the alias");
    // It is one group, however often it is named: no further attempts at it.
    ground.up.model("claude-test", fails("server_error"));
    ground.up.calls.clear();
    expect(await ask({ num_retries: 0 })).toMatchObject({ status: 503, fallbacks: "1" });
    expect(ground.up.calls.of("claude-test")).toHaveLength(1);
    await configure({ model_group_alias: null, fallbacks: null });
  });

  test("a name that is no model is told, wherever it stands, and what stands for one is not", async () => {
    const { unknown_models } = await configure({
      model_group_alias: { nick: "gpt-test", stray: "gone" },
      default_fallbacks: ["claude-test", "smart/cheap", "openai/gpt-4o"],
      fallbacks: [{ "gpt-test": ["claude-tset", "nick"] }, { "*": ["claude-test"] }],
      model_group_settings: { "gpt-tset": { content_policy_fallbacks: [{ "gpt-test": ["no"] }] } },
    });
    expect(unknown_models.toSorted()).toEqual([
      "fallbacks.gpt-test: claude-tset",
      "model_group_alias.stray: gone",
      "model_group_settings.gpt-tset.content_policy_fallbacks.gpt-test: no",
      "model_group_settings: gpt-tset",
    ]);
    const { unknown_models: none } = await configure({
      model_group_alias: null,
      default_fallbacks: null,
      fallbacks: null,
      model_group_settings: null,
    });
    expect(none).toEqual([]);
  });

  test("LiteLLM's own settings are router settings too, refused by the name that they were sent under", async () => {
    const litellm = (litellm_settings: object) =>
      ground.gw.admin("POST", "/config/update", {
        organization_id: organization_id(),
        litellm_settings,
      });
    await expect(litellm({ request_timeout: 6_000 })).rejects.toThrow(
      /litellm_settings\.request_timeout: At most 600 seconds/,
    );
    await expect(litellm({ request_timeout: 20, drop_params: true })).resolves.toMatchObject({
      router_settings: { timeout: 20 },
      ignored: ["litellm_settings.drop_params"],
    });
    await configure({ timeout: null });
  });
});
