import type { ModelFacts, Quirks } from "../../worker/core/model.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import type { Target } from "../../worker/protocols/protocol.ts";

export const openai = dialectOf("openai-chat");
export const anthropic = dialectOf("anthropic");
export const hi = { role: "user", content: "hi" };

export function target(facts: Partial<ModelFacts> = {}, quirks?: Quirks): Target {
  return {
    model: "target",
    facts: { capabilities: {}, maxOutput: 64_000, ...facts, ...(quirks && { quirks }) },
    streamUsage: "include_usage",
  };
}

export const toAnthropic = (body: JsonObject, facts: Partial<ModelFacts> = {}, quirks?: Quirks) =>
  anthropic.provider.buildRequest(
    openai.client.parseRequest({ model: "a", messages: [hi], ...body }),
    target(facts, quirks),
  );
export const toOpenai = (body: JsonObject, facts: Partial<ModelFacts> = {}, quirks?: Quirks) =>
  openai.provider.buildRequest(
    anthropic.client.parseRequest({ model: "a", max_tokens: 100, messages: [hi], ...body }),
    target(facts, quirks),
  );
