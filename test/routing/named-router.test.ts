import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { autoRouterOf, type AutoRouter } from "../../worker/core/auto-router.ts";
import type { ChatRequest, Message } from "../../worker/core/chat.ts";
import { embed, type Embedding } from "../../worker/routing/named/embedding.ts";
import { matchRoute } from "../../worker/routing/named/match.ts";
import { routeBy } from "../../worker/routing/named/route.ts";

const ROUTES = [
  {
    name: "coder",
    utterances: [
      "write a function in python",
      "why does this code throw an exception",
      "refactor this class",
    ],
  },
  {
    name: "lawyer",
    utterances: ["review this contract clause", "is this licence compatible", "draft an NDA"],
  },
  { name: "translator", utterances: ["translate this into French", "how do you say it in German"] },
];

const router = (mode: "embedding" | "classifier", routes: object[] = ROUTES): AutoRouter =>
  autoRouterOf({
    id: "r",
    group: "desk",
    model: "desk",
    litellmParams: {
      auto_router_config: JSON.parse(JSON.stringify({ routes })) as { routes: [] },
      auto_router_default_model: "plain",
      auto_router_routing_mode: mode,
    },
  });

const user = (text: string): Message => ({ role: "user", parts: [{ type: "text", text }] });
const chat = (...messages: Message[]): ChatRequest => ({
  dialect: "openai-chat",
  model: "desk",
  messages,
  stream: false,
  streamUsage: false,
  sampling: {},
  tools: [],
  extra: {},
});
const all = () => true;

describe.each(["embedding", "classifier"] as const)("a named router, %s", (mode) => {
  it.each([
    ["Could you please write me a Python function that sorts a list?", "coder"],
    ["Why does my code throw a NullPointerException here?", "coder"],
    ["Please review the termination clause of our contract.", "lawyer"],
    ["Translate the following sentence into French: I am late.", "translator"],
    ["What's the weather like on Mars?", null],
    ["", null],
    ["日本の首都はどこですか", null],
  ])("%s -> %s", (text, route) => {
    expect(matchRoute(router(mode), text).route).toBe(route);
  });

  it("finds what is asked at either end of a long prompt", () => {
    const filler = "The river ran slowly past the old mill and nobody saw it go. ".repeat(200);
    const asked = "Translate this into French.";
    expect(matchRoute(router("embedding"), `${asked}\n${filler}`).route).toBe("translator");
    expect(matchRoute(router("embedding"), `${filler}\n${asked}`).route).toBe("translator");
  });

  it("takes a route only from its own threshold on", () => {
    const { score } = matchRoute(router(mode), "translate it into German, into French");
    expect(score).toBeGreaterThan(0.2);
    const strict = ROUTES.map((each) => ({ ...each, score_threshold: Math.min(1, score + 0.01) }));
    expect(matchRoute(router(mode, strict), "translate it into German, into French").route).toBe(
      null,
    );
  });

  it("never throws and never leaves 0–1, whatever is said", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { maxLength: 300 }), (codes) => {
        const { score } = matchRoute(router(mode), String.fromCharCode(...codes));
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("the route of a request", () => {
  it("follows the last user turn, and what cannot be read serves by the default", () => {
    const code = user("Write a function in Python");
    const french = user("Now translate this into French");
    expect(routeBy(router("embedding"), chat(code), all).route).toBe("coder");
    expect(
      routeBy(router("embedding"), chat(code, { role: "assistant", parts: [] }, french), all),
    ).toMatchObject({ route: "translator", reason: "matched" });
    expect(routeBy(router("embedding"), chat(), all).reason).toBe("no_messages");
    expect(routeBy(router("embedding"), chat(code), (name) => name !== "coder")).toMatchObject({
      route: null,
      reason: "no_such_model",
    });
    const broken = { ...router("embedding"), routes: null as never };
    expect(routeBy(broken, chat(code), all)).toMatchObject({ route: null, reason: "error" });
  });

  it("stays where history holds what only its provider can read", () => {
    const signed: Message = {
      role: "assistant",
      parts: [{ type: "thinking", text: "hm", signature: "sig" }],
    };
    const said = chat(user("Write a function in Python"), signed, user("translate it into French"));
    expect(routeBy(router("embedding"), said, all).route).toBe("coder");
  });
});

/** The cosine of two embeddings, the plain way. */
function cosine(a: Embedding, b: Embedding): number {
  let sum = 0;
  for (const [feature, weight] of a) sum += weight * (b.get(feature) ?? 0);
  return Math.min(1, sum);
}

it("likens a text most to itself", () => {
  fc.assert(
    fc.property(fc.lorem({ maxCount: 8 }), fc.lorem({ maxCount: 8 }), (a, b) => {
      const same = cosine(embed(a), embed(a));
      if (embed(a).size > 0) expect(same).toBeCloseTo(1, 6);
      expect(cosine(embed(a), embed(b))).toBeLessThanOrEqual(same + 1e-9);
      // One route knows no rare words: the score is the cosine with its nearest utterance.
      const one = router("embedding", [{ name: "only", utterances: [a, "something else"] }]);
      const nearest = Math.max(
        cosine(embed(b), embed(a)),
        cosine(embed(b), embed("something else")),
      );
      expect(matchRoute(one, b.replaceAll(/[.!?]/g, "")).score).toBeCloseTo(nearest, 6);
    }),
  );
});

/** Shares a word with an utterance, and says something else. */
const BESIDE =
  "the French revolution began with a bad harvest, an empty treasury, rising bread prices and a king without counsel";

it("takes the route of an utterance word for word at the default threshold, and nothing below it", () => {
  const near = "please translate";
  const { score } = matchRoute(router("embedding"), near);
  expect(score).toBeGreaterThan(0.2);
  for (const [text, route] of [
    ["translate this into French", "translator"],
    [near, "translator"],
    [BESIDE, null],
  ] as const) {
    const found = matchRoute(router("embedding"), text);
    expect([text, found.route]).toEqual([text, route]);
    expect(found.score >= 0.2).toBe(route !== null);
    expect(found.score).toBeGreaterThan(0.1);
  }
});
