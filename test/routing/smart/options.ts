import type { Deployment } from "../../../worker/core/model.ts";
import type { Option } from "../../../worker/routing/smart/choose.ts";
import { beliefOf } from "../../../worker/routing/smart/knowledge.ts";

export const deployment = (provider: string, model: string, facts = {}): Deployment => ({
  id: `${provider}/${model}`,
  group: `${provider}/${model}`,
  provider,
  model,
  protocol: "openai-chat",
  baseUrl: "https://example.com/v1",
  weight: 1,
  order: 0,
  tags: [],
  facts: { capabilities: {}, ...facts },
});
export const option = (each: Deployment): Option => ({
  group: each.group,
  deployment: each,
  belief: beliefOf(each),
  latency: null,
});
const MODELS = [
  ["openai", "gpt-4o-mini"],
  ["openai", "gpt-5"],
  ["anthropic", "claude-opus-5"],
  ["mistral", "ministral-8b-latest"],
  ["deepseek", "deepseek-chat"],
] as const;
export const OPTIONS = MODELS.map(([provider, model]) => option(deployment(provider, model)));
