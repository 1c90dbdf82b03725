import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdminError } from "../support/cluster/index.ts";
import { startGround, type Ground } from "./support/ground.ts";

const ROUTES = [
  { name: "claude-test", utterances: ["write a function", "fix this bug in my code"] },
  { name: "smart/cheap", description: "jokes and poems", utterances: ["tell me a joke"] },
];
const CODE = "Please fix the bug in this code: a = = 1";

describe("auto_router/<name>", () => {
  let ground: Ground;
  let org: string;
  let id: string;
  beforeAll(async () => {
    ground = await startGround();
    org = ground.gw.tenant.organizationId;
    ({ model_id: id } = await add({ auto_router_config: JSON.stringify({ routes: ROUTES }) }));
  });
  afterAll(() => ground.stop());

  const send = (method: string, path: string, body: object) =>
    ground.gw.admin<{ model_id: string }>(method, path, { organization_id: org, ...body });
  const add = (more: object, name = "desk") =>
    send("POST", "/model/new", {
      model_name: name,
      litellm_params: {
        model: "auto_router/helpdesk",
        auto_router_default_model: "gpt-test",
        ...more,
      },
    });
  const ask = (content: string, model = "desk") =>
    ground.post("openai", { model, messages: [{ role: "user", content }] });
  const route = async (content: string, model?: string) => {
    const answer = await ask(content, model);
    expect(await answer.text()).toContain("choices");
    return answer.headers.get("x-routero-route");
  };
  /** What a refused call said. */
  const refusal = async (call: Promise<unknown>) => {
    const error = await call.then(
      () => null,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(AdminError);
    return (error as AdminError).message;
  };

  it("sends each prompt along its route, and what fits none to the default model", async () => {
    expect(await route(CODE)).toBe("claude-test");
    expect(await route("Who won the cup in 1998?")).toBe("gpt-test");
    expect(await route(CODE, "auto_router/helpdesk")).toBe("claude-test");
    const joke = await ask("tell me a joke");
    expect(joke.status).toBe(200);
    expect(joke.headers.get("x-routero-task")).not.toBe(null);
    const call_id = joke.headers.get("x-routero-call-id");
    const explain = () => send("POST", "/policy/explain", { call_id }).catch(() => null);
    await expect.poll(explain, { timeout: 10_000 }).toMatchObject({
      auto: { router: "helpdesk", route: "smart/cheap", reason: "matched" },
      smart: {
        dial: { quality: 2, saves: "cost" },
        candidates: [{ group: "claude-test", cost_usd: expect.any(String) }, { group: "gpt-test" }],
      },
    });
  });

  it("explains what it would make of a request that is not made", async () => {
    const explain = (content: string) =>
      send("POST", "/policy/explain", {
        request: { model: "desk", messages: [{ role: "user", content }] },
      });
    const before = ground.up.calls.all.length;
    const code = await explain(CODE);
    expect(code).toMatchObject({ auto: { route: "claude-test", reason: "matched" } });
    expect(code).not.toHaveProperty("smart");
    expect(await explain("tell me a joke")).toMatchObject({
      auto: { route: "smart/cheap" },
      smart: { dial: { quality: 2 }, choice: expect.stringMatching(/^(?:claude|gpt)-test$/) },
    });
    expect(await explain("Who won the cup in 1998?")).toMatchObject({
      auto: { route: null, reason: "below_threshold" },
    });
    expect(ground.up.calls.all.length).toBe(before);
  });

  it("lets the default model take over where the route's own fails", async () => {
    ground.up.script("claude-test", [{ failure: { kind: "server_error" } }]);
    const answer = await ask(CODE);
    expect([answer.status, answer.headers.get("x-routero-attempted-fallbacks")]).toEqual([
      200,
      "1",
    ]);
  });

  it("shows itself, and only to its own organization", async () => {
    const list = async (organization_id: string) => {
      const { data } = await ground.gw.admin<{ data: { model_name: string }[] }>(
        "GET",
        `/model/info?organization_id=${organization_id}`,
      );
      return data.find((each) => each.model_name === "desk");
    };
    expect(await list(org)).toMatchObject({
      litellm_params: {
        model: "auto_router/helpdesk",
        auto_router_default_model: "gpt-test",
        auto_router_config: { routes: [{ name: "claude-test", score_threshold: 0.2 }, {}] },
      },
      model_info: { id, litellm_provider: "auto_router" },
    });
    const models = await fetch(`${ground.gw.url}/v1/models`, {
      headers: { authorization: `Bearer ${ground.key}` },
    });
    expect(await models.text()).toContain('"desk"');
    const other = await ground.gw.newTenant("other");
    expect(await list(other.organizationId)).toBe(undefined);
    const foreign = await fetch(`${ground.gw.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${other.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "desk", messages: [{ role: "user", content: CODE }] }),
    });
    expect(foreign.status).toBe(404);
  });

  it("refuses what can't work and says what would", async () => {
    const routes = (list: object[]) => ({ auto_router_config: { routes: list } });
    const hello = { name: "gpt-test", utterances: ["hello"] };
    const many = Array.from({ length: 51 }, (_, at) => `say ${at}`);
    for (const [params, says] of [
      [{ auto_router_config: "{" }, "Must be JSON"],
      [{}, "auto_router_config: Field required"],
      [{ ...routes([hello]), auto_router_default_model: null }, "default_model: Field required"],
      [routes([{ ...hello, name: "nobody" }]), "There is no such model"],
      [routes([{ ...hello, name: "desk" }]), "can't lead to a router"],
      [routes([{ ...hello, utterances: many }]), "At most 50 utterances"],
      [routes([{ ...hello, utterances: [] }]), "at least one"],
      [routes([{ ...hello, score_threshold: 2 }]), "from 0 to 1"],
      [routes([hello, hello]), "a route to this model above"],
      [{ ...routes([hello]), api_key: "sk-x" }, "api_key: A router takes none"],
      [{ ...routes([hello]), model: "openai/gpt-4o" }, "Only with model auto_router/<name>"],
    ] as const) {
      expect(await refusal(add(params, "second"))).toContain(says);
    }
    const names = ["gpt-test", "claude-test", "smart/cheap", "smart/fast", "smart/quality"];
    const full = [...names, ...names.map((each) => `sim/${each.replace("/", "-")}`), "sim/more"];
    const big = full.map((name) => ({ name, utterances: many.slice(0, 50) }));
    expect(await refusal(add(routes(big), "second"))).toContain("At most 500 utterances");
    expect(await refusal(add(routes([hello]), "gpt-test"))).toContain("is a model already");
    const plain = { model_name: "desk", litellm_params: { model: "sim/echo" } };
    expect(await refusal(send("POST", "/model/new", plain))).toContain("is a named router already");
  });

  it("is changed in place, and leads to its default where a route's model is gone", async () => {
    const { model_id } = await send("POST", "/model/new", {
      model_name: "short-lived",
      litellm_params: { model: "sim/echo" },
    });
    const routes = [{ name: "short-lived", utterances: ["fix this bug in my code"] }];
    await send("POST", "/model/update", {
      model_id: id,
      litellm_params: { auto_router_config: { routes }, auto_router_routing_mode: "classifier" },
    });
    await expect.poll(() => route(CODE), { timeout: 10_000 }).toBe("short-lived");
    await send("POST", "/model/delete", { id: model_id });
    await expect.poll(() => route(CODE), { timeout: 10_000 }).toBe("gpt-test");
    await send("POST", "/model/delete", { id });
    await expect.poll(async () => (await ask(CODE)).status, { timeout: 10_000 }).toBe(404);
  });
});
