import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseAmong, type Wanted } from "../../../worker/routing/smart/choose.ts";
import { classify } from "../../../worker/routing/smart/classify.ts";
import { bent, dialNamed, PRESETS } from "../../../worker/routing/smart/dial.ts";
import { hullOf } from "../../../worker/routing/smart/hull.ts";
import { beliefOf, VENDORS } from "../../../worker/routing/smart/knowledge.ts";
import { plainPrompt } from "../../../worker/routing/smart/prompt.ts";
import { deployment, option, OPTIONS } from "./options.ts";

const wanted = (text: string, quality: number, more: Partial<Wanted> = {}): Wanted => ({
  said: classify(plainPrompt(text)),
  dial: { quality, saves: "cost" },
  promptTokens: 100,
  cachedTokens: 0,
  draw: 0.5,
  ...more,
});
const qualityOf = (choice: ReturnType<typeof chooseAmong>) =>
  choice.scored.find((each) => each.group === choice.order[0])?.quality ?? 0;

const anyOptions = fc
  .uniqueArray(
    fc.record({
      name: fc.nat(50),
      usd: fc.nat(40),
      tier: fc.constantFrom("LIGHT", "STANDARD", "HEAVY", "REASONING"),
    }),
    { selector: ({ name }) => name, minLength: 1, maxLength: 8 },
  )
  .map((rows) =>
    rows.map(({ name, usd, tier }) =>
      option(
        deployment("any", `m${name}`, { tier, prices: { input: usd * 1e6, output: usd * 2e6 } }),
      ),
    ),
  );

describe("the choice among models", () => {
  it("names every option once and is the same however they are listed", () => {
    fc.assert(
      fc.property(anyOptions, fc.nat(10), fc.string(), (options, quality, text) => {
        const choice = chooseAmong(options, wanted(text, quality));
        expect(choice.order.toSorted()).toEqual(options.map(({ group }) => group).toSorted());
        expect(chooseAmong(options.toReversed(), wanted(text, quality)).order).toEqual(
          choice.order,
        );
      }),
    );
  });

  it("never takes what another beats in both price and quality", () => {
    fc.assert(
      fc.property(
        anyOptions,
        fc.nat(10),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (options, quality, draw) => {
          const { scored, order } = chooseAmong(options, wanted("x", quality, { draw }));
          const first = scored.find(({ group }) => group === order[0]);
          const beaten = scored.some(
            ({ cost, quality: good }) =>
              (cost ?? 0) < (first?.cost ?? 0) && good > (first?.quality ?? 0),
          );
          expect(beaten).toBe(false);
        },
      ),
    );
  });

  it("buys no luxury unless asked for quality above all: thrice the price for a sliver", () => {
    const priced = (name: string, tier: string, usd: number, strength = 0) => {
      const made = option(
        deployment("any", name, { tier, prices: { input: usd * 1e3, output: usd * 4e3 } }),
      );
      return { ...made, belief: { ...made.belief, strength } };
    };
    const good = priced("good", "REASONING", 2);
    const dear = priced("dear", "REASONING", 15, 0.1);
    const hardest = wanted("x", 5, {
      said: { ...classify(plainPrompt("x")), need: 1, unfamiliar: false },
    });
    const first = (quality: number, options = [priced("small", "LIGHT", 0.1), good, dear]) =>
      chooseAmong(options, { ...hardest, dial: { quality, saves: "cost" } }).order[0];
    expect([2, 5].map((quality) => first(quality))).toEqual(["any/good", "any/good"]);
    expect([6, 10].map((quality) => first(quality))).toEqual(["any/dear", "any/dear"]);
    // Without a bargain below it the dear one is the only strong one.
    expect(first(2, [priced("small", "LIGHT", 0.1), dear])).toBe("any/dear");
  });

  it("rises with the need of the prompt and with the dial, from the cheapest to the best", () => {
    const easy = "hi";
    const hard = "Implement a lock-free queue in C++ and prove that it is linearizable.";
    let below = 0;
    for (let quality = 0; quality <= 10; quality++) {
      const [low, high] = [easy, hard].map((text) =>
        qualityOf(chooseAmong(OPTIONS, wanted(text, quality))),
      );
      expect(high).toBeGreaterThanOrEqual(low ?? 0);
      expect(high).toBeGreaterThanOrEqual(below);
      below = high ?? 0;
    }
    const { scored, order } = chooseAmong(OPTIONS, wanted(hard, 0));
    expect(order[0]).toBe(scored.toSorted((a, b) => (a.cost ?? 0) - (b.cost ?? 0))[0]?.group);
    expect(chooseAmong(OPTIONS, wanted(easy, 10)).order[0]).toBe("anthropic/claude-opus-5");
  });

  it("places what it does not know by chance, so that the mix and not the guess decides", () => {
    const text = "Напиши мне, пожалуйста, короткий отчёт о продажах";
    const firsts = [0, 0.3, 0.6, 0.99].map((draw) =>
      chooseAmong(OPTIONS, wanted(text, 5, { draw })),
    );
    expect(new Set(firsts.map(({ order }) => order[0])).size).toBeGreaterThan(1);
    expect(firsts.every(({ reason }) => reason === "mix")).toBe(true);
  });

  it("never takes a model for free whose price nobody knows", () => {
    const unknown = option(deployment("any", "mystery"));
    expect(chooseAmong([...OPTIONS, unknown], wanted("hi", 1)).order[0]).not.toBe("any/mystery");
  });

  it("counts the cached prefix at its own price", () => {
    const cost = (cachedTokens: number) =>
      chooseAmong([OPTIONS[1]!], wanted("hi", 5, { promptTokens: 50_000, cachedTokens })).scored[0]
        ?.cost ?? 0;
    expect(cost(50_000)).toBeLessThan(cost(0) / 3);
  });
});

