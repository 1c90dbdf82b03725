import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Tenant } from "../support/cluster/client.ts";
import { tool, tools } from "../support/upstream/behaviour.ts";
import { startGround, type Ground } from "./support/ground.ts";

const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
/** What is believed of a light model before it answers anything. */
const BELIEVED = 0.55;
/** More than one batch of lessons. */
const CALLS = 30;

describe("what answers show of themselves", () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await startGround();
  }, 60_000);
  afterAll(() => ground.stop());

  /** An organization that learns, with a small model whose every answer is a call with these arguments. */
  async function tenantOf(name: string, args: object): Promise<Tenant> {
    const { gw, up } = ground;
    const tenant = await gw.newTenant(name);
    const organization_id = tenant.organizationId;
    for (const [group, usd, tier] of [
      ["small", 1e-7, "LIGHT"],
      ["large", 5e-6, "REASONING"],
    ] as const) {
      await gw.admin("POST", "/model/new", {
        model_name: group,
        organization_id,
        litellm_params: {
          model: `openai/${group}-${name}`,
          api_base: `${up.url}/v1`,
          api_key: "sk-provider",
          input_cost_per_token: usd,
          output_cost_per_token: usd * 4,
        },
        model_info: { tier },
      });
    }
    await gw.admin("PATCH", "/organization/update", {
      organization_id,
      metadata: { smart_learning: { exploration: 0 } },
    });
    up.script(`small-${name}`, Array(4 * CALLS).fill(tools([tool("weather", args)])));
    return tenant;
  }

  const ask = async ({ key }: Tenant, stream: boolean, turn: number) => {
    const answer = await fetch(`${ground.gw.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: "smart/cheap",
        stream,
        tools: [WEATHER],
        messages: [{ role: "user", content: `hi there, number ${turn}` }],
      }),
    });
    await answer.text();
    return answer.headers.get("x-routero-route");
  };

  it.concurrent.each([
    ["whole, and broken", false, { town: "Bonn" }],
    ["whole, and right", false, { city: "Bonn" }],
    ["streamed, and broken", true, { town: "Bonn" }],
    ["streamed, and right", true, { city: "Bonn" }],
  ] as const)(
    "teach by their tool calls: %s",
    async (name, stream, args) => {
      const tenant = await tenantOf(name.replaceAll(/\W+/g, "-"), args);
      expect(await ask(tenant, stream, 0)).toBe("small");
      for (let turn = 1; turn <= CALLS; turn += 6) {
        await Promise.all([0, 1, 2, 3, 4, 5].map((each) => ask(tenant, stream, turn + each)));
      }
      const quality = async () => {
        const { smart } = await ground.gw.admin<{
          smart: { candidates: { group: string; quality: number }[] };
        }>("POST", "/policy/explain", {
          organization_id: tenant.organizationId,
          request: {
            model: "smart/cheap",
            tools: [WEATHER],
            messages: [{ role: "user", content: "hi there" }],
          },
        });
        return smart.candidates.find(({ group }) => group === "small")?.quality ?? null;
      };
      const right = "city" in args;
      await expect
        .poll(
          async () => {
            const now = await quality();
            return now !== null && (right ? now > BELIEVED + 0.1 : now < 0.6 * BELIEVED);
          },
          { timeout: 25_000, interval: 200 },
        )
        .toBe(true);
      expect(await ask(tenant, stream, 1000)).toBe(right ? "small" : "large");
    },
    60_000,
  );
});
