import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tool, tools } from "../support/upstream/index.ts";
import {
  bodyFor,
  DIALECTS,
  MODEL,
  startGround,
  type Dialect,
  type Ground,
} from "./support/ground.ts";
import { requestRow } from "./support/rows.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const ROUTES = DIALECTS.flatMap((client) => DIALECTS.map((provider) => ({ client, provider })));
const callIdOf = (answer: Response) => answer.headers.get("x-routero-call-id") ?? "";

/** Every extension that a key may use without a feature behind it, each with a word that must not travel on. */
const EXTENSIONS = {
  prompt_variables: { name: "ext-canary" },
  prompt_version: 3,
  store_memory: false,
  cache: { "no-store": true },
  customer_id: "ext-canary-customer",
  tags: ["ext-canary-tag", "b"],
  fallbacks: ["ext-canary-model"],
  num_retries: 1,
  timeout: 30,
  disable_fallbacks: true,
};

describe.each(ROUTES)("$client client, $provider provider", ({ client, provider }) => {
  test.each([
    ["at the top", EXTENSIONS],
    ["inside metadata", { metadata: EXTENSIONS }],
  ])("extension fields %s do their work here and never reach the provider", async (_, more) => {
    const plain = await ground.post(client, bodyFor(client, {}, MODEL[provider]));
    expect(plain.status).toBe(200);
    const answer = await ground.post(client, bodyFor(client, more, MODEL[provider]));
    expect(answer.status).toBe(200);
    const [without, withThem] = ground.up.calls.all;
    // What is left is the request that would have been sent without them.
    expect(withThem?.body).toEqual(without?.body);
    if (client === provider) expect(withThem?.raw.toString()).toBe(without?.raw.toString());
    expect(withThem?.raw.toString()).not.toContain("ext-canary");
    const row = await requestRow(ground.gw, callIdOf(answer));
    expect(row).toMatchObject({ customerId: "ext-canary-customer", tags: ["ext-canary-tag", "b"] });
  });

  test("the top level wins over metadata", async () => {
    const more = {
      customer_id: "top",
      tags: ["top"],
      metadata: { customer_id: "inner", tags: ["inner"], own: 1 },
    };
    const answer = await ground.post(client, bodyFor(client, more, MODEL[provider]));
    const row = await requestRow(ground.gw, callIdOf(answer));
    expect(row).toMatchObject({ customerId: "top", tags: ["top"] });
    expect(ground.up.calls.all[0]?.raw.toString()).not.toContain("metadata");
  });

  test("clients that can't add fields say it in headers", async () => {
    const headers = {
      "x-routero-tags": "a, b",
      "x-litellm-customer-id": "c-9",
      "x-litellm-timeout": "30",
    };
    const answer = await ground.post(client, bodyFor(client, {}, MODEL[provider]), { headers });
    const row = await requestRow(ground.gw, callIdOf(answer));
    expect(row).toMatchObject({ customerId: "c-9", tags: ["a", "b"] });
  });

  test.each(["guardrail_id", "token_saving_plan_id", "prompt_id", "memory_id"])(
    "%s that nobody knows is a 404, wherever it stands",
    async (name) => {
      const header = { [`x-routero-${name.replaceAll("_", "-")}`]: "nope" };
      const ways: [object, Record<string, string>][] = [
        [{ [name]: "nope" }, {}],
        [{ metadata: { [name]: "0b8f2a3e-6f0c-4c7e-9d0b-1f2e3d4c5b6a" } }, {}],
        [{}, header],
      ];
      for (const [more, headers] of ways) {
        const answer = await ground.post(client, bodyFor(client, more, MODEL[provider]), {
          headers,
        });
        expect(answer.status).toBe(404);
        const { error } = (await answer.json()) as { error: Record<string, unknown> };
        if (client === "openai")
          expect(error).toMatchObject({ code: "feature_not_found", param: name });
        else expect(error).toMatchObject({ type: "not_found_error" });
        expect(error["message"]).toContain(name);
      }
      expect(ground.up.calls.all).toEqual([]);
    },
  );
});

describe("metadata of its own dialect", () => {
  const USER: Record<Dialect, object> = {
    openai: { user: "u-7" },
    anthropic: { metadata: { user_id: "u-7" } },
  };

  test.each(ROUTES)(
    "the user's id travels on: $client client, $provider provider",
    async ({ client, provider }) => {
      await ground.post(client, bodyFor(client, USER[client], MODEL[provider]));
      expect(ground.up.calls.all[0]?.body).toMatchObject(USER[provider]);
    },
  );

  test("`user` is the customer unless one is named", async () => {
    const charged = async (more: object) => {
      const answer = await ground.post("openai", bodyFor("openai", more));
      return (await requestRow(ground.gw, callIdOf(answer))).customerId;
    };
    expect(await charged({ user: "u-7" })).toBe("u-7");
    expect(await charged({ user: "u-7", customer_id: "c-1" })).toBe("c-1");
    expect(await charged({})).toBeNull();
  });

  test("metadata of a stored completion is the provider's, without what is ours", async () => {
    const more = { store: true, metadata: { topic: "t", tags: ["a"], customer_id: "c-1" } };
    await ground.post("openai", bodyFor("openai", more));
    expect(ground.up.calls.all[0]?.body).toMatchObject({ store: true, metadata: { topic: "t" } });
    expect(Object.keys(ground.up.calls.all[0]?.body["metadata"] as object)).toEqual(["topic"]);
  });

  test("other metadata of an Anthropic caller stays here", async () => {
    const more = { metadata: { user_id: "u-7", topic: "t" } };
    await ground.post("anthropic", bodyFor("anthropic", more));
    expect(ground.up.calls.all[0]?.body["metadata"]).toEqual({ user_id: "u-7" });
  });

  test("Anthropic's own fallbacks are Anthropic's; the gateway's are names", async () => {
    const fallbacks = [{ model: "claude-older" }];
    await ground.post("anthropic", bodyFor("anthropic", { fallbacks }));
    expect(ground.up.calls.all[0]?.body["fallbacks"]).toEqual(fallbacks);
    await ground.post("anthropic", bodyFor("anthropic", { fallbacks: ["gpt-test"] }));
    expect(ground.up.calls.all[1]?.body).not.toHaveProperty("fallbacks");
  });

  test("unknown fields travel on between equals, in their own notation", async () => {
    const text = JSON.stringify(bodyFor("openai")).replace(
      /\}$/,
      ', "x_new" : 1.50,"y":"\\u00e9" }',
    );
    await ground.post("openai", text);
    const sent = ground.up.calls.all[0]?.raw.toString();
    expect(sent).toBe(text);
  });
});

