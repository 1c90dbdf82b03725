import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { tool, tools } from "../support/upstream/behaviour.ts";
import { startGround, type Ground } from "./support/ground.ts";

const HARD =
  "Implement a lock-free concurrent skip list in C++ with unit tests and prove that it is linearizable.";

describe("smart/* over the organization's own models", () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await startGround();
    const { gw, up } = ground;
    const model = (name: string, usd: number, info: object) =>
      gw.admin("POST", "/model/new", {
        model_name: name,
        organization_id: gw.tenant.organizationId,
        litellm_params: {
          model: `openai/${name}`,
          api_base: `${up.url}/v1`,
          api_key: "sk-provider",
          input_cost_per_token: usd,
          output_cost_per_token: usd * 4,
        },
        model_info: info,
      });
    await model("small", 1e-7, { tier: "LIGHT", supports_vision: false });
    await model("large", 5e-6, {
      tier: "REASONING",
      supports_vision: true,
      supports_reasoning: true,
    });
  });
  afterAll(() => ground.stop());

  const ask = (content: unknown, model = "smart/balanced") =>
    ground.post("openai", { model, messages: [{ role: "user", content }] });

  it("sends an easy prompt to the small model and a hard one to the large, and says why", async () => {
    const easy = await ask("hi there");
    expect(easy.status).toBe(200);
    expect([
      easy.headers.get("x-routero-route"),
      easy.headers.get("x-routero-task"),
      easy.headers.get("x-routero-difficulty"),
    ]).toEqual(["small", "chat", "LIGHT"]);
    const hard = await ask(HARD);
    expect([hard.headers.get("x-routero-route"), hard.headers.get("x-routero-task")]).toEqual([
      "large",
      "code",
    ]);
    expect((await ask(HARD, "smart/0")).headers.get("x-routero-route")).toBe("small");
    expect((await ask("hi there", "smart/10")).headers.get("x-routero-route")).toBe("large");
  });

  it("explains a request that is not made as it would be served, and calls nothing", async () => {
    const explain = (content: unknown, more: object = {}) =>
      ground.gw.admin<object>("POST", "/policy/explain", {
        organization_id: ground.gw.tenant.organizationId,
        request: { model: "smart/balanced", messages: [{ role: "user", content }], ...more },
      });
    const before = ground.up.calls.all.length;
    expect(await explain("hi there")).toMatchObject({
      decision: null,
      smart: { task: "chat", difficulty: "LIGHT", choice: "small", dial: { quality: 5 } },
    });
    const hard = await explain(HARD);
    expect(hard).toMatchObject({
      smart: {
        task: "code",
        choice: "large",
        reason: expect.stringContaining("need for strength"),
        candidates: expect.arrayContaining([
          expect.objectContaining({ group: "small", tier: "LIGHT", quality: expect.any(Number) }),
          expect.objectContaining({ group: "large", cost_usd: expect.stringMatching(/^0\.0/) }),
        ]),
      },
    });
    // The same request made: the same choice, and the same words for it.
    const made = await ask(HARD);
    expect(made.headers.get("x-routero-route")).toBe("large");
    const recorded = () =>
      ground.gw
        .admin<object>("POST", "/policy/explain", {
          organization_id: ground.gw.tenant.organizationId,
          call_id: made.headers.get("x-routero-call-id"),
        })
        .catch(() => null);
    const { smart } = hard as { smart: Record<string, unknown> };
    await expect
      .poll(recorded, { timeout: 10_000 })
      .toMatchObject({ smart: { choice: smart["choice"], reason: smart["reason"] } });
    const picture = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
    const seen = JSON.stringify(await explain([{ type: "text", text: "hi" }, picture]));
    expect(seen).toContain('"group":"large"');
    expect(seen).not.toContain('"group":"small"');
    expect(await explain("hi", { model: "small" })).not.toHaveProperty("smart");
    expect(ground.up.calls.all.length).toBe(before + 1);
  });

  it("says in an explanation what the call would be refused with", async () => {
    const organization_id = ground.gw.tenant.organizationId;
    const user_id = "developer";
    await ground.gw.admin("POST", "/user/new", {
      organization_id,
      user_id,
      user_role: "internal_user",
    });
    const { key } = await ground.gw.admin<{ key: string }>("POST", "/key/generate", {
      organization_id,
      user_id,
      models: ["small"],
    });
    const answer = await fetch(`${ground.gw.url}/policy/explain`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({
        request: { model: "smart/quality", messages: [{ role: "user", content: HARD }] },
      }),
    });
    expect(await answer.json()).toMatchObject({
      refused: { code: "key_model_not_allowed", message: expect.stringContaining("/v1/models") },
      smart: { choice: "small", candidates: [{ group: "small" }] },
    });
  });

  it("never sends an image to a model that can't see, however easy the prompt", async () => {
    const picture = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
    const answer = await ask([{ type: "text", text: "hi" }, picture], "smart/cheap");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-routero-route")).not.toBe("small");
  });

  it("sends who asks for thinking to what is known to think, however easy the prompt", async () => {
    const answer = await ground.post("openai", {
      model: "smart/cheap",
      reasoning_effort: "high",
      messages: [{ role: "user", content: "hi there" }],
    });
    expect([answer.status, answer.headers.get("x-routero-route")]).toEqual([200, "large"]);
  });

  it("fails over along the chain, unseen", async () => {
    ground.up.script("small", [{ failure: { kind: "server_error" } }]);
    const answer = await ask("hi there");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-routero-model-id")).not.toBe("");
    expect(Number(answer.headers.get("x-routero-attempted-fallbacks"))).toBe(1);
  });

  it("stands among the models that the key may call", async () => {
    const answer = await fetch(`${ground.gw.url}/v1/models`, {
      headers: { authorization: `Bearer ${ground.key}` },
    });
    const { data } = (await answer.json()) as { data: { id: string; owned_by: string }[] };
    const own = data.filter((each) => each.owned_by === "routero").map(({ id }) => id);
    expect(own).toEqual(["smart/quality", "smart/balanced", "smart/fast", "smart/cheap"]);
  });

  it("says of a smart name that is none what would be right", async () => {
    const answer = await ask("hi", "smart/perfect");
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("does not exist");
  });

  it("takes the preferred model of a judge as evidence, and refuses one that is not there", async () => {
    const tenant = await ground.gw.newTenant("judges");
    const organization_id = tenant.organizationId;
    const send = (path: string, body: object) =>
      fetch(`${ground.gw.url}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    for (const model_name of ["plain", "finer"]) {
      await ground.gw.admin("POST", "/model/new", {
        model_name,
        organization_id,
        litellm_params: { model: "sim/echo" },
        model_info: { tier: "LIGHT" },
      });
    }
    await ground.gw.admin("PATCH", "/organization/update", {
      organization_id,
      metadata: { smart_learning: { exploration: 0 } },
    });
    const ask = async () => {
      const answer = await send("/v1/chat/completions", {
        model: "smart/balanced",
        messages: [{ role: "user", content: "hi there" }],
      });
      await answer.text();
      return {
        call_id: answer.headers.get("x-routero-call-id"),
        route: answer.headers.get("x-routero-route") ?? "",
      };
    };
    const { call_id, route } = await ask();
    const other = route === "plain" ? "finer" : "plain";
    for (const chosen_model of ["nobody", "smart/cheap", "small"]) {
      const refused = await send("/v1/feedback", { call_id, chosen_model });
      const { error } = (await refused.json()) as { error: { param: string; message: string } };
      expect([refused.status, error.param]).toEqual([400, "chosen_model"]);
      expect(error.message).toContain("no model group or model of this name");
    }
    const torn = await send("/v1/feedback", { call_id, thumb: "down", score: 1 });
    expect([torn.status, await torn.text()]).toEqual([400, expect.stringContaining("opposite")]);
    const judge = async () => {
      const said = await send("/v1/feedback", { call_id, chosen_model: other });
      return said.status === 200 ? ((await said.json()) as { status: string }).status : null;
    };
    await expect.poll(judge, { timeout: 10_000 }).toBe("learned");
    expect(await judge()).toBe("known");
    // The one that is preferred rises, the one that answered falls, each by half a judgement.
    await expect
      .poll(() => learning(organization_id).then(({ groups }) => groups), { timeout: 10_000 })
      .toMatchObject({ [other]: { good: 0.5, bad: 0 }, [route]: { good: 0, bad: 0.5 } });
  });

  interface Learning {
    version: number;
    groups: Record<string, { good: number; bad: number }>;
    versions: { version: number }[];
  }
  const learning = (organization_id: string) =>
    ground.gw.admin<Learning>("GET", `/smart/learning?organization_id=${organization_id}`);

  const WEATHER = {
    type: "function",
    function: {
      name: "weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  };

  it("takes the form of answers as evidence, whole and streamed, right and broken", async () => {
    const { gw, up } = ground;
    const cases = [
      ["whole-broken", false, { town: "Bonn" }],
      ["whole-right", false, { city: "Bonn" }],
      ["streamed-broken", true, { town: "Bonn" }],
      ["streamed-right", true, { city: "Bonn" }],
    ] as const;
    const asked = cases.map(async ([model_name, stream, args]) => {
      const { organizationId: organization_id, key } = await gw.newTenant(model_name);
      await gw.admin("PATCH", "/organization/update", {
        organization_id,
        metadata: { smart_learning: { exploration: 0 } },
      });
      await gw.admin("POST", "/model/new", {
        model_name,
        organization_id,
        litellm_params: {
          model: `openai/${model_name}`,
          api_base: `${up.url}/v1`,
          api_key: "sk-provider",
        },
      });
      up.script(model_name, [tools([tool("weather", args)])]);
      const answer = await fetch(`${gw.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({
          model: "smart/cheap",
          stream,
          tools: [WEATHER],
          messages: [{ role: "user", content: "hi there" }],
        }),
      });
      await answer.text();
      expect(answer.headers.get("x-routero-route")).toBe(model_name);
      const seen = async () => (await learning(organization_id)).groups[model_name];
      const [good, bad] = "city" in args ? [0.5, 0] : [0, 0.5];
      await expect.poll(seen, { timeout: 10_000 }).toMatchObject({ good, bad });
    });
    await Promise.all(asked);
  });

  it("learns only where the organization says so, from judgements of its own calls", async () => {
    const judge = (body: object) =>
      fetch(`${ground.gw.url}/v1/feedback`, {
        method: "POST",
        headers: { authorization: `Bearer ${ground.key}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const call = (answer: Response) => answer.headers.get("x-routero-call-id");
    const off = await judge({ call_id: call(await ask("hi there")), thumb: "down" });
    expect(await off.json()).toMatchObject({ status: "off" });
    await ground.gw.admin("PATCH", "/organization/update", {
      organization_id: ground.gw.tenant.organizationId,
      metadata: { smart_learning: { exploration: 0 } },
    });
    const learned = async () => {
      const said = await judge({
        call_id: call(await ask("hi there")),
        thumb: "down",
      });
      return said.status === 200 ? ((await said.json()) as { status: string }).status : said.status;
    };
    await vi.waitFor(async () => expect(await learned()).toBe("learned"), {
      timeout: 10_000,
      interval: 100,
    });
    expect((await judge({ call_id: "req_unknown", thumb: "up" })).status).toBe(404);
    expect((await judge({ call_id: "req_unknown" })).status).toBe(400);
    // Enough of it and small talk leaves the small model.
    await vi.waitFor(
      async () => {
        await learned();
        expect((await ask("hi there")).headers.get("x-routero-route")).not.toBe("small");
      },
      { timeout: 25_000, interval: 20 },
    );
    const organization_id = ground.gw.tenant.organizationId;
    const { version, groups, versions } = await learning(organization_id);
    expect(groups["small"]?.bad).toBeGreaterThan(5);
    expect(versions[0]?.version).toBe(version);
    // A version that is not there is refused: pinned, it would mean nothing learned.
    const pin = (said: unknown) =>
      fetch(`${ground.gw.url}/organization/update`, {
        method: "PATCH",
        headers: {
          authorization: `Bearer ${ground.gw.masterKey}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ organization_id, metadata: { smart_learning: said } }),
      });
    for (const [said, at] of [
      [{ version: 9999 }, ".version"],
      [{ version: "1" }, ".version"],
      [{ exploration: 0.5 }, ".exploration"],
      [{ explore: 0.01 }, ""],
      ["yes", ""],
    ] as const) {
      const refused = await pin(said);
      const { error } = (await refused.json()) as { error: { param: string } };
      expect([refused.status, error.param]).toEqual([422, `metadata.smart_learning${at}`]);
    }
    const revert = (version: number) =>
      ground.gw.admin("POST", "/smart/learning/revert", { organization_id, version });
    await expect(revert(9999)).rejects.toThrow(/404/);
    // What still waited may have become a version of its own meanwhile.
    const back = (await revert(0)) as { version: number; as: number };
    expect(back).toEqual({ version: expect.any(Number), as: 0 });
    expect(back.version).toBeGreaterThan(version);
    expect(await learning(organization_id)).toMatchObject({ version: back.version, groups: {} });
    expect(await revert(version)).toEqual({ version: back.version + 1, as: version });
    expect((await learning(organization_id)).groups).toEqual(groups);
  });
});
