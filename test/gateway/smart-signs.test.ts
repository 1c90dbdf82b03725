import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { tool, tools } from "../support/upstream/behaviour.ts";
import { startGround, type Ground } from "./support/ground.ts";

const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

describe("what answers show of themselves", () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await startGround();
    const { gw, up } = ground;
    for (const [name, usd, tier] of [
      ["small", 1e-7, "LIGHT"],
      ["large", 5e-6, "REASONING"],
    ] as const) {
      await gw.admin("POST", "/model/new", {
        model_name: name,
        organization_id: gw.tenant.organizationId,
        litellm_params: {
          model: `openai/${name}`,
          api_base: `${up.url}/v1`,
          api_key: "sk-provider",
          input_cost_per_token: usd,
          output_cost_per_token: usd * 4,
        },
        model_info: { tier },
      });
    }
    await gw.admin("PATCH", "/organization/update", {
      organization_id: gw.tenant.organizationId,
      metadata: { smart_learning: { exploration: 0 } },
    });
  }, 60_000);
  afterAll(() => ground.stop());

  let turn = 0;
  const ask = async (stream: boolean) => {
    const answer = await ground.post("openai", {
      model: "smart/cheap",
      stream,
      tools: [WEATHER],
      messages: [{ role: "user", content: `hi there, number ${turn++}` }],
    });
    await answer.text();
    return answer.headers.get("x-routero-route");
  };

  it.each([true, false])(
    "lead away from a model whose tool calls are broken, and not from one whose calls hold (streamed: %s)",
    async (stream) => {
      const answers = (args: unknown) =>
        ground.up.script("small", Array(400).fill(tools([tool("weather", args)])));
      if (stream) {
        answers({ city: "Bonn" });
        for (let call = 0; call < 60; call++) expect(await ask(stream)).toBe("small");
        return;
      }
      answers({ town: "Bonn" });
      await vi.waitFor(async () => expect(await ask(stream)).not.toBe("small"), {
        timeout: 40_000,
        interval: 10,
      });
    },
    60_000,
  );
});