describe("headers of the answer", () => {
  const callId = /^req_\w{10,}$/;

  test.each(ROUTES)(
    "tell the decision: $client client, $provider provider",
    async ({ client, provider }) => {
      for (const stream of [false, true]) {
        const answer = await ground.post(client, bodyFor(client, { stream }, MODEL[provider]));
        await answer.text();
        const headers = Object.fromEntries(answer.headers);
        expect(headers).toMatchObject({
          "x-routero-call-id": expect.stringMatching(callId) as string,
          "x-routero-provider": provider,
          "x-routero-route": MODEL[provider],
          "x-routero-model-id": expect.stringMatching(/\w/) as string,
          "x-routero-model-api-base": expect.stringContaining(ground.up.url) as string,
          "x-routero-attempted-retries": "0",
          "x-routero-attempted-fallbacks": "0",
          "x-routero-response-duration-ms": expect.stringMatching(/^\d+$/) as string,
          "x-routero-overhead-ms": expect.stringMatching(/^\d+$/) as string,
        });
        expect(headers["x-request-id"]).toBe(headers["x-routero-call-id"]);
        for (const name of ["call-id", "model-id", "attempted-retries", "attempted-fallbacks"]) {
          expect(headers[`x-litellm-${name}`]).toBe(headers[`x-routero-${name}`]);
        }
        // 6 tokens in, 4 out; the head of a stream leaves before its cost is known.
        const cost = stream ? undefined : "0.000046";
        expect(headers["x-routero-response-cost"]).toBe(cost);
        expect(headers["x-litellm-response-cost"]).toBe(cost);
        expect((await requestRow(ground.gw, callIdOf(answer))).costNano).toBe(46_000);
      }
    },
  );

  test("the caller's own request id is echoed if it is one", async () => {
    const ask = async (id: string) => {
      const answer = await ground.post("openai", bodyFor("openai"), {
        headers: { "x-request-id": id },
      });
      expect(callIdOf(answer)).toMatch(callId);
      return answer.headers.get("x-request-id");
    };
    expect(await ask("trace-1.a:b")).toBe("trace-1.a:b");
    expect(await ask("a".repeat(500))).toMatch(callId);
    expect(await ask("a b <c>")).toMatch(callId);
  });

  test("refusals carry the id as well", async () => {
    for (const dialect of DIALECTS) {
      const answer = await ground.post(dialect, "{}");
      expect(callIdOf(answer)).toMatch(callId);
      expect(answer.headers.get("x-litellm-call-id")).toBe(callIdOf(answer));
    }
  });

  test.each(DIALECTS)(
    "a stream's last usage tells its cost to who asks for it, %s client",
    async (client) => {
      for (const provider of DIALECTS) {
        const headers = { "x-routero-stream-meta": "1" };
        const body = bodyFor(client, { stream: true }, MODEL[provider]);
        const answer = await (await ground.post(client, body, { headers })).text();
        const metas = [...answer.matchAll(/"routero":(\{[^}]*\})/g)].map(
          (found) => JSON.parse(found[1]!) as unknown,
        );
        expect(metas).toEqual([
          { cost: "0.000046", provider, model: MODEL[provider], fallbacks: 0 },
        ]);
        const plain = await (await ground.post(client, body)).text();
        expect(plain).not.toContain("routero");
      }
    },
  );

  test("a model group of any name is served and named", async () => {
    const name = "größe/日本 🙂";
    const { organizationId } = ground.gw.tenant;
    await ground.gw.newModel(name, { upstream: ground.up, model: "plain", organizationId });
    await expect
      .poll(async () => (await ground.post("openai", bodyFor("openai", {}, name))).status, {
        timeout: 6000,
      })
      .toBe(200);
    const answer = await ground.post("openai", bodyFor("openai", {}, name));
    expect(decodeURIComponent(answer.headers.get("x-routero-route") ?? "")).toBe(name);
    expect((await requestRow(ground.gw, callIdOf(answer))).group).toBe(name);
  });
});

test("neither a prompt nor an answer nor a tool's argument is kept or logged", async () => {
  for (const { client, provider } of ROUTES) {
    for (const stream of [false, true]) {
      ground.up.model(
        MODEL[provider],
        tools([tool("weather", { city: "arg-canary" })], "answer-canary"),
      );
      const more = { stream, messages: [{ role: "user", content: "prompt-canary" }] };
      const answer = await ground.post(client, bodyFor(client, more, MODEL[provider]));
      expect(await answer.text()).toContain("answer-canary");
      expect((await requestRow(ground.gw, callIdOf(answer))).kept).not.toContain("canary");
    }
  }
  expect(JSON.stringify(ground.gw.logs)).not.toMatch(/(prompt|answer|arg)-canary/);
});
