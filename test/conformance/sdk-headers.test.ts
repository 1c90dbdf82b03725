import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  bodyFor,
  DIALECTS,
  MODEL,
  startGround,
  type Dialect,
  type Ground,
} from "../gateway/support/ground.ts";
import { UPSTREAM_KEY } from "../support/cluster/index.ts";
import { errorAfter, fails, mix, text, type Behaviour } from "../support/upstream/index.ts";
import { ask, ROUTES } from "./ask.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

async function everything(answer: Response): Promise<string> {
  return JSON.stringify([...answer.headers]) + (await answer.text());
}

describe("keys stay on their side", () => {
  const leaks: [string, Behaviour][] = [
    ["an answer", {}],
    ["a refusal that quotes it", fails("invalid_key", { message: `Bad key ${UPSTREAM_KEY}.` })],
    ["a failure that quotes it", fails("server_error", { message: `No ${UPSTREAM_KEY} here.` })],
    [
      "an error in the stream that quotes it",
      mix(text("one two"), errorAfter({ content: 1 }, "overloaded", `No ${UPSTREAM_KEY} here.`)),
    ],
    ["headers that quote it", { headers: { "x-echo": UPSTREAM_KEY, "set-cookie": "a=b" } }],
  ];
  test.each(leaks)("the provider's key is in no part of %s", async (_, behaviour) => {
    for (const { client, provider, stream } of ROUTES) {
      ground.up.model(MODEL[provider], behaviour);
      const body = bodyFor(client, { stream }, MODEL[provider]);
      const received = await everything(await ground.post(client, body));
      const sent = JSON.stringify(ground.up.calls.all.at(-1)?.headers);
      expect(sent).toContain(UPSTREAM_KEY);
      expect(received).not.toContain(UPSTREAM_KEY.slice(0, 24));
      expect(received).not.toMatch(/set-cookie|x-echo/);
    }
    expect(JSON.stringify(ground.gw.logs)).not.toContain(UPSTREAM_KEY.slice(0, 24));
  });

  const ways: Record<string, (key: string) => Record<string, string>> = {
    bearer: (key) => ({ authorization: `Bearer ${key}` }),
    "x-api-key": (key) => ({ authorization: "", "x-api-key": key }),
    "api-key": (key) => ({ authorization: "", "api-key": key }),
    "x-goog-api-key": (key) => ({ authorization: "", "x-goog-api-key": key }),
    "several at once": (key) => ({
      authorization: `Bearer ${key}`,
      "x-api-key": "sk-another-canary",
      "api-key": "sk-another-canary",
      cookie: "session=sk-another-canary",
    }),
  };
  test.each(Object.entries(ways))(
    "the caller's key, sent as %s, is let in and goes no further",
    async (_, way) => {
      for (const { client, provider } of ROUTES) {
        const answer = await fetch(
          `${ground.gw.url}${client === "openai" ? "/v1/chat/completions" : "/v1/messages"}`,
          {
            method: "POST",
            headers: {
              "content-type": "application/json",
              ...Object.fromEntries(
                Object.entries(way(ground.key)).filter(([, value]) => value !== ""),
              ),
            },
            body: JSON.stringify(bodyFor(client, {}, MODEL[provider])),
          },
        );
        expect(answer.status).toBe(200);
        const [call] = ground.up.calls.all.splice(0);
        const seen =
          JSON.stringify(call?.headers) + call?.raw.toString() + call?.request.query.toString();
        expect(seen).not.toContain(ground.key.slice(-20));
        expect(seen).not.toContain("another-canary");
      }
      expect(JSON.stringify(ground.gw.logs)).not.toContain(ground.key.slice(-20));
    },
  );
});

describe("the caller's headers", () => {
  const sent: Record<Dialect, Record<string, string>> = {
    openai: { "openai-beta": "responses=v1" },
    anthropic: { "anthropic-beta": "context-1m-2025-08-07", "anthropic-version": "2023-01-01" },
  };
  const own = {
    "x-forwarded-for": "10.1.2.3",
    "user-agent": "app/1",
    "x-routero-tags": "a",
    referer: "http://me",
  };

  test.each(ROUTES.filter(({ stream }) => !stream))(
    "pass between equals only: $client client, $provider provider",
    async ({ client, provider }) => {
      const body = bodyFor(client, {}, MODEL[provider]);
      const answer = await ground.post(client, body, { headers: { ...sent[client], ...own } });
      expect(answer.status).toBe(200);
      const headers = ground.up.calls.all[0]?.headers ?? {};
      for (const [name, value] of Object.entries(sent[client])) {
        if (client === provider) expect(headers[name]).toBe(value);
        else expect(headers[name]).not.toBe(value);
      }
      const degraded = answer.headers.get("x-routero-degraded") ?? "";
      const beta = client === "openai" ? "openai-beta" : "anthropic-beta";
      expect(degraded.includes(beta)).toBe(client !== provider);
      for (const name of ["x-forwarded-for", "x-routero-tags", "referer", "cookie"]) {
        expect(headers[name]).toBeUndefined();
      }
      expect(headers["user-agent"]).toBe("routero");
      expect(headers["accept-encoding"]).toBe("identity");
    },
  );

  test.each(DIALECTS)("an SDK's own telemetry headers stay here, %s", async (client) => {
    await ask(ground, { client, provider: client, stream: false });
    const names = Object.keys(ground.up.calls.all[0]?.headers ?? {});
    expect(names.filter((name) => name.startsWith("x-stainless"))).toEqual([]);
  });
});
