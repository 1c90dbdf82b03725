import { expect, test } from "vitest";
import { providers } from "../../worker/providers/catalog.ts";
import { modelFacts, providersOf } from "../../worker/providers/models.ts";

test.each([
  ["gemini", "gemini-2.5-flash", "budget"],
  ["vertex_ai", "gemini-3-pro-preview", "effort"],
  ["bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "budget"],
  ["bedrock_anthropic", "anthropic.claude-opus-4-6-v1", "adaptive"],
  ["vertex_ai_anthropic", "claude-sonnet-4-5@20250929", "budget"],
  ["azure", "o3", "effort"],
])("%s knows how %s thinks and what it costs", (provider, model, reasoning) => {
  const facts = modelFacts(provider, model);
  expect(facts.reasoning).toBe(reasoning);
  expect(facts.prices?.input).toBeGreaterThan(0);
});

test("a deployment at Azure costs what its model costs", () => {
  expect(modelFacts("azure", "gpt-4o").prices).toEqual(modelFacts("openai", "gpt-4o").prices);
});

test("a bare name belongs to who made the model, wherever else it is served", () => {
  const slugs = providers().map((row) => row.slug);
  for (const [model, owner] of [
    ["gemini-2.5-flash", "gemini"],
    ["gpt-4o", "openai"],
    ["claude-sonnet-4-5", "anthropic"],
  ] as const) {
    const owners = providersOf(model);
    expect(owners[0]).toBe(owner);
    for (const each of owners) expect(slugs).toContain(each);
  }
});
