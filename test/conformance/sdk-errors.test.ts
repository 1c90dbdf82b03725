import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DIALECTS, MODEL, startGround, type Ground } from "../gateway/support/ground.ts";
import { fails, failsTimes, type Failure, type FailureKind } from "../support/upstream/index.ts";
import { ask, ROUTES } from "./ask.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

type Named = keyof typeof OpenAI & keyof typeof Anthropic;

/** A provider's failure, and the class in which both official clients throw what the gateway makes of it. */
interface Row {
  kind: FailureKind;
  thrown: Named;
  status: number;
  code: string;
}

const ROWS: Row[] = [
  { kind: "bad_request", thrown: "BadRequestError", status: 400, code: "upstream_rejected" },
  { kind: "invalid_key", thrown: "InternalServerError", status: 502, code: "upstream_auth" },
  { kind: "forbidden", thrown: "InternalServerError", status: 502, code: "upstream_auth" },
  { kind: "model_not_found", thrown: "InternalServerError", status: 502, code: "upstream_auth" },
  {
    kind: "context_window",
    thrown: "BadRequestError",
    status: 400,
    code: "context_length_exceeded",
  },
  {
    kind: "content_filter",
    thrown: "BadRequestError",
    status: 400,
    code: "content_policy_violation",
  },
  { kind: "too_large", thrown: "APIError", status: 413, code: "upstream_rejected" },
  { kind: "rate_limit", thrown: "InternalServerError", status: 503, code: "no_healthy_deployment" },
  { kind: "quota", thrown: "InternalServerError", status: 502, code: "upstream_auth" },
  {
    kind: "server_error",
    thrown: "InternalServerError",
    status: 503,
    code: "no_healthy_deployment",
  },
  {
    kind: "unavailable",
    thrown: "InternalServerError",
    status: 503,
    code: "no_healthy_deployment",
  },
  { kind: "overloaded", thrown: "InternalServerError", status: 503, code: "no_healthy_deployment" },
  { kind: "timeout", thrown: "InternalServerError", status: 503, code: "no_healthy_deployment" },
  { kind: "html", thrown: "InternalServerError", status: 503, code: "no_healthy_deployment" },
];

/** Only these are mended by another credential, and say so. */
const CREDENTIAL: ReadonlySet<FailureKind> = new Set(["invalid_key", "forbidden"]);

/** Anthropic's own words for the statuses above. */
const ANTHROPIC_TYPES: Record<number, string> = {
  400: "invalid_request_error",
  413: "request_too_large",
  502: "api_error",
  503: "overloaded_error",
};

describe.each(ROUTES)("$client client, $provider provider, stream $stream", (route) => {
  test.each(ROWS)(
    "$kind is thrown as $thrown ($status)",
    async ({ kind, thrown, status, code }) => {
      ground.up.model(MODEL[route.provider], fails(kind));
      const error = await ask(ground, route).catch((cause: unknown) => cause);
      const sdk = route.client === "openai" ? OpenAI : Anthropic;
      expect(error).toBeInstanceOf(sdk[thrown]);
      expect(error).toMatchObject({ status });
      const said = error as InstanceType<typeof OpenAI.APIError>;
      if (route.client === "openai") expect(said.code).toBe(code);
      else
        expect(said.error).toMatchObject({
          type: "error",
          error: { type: ANTHROPIC_TYPES[status] },
        });
      const { upstream, message } = (
        route.client === "openai" ? said.error : (said.error as { error: unknown }).error
      ) as { upstream: unknown; message: string };
      expect(message).toMatch(/\w+ \w+/);
      expect(message).not.toContain("<html>");
      expect(message.includes("credential that is stored")).toBe(CREDENTIAL.has(kind));
      expect(upstream).toMatchObject({
        provider: route.provider,
        attempts: [{ provider: route.provider, model: MODEL[route.provider] }],
      });
    },
  );
});

describe.each(DIALECTS)("%s clients try again exactly when that can help", (client) => {
  const cases: [FailureKind, Omit<Failure, "kind">, number][] = [
    ["unavailable", { retryAfterMs: 20 }, 3],
    ["rate_limit", { retryAfterMs: 20 }, 3],
    ["overloaded", { retryAfterMs: 20 }, 3],
    ["rate_limit", { retryAfter: 120 }, 1],
    ["bad_request", {}, 1],
    ["context_window", {}, 1],
    ["content_filter", {}, 1],
    ["invalid_key", {}, 1],
    ["quota", {}, 1],
  ];
  const clients = {
    openai: () => ({ openai: ground.openai({ maxRetries: 2 }) }),
    anthropic: () => ({ anthropic: ground.anthropic({ maxRetries: 2 }) }),
  };

  test.each(cases)("%s %j: %i attempts", async (kind, more, attempts) => {
    const provider = "openai";
    ground.up.model(MODEL[provider], fails(kind, more));
    await expect(
      ask(ground, { client, provider, stream: false }, {}, clients[client]()),
    ).rejects.toThrow();
    expect(ground.up.calls.all).toHaveLength(attempts);
  });

  test("and get the answer once it is there", async () => {
    for (const stream of [false, true]) {
      ground.up.script(MODEL.openai, [failsTimes(2, "unavailable", { retryAfterMs: 20 })]);
      const route = { client, provider: "openai", stream } as const;
      const { told } = await ask(ground, route, {}, clients[client]());
      expect(told.text).toBe("Hello from the provider.");
    }
    expect(ground.up.calls.all).toHaveLength(6);
  });
});

test("what the provider asks to wait reaches the caller in both forms", async () => {
  ground.up.model(MODEL.openai, fails("rate_limit", { retryAfter: 7 }));
  const answer = await ground.post("openai", {
    model: MODEL.openai,
    messages: [{ role: "user", content: "x" }],
  });
  expect([answer.headers.get("retry-after"), answer.headers.get("retry-after-ms")]).toEqual([
    "7",
    "7000",
  ]);
  expect(answer.headers.get("x-should-retry")).toBeNull();
});

test("the gateway's own refusals have their classes as well", async () => {
  const none = { client: "openai", provider: "openai", stream: false } as const;
  await expect(ask(ground, none, { messages: [] })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  await expect(ask(ground, none, { model: "none" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const bad = { apiKey: "sk-nobody" };
  await expect(ask(ground, none, {}, { openai: ground.openai(bad) })).rejects.toBeInstanceOf(
    OpenAI.AuthenticationError,
  );
  const other = { ...none, client: "anthropic" } as const;
  await expect(ask(ground, other, { messages: [] })).rejects.toBeInstanceOf(
    Anthropic.BadRequestError,
  );
  await expect(ask(ground, other, { model: "none" })).rejects.toBeInstanceOf(
    Anthropic.NotFoundError,
  );
  await expect(ask(ground, other, {}, { anthropic: ground.anthropic(bad) })).rejects.toBeInstanceOf(
    Anthropic.AuthenticationError,
  );
  expect(ground.up.calls.all).toEqual([]);
});
