import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Authorized } from "../../worker/core/call.ts";
import type { ChatRequest, Message, Part } from "../../worker/core/chat.ts";
import type { Capability, Deployment } from "../../worker/core/model.ts";
import type { Deps } from "../../worker/core/ports.ts";
import { needsOf } from "../../worker/routing/capability.ts";
import type { PlanFacts } from "../../worker/routing/plan.ts";
import { knownAbility, knownWindow } from "../../worker/routing/smart/knowledge.ts";
import { estimateTokens } from "../../worker/routing/tokens.ts";
import { smartRoute } from "../../worker/stages/smart.ts";

const CAPABILITIES: readonly Capability[] = [
  "images",
  "files",
  "audio",
  "tools",
  "parallel_tools",
  "json_schema",
  "reasoning",
  "streaming",
];
const MODELS = ["gpt-4o", "gpt-3.5-turbo", "phi-4", "o3-mini", "deepseek-chat", "house-model"];

const anyDeployment = fc.record({
  group: fc.constantFrom("a", "b", "c", "d", "e"),
  model: fc.constantFrom(...MODELS),
  capabilities: fc.dictionary(fc.constantFrom(...CAPABILITIES), fc.boolean()),
  contextWindow: fc.option(fc.constantFrom(2_000, 8_000, 128_000), { nil: undefined }),
  maxOutput: fc.option(fc.constantFrom(500, 4_000), { nil: undefined }),
  tier: fc.option(fc.constantFrom("LIGHT" as const, "HEAVY" as const), { nil: undefined }),
  open: fc.boolean(),
});
const text = fc
  .record({
    words: fc.constantFrom("hi", "Prove that it is linearizable.", "字", "ü😀\ud800", "def f(x): "),
    times: fc.constantFrom(0, 1, 300, 9_000),
  })
  .map(({ words, times }): Part => ({ type: "text", text: words.repeat(times) }));
const source = { type: "url" as const, url: "https://example.com/x" };
const anyPart: fc.Arbitrary<Part> = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.constant<Part>({ type: "image", source }),
  fc.constant<Part>({ type: "file", source }),
  fc.constant<Part>({ type: "audio", data: "", format: "wav" }),
  fc.constant<Part>({ type: "toolResult", callId: "c", parts: [{ type: "image", source }] }),
  fc.constant<Part>({ type: "thinking", text: "", signature: "s" }),
  fc.constant<Part>({ type: "toolCall", id: "c", name: "run", arguments: "{}" }),
);
const anyMessage: fc.Arbitrary<Message> = fc.record({
  role: fc.constantFrom("user" as const, "user" as const, "assistant" as const, "tool" as const),
  parts: fc.array(anyPart, { maxLength: 3 }),
});
const anyChat = fc
  .record({
    messages: fc.array(anyMessage, { minLength: 1, maxLength: 5 }),
    stream: fc.boolean(),
    tools: fc.constantFrom<ChatRequest["tools"]>([], [{ type: "function", name: "run" }]),
    format: fc.boolean(),
    thinks: fc.boolean(),
    most: fc.option(fc.constantFrom(100, 3_000), { nil: undefined }),
  })
  .map(({ format, thinks, most, ...rest }): ChatRequest => ({
    ...rest,
    model: "smart/balanced",
    streamUsage: false,
    sampling: most === undefined ? {} : { maxOutputTokens: most },
    ...(format && { responseFormat: { type: "schema", name: "x", schema: {} } }),
    ...(thinks && { reasoning: { effort: "low" } }),
    extra: {},
    dialect: "openai-chat",
  }));

it("no chosen model ever lacks what the request needs, by its facts or by its name", () => {
  fc.assert(
    fc.property(
      fc.array(anyDeployment, { minLength: 1, maxLength: 8 }),
      anyChat,
      fc.nat(10),
      (rows, chat, quality) => {
        const deployments = rows.map(
          ({ group, model, capabilities, contextWindow, maxOutput, tier }, at): Deployment => ({
            id: `d${at}`,
            group,
            provider: "openai",
            model,
            protocol: "openai-chat",
            baseUrl: "https://example.com/v1",
            weight: 1,
            order: 0,
            tags: [],
            facts: JSON.parse(JSON.stringify({ capabilities, contextWindow, maxOutput, tier })),
          }),
        );
        const shared = { deployments, org: { metadata: {}, models: [] } };
        const identity = { shared, principal: { orgId: "o" }, key: null, team: null };
        const call = { model: "smart/balanced", chat, identity, extensions: {} };
        const facts = {
          standing: ({ id }: Deployment) => ({
            state: rows[Number(id.slice(1))]?.open === true ? "open" : "closed",
            latency: null,
          }),
        };
        const { groups, smart } = smartRoute(
          { account: {}, learning: {}, platformKey: () => null } as unknown as Deps,
          call as unknown as Authorized,
          { quality, saves: "cost" },
          facts as unknown as PlanFacts,
          () => [],
        );
        const needs = [...needsOf(chat)];
        const room = estimateTokens(chat) + (chat.sampling.maxOutputTokens ?? 0);
        const able = (each: Deployment) =>
          needs.every((need) => knownAbility(each, need) !== false) &&
          (knownWindow(each) ?? Number.POSITIVE_INFINITY) >= room &&
          (each.facts.maxOutput ?? Number.POSITIVE_INFINITY) >=
            (chat.sampling.maxOutputTokens ?? 0);
        const serves = (group: string) =>
          deployments.filter((each) => each.group === group && able(each));
        if (smart.chosen === null) {
          // Nobody who is able is well, but for a window that is nearly full.
          for (const each of deployments.filter(able)) {
            const full = (knownWindow(each) ?? Number.POSITIVE_INFINITY) < room * 1.1;
            expect(full || facts.standing(each).state === "open").toBe(true);
          }
          return;
        }
        for (const group of groups) expect(serves(group).length, group).toBeGreaterThan(0);
      },
    ),
    { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 150) },
  );
});