describe("the hull", () => {
  it("holds no point that a mix of two others beats", () => {
    const points = fc.array(fc.record({ cost: fc.nat(100), quality: fc.nat(100) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(points, (all) => {
        const hull = hullOf(all);
        for (const { cost, quality } of all) {
          const right = hull.find((each) => each.cost >= cost);
          const left = hull.findLast((each) => each.cost <= cost);
          const best =
            left === undefined || right === undefined
              ? (left ?? { quality: 0 }).quality
              : right.cost === left.cost
                ? left.quality
                : left.quality +
                  ((right.quality - left.quality) * (cost - left.cost)) / (right.cost - left.cost);
          if (left !== undefined) expect(quality).toBeLessThanOrEqual(best + 1e-9);
        }
      }),
    );
  });
});

describe("the dial", () => {
  it("has names and numbers, and nothing else", () => {
    expect(dialNamed("smart/cheap")).toEqual(PRESETS["cheap"]);
    expect(dialNamed("smart/10")?.quality).toBe(10);
    for (const other of [
      "smart/",
      "smart/11",
      "smart/-1",
      "smart/constructor",
      "smart",
      "gpt-4o",
    ]) {
      expect(dialNamed(other)).toBeNull();
    }
  });

  it("is turned towards cost by a budget that warns, and almost to the end by one that throttles", () => {
    const { quality } = PRESETS["quality"]!;
    expect(bent(PRESETS["quality"]!, "ok").quality).toBe(quality);
    expect(bent(PRESETS["quality"]!, "warn").quality).toBeLessThan(quality);
    expect(bent(PRESETS["quality"]!, "throttle").quality).toBeLessThanOrEqual(1);
    expect(bent(PRESETS["cheap"]!, "warn").quality).toBeLessThanOrEqual(PRESETS["cheap"]!.quality);
  });
});

describe("what is known of models", () => {
  it("covers the vendors of the contract", () => {
    const promised =
      "openai anthropic google deepseek xai nvidia moonshot minimax zai alibaba mistral microsoft xiaomi";
    expect(VENDORS).toEqual(expect.arrayContaining(promised.split(" ")));
  });

  it.each([
    ["bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "HEAVY"],
    ["bedrock", "us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0", "STANDARD"],
    ["bedrock", "apac.amazon.nova-micro-v1:0", "LIGHT"],
    ["bedrock", "us.deepseek.r1-v1:0", "HEAVY"],
    ["bedrock", "us.meta.llama3-3-70b-instruct-v1:0", "STANDARD"],
    ["bedrock", "meta.llama3-1-8b-instruct-v1:0", "LIGHT"],
    ["fireworks", "accounts/fireworks/models/llama-v3p1-70b-instruct", "STANDARD"],
    ["together", "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo", "STANDARD"],
    ["ollama", "llama3.2:3b", "LIGHT"],
    ["ollama", "qwen2.5:72b", "STANDARD"],
    ["ollama", "deepseek-r1:7b", "STANDARD"],
    ["openrouter", "deepseek/deepseek-r1:free", "HEAVY"],
    ["cohere", "command-r-plus-08-2024", "STANDARD"],
    ["openai", "o1-mini", "HEAVY"],
  ])("knows a model as %s spells it: %s", (provider, model, tier) => {
    expect(beliefOf(deployment(provider, model))).toMatchObject({ tier, from: "known" });
  });

  it("takes the organization's word first, then the name, whoever serves it, then the price", () => {
    expect(beliefOf(deployment("openai", "gpt-4o-mini-2024-07-18")).tier).toBe("LIGHT");
    expect(beliefOf(deployment("bedrock", "eu.anthropic.claude-opus-5-v1:0")).tier).toBe(
      "REASONING",
    );
    expect(beliefOf(deployment("groq", "openai/gpt-oss-120b")).tier).toBe("STANDARD");
    expect(beliefOf(deployment("openai", "gpt-4o-mini", { tier: "HEAVY" }))).toMatchObject({
      tier: "HEAVY",
      from: "org",
    });
    const price = (usd: number) => ({ prices: { input: usd * 1e6, output: usd * 1e6 } });
    expect(beliefOf(deployment("any", "house-model", price(0.2)))).toMatchObject({
      tier: "LIGHT",
      from: "price",
    });
    expect(beliefOf(deployment("any", "house-model", price(20))).tier).toBe("HEAVY");
  });
});
