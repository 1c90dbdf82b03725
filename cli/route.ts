// `routero route "prompt"`: where the smart router would send a prompt, and why, offline.
import type { ChatRequest } from "../worker/core/chat.ts";
import type { Deployment } from "../worker/core/model.ts";
import type { SmartDecision } from "../worker/core/routing.ts";
import { findProvider } from "../worker/providers/catalog.ts";
import { modelFacts } from "../worker/providers/models.ts";
import type { Option } from "../worker/routing/smart/choose.ts";
import { routeConversation } from "../worker/routing/smart/conversation.ts";
import { dialNamed } from "../worker/routing/smart/dial.ts";
import { ENGINE } from "../worker/routing/smart/engine.ts";
import { explainSmart, type SmartExplanation } from "../worker/routing/smart/explain.ts";
import { beliefOf, knownAbility } from "../worker/routing/smart/knowledge.ts";

/** A usual handful, one or two of a price, where the caller names no models. */
const USUAL = [
  "openai/gpt-4.1-nano",
  "openai/gpt-5-mini",
  "openai/gpt-5.4",
  "anthropic/claude-haiku-4-5",
  "anthropic/claude-sonnet-5",
  "anthropic/claude-opus-5",
  "google/gemini-2.5-flash",
  "deepseek/deepseek-v4-flash",
  "mistral/mistral-small-latest",
  "xai/grok-4-1-fast-reasoning",
];

export interface RouteOptions {
  prompt: string;
  /** `balanced`, `cheap`, …, or `0` to `10`. */
  dial: string;
  /** `provider/model` each; empty = a usual handful. */
  models: readonly string[];
}

/** Thrown for a dial or a model that there is not. */
export class RouteError extends Error {
  override name = "RouteError";
}

export function routePrompt({ prompt, dial: name, models }: RouteOptions): {
  order: string[];
  explanation: SmartExplanation;
} {
  const dial = dialNamed(name.startsWith("smart/") ? name : `smart/${name}`);
  if (dial === null) {
    throw new RouteError(`there is no dial "${name}"; quality, balanced, fast, cheap or 0 to 10`);
  }
  const chat: ChatRequest = {
    model: `smart/${name}`,
    messages: [{ role: "user", parts: [{ type: "text", text: prompt }] }],
    stream: false,
    streamUsage: false,
    sampling: {},
    tools: [],
    extra: {},
    dialect: "openai-chat",
  };
  const options = (models.length > 0 ? models : USUAL).map(optionOf);
  const routed = routeConversation(chat, {
    options,
    able: ({ deployment }, needs) =>
      [...needs].every((need) => knownAbility(deployment, need) !== false),
    healthy: () => true,
    dial,
  });
  const { said } = routed;
  const decision: SmartDecision = {
    engine: ENGINE,
    ...said,
    quality: dial.quality,
    saves: dial.saves,
    budget: "ok",
    chosen: routed.order[0] ?? null,
    home: routed.home,
    reach: routed.reach,
    reason: routed.reason,
    learned: null,
    explored: false,
    propensity: null,
    seed: null,
    candidates: routed.scored,
  };
  return { order: routed.order, explanation: explainSmart(decision) };
}

function optionOf(name: string): Option {
  const slash = name.indexOf("/");
  const [provider, model] = [name.slice(0, slash), name.slice(slash + 1)];
  if (slash <= 0 || model === "") throw new RouteError(`"${name}" is not provider/model`);
  const deployment: Deployment = {
    id: name,
    group: name,
    provider,
    model,
    protocol: findProvider(provider)?.protocol ?? "openai-chat",
    baseUrl: "offline:",
    weight: 1,
    order: 0,
    tags: [],
    facts: modelFacts(provider, model),
  };
  return { group: name, deployment, belief: beliefOf(deployment), latency: null };
}

/** What is printed: the order with its figures, and the reason in words. */
export function routeText({ order, explanation }: ReturnType<typeof routePrompt>): string {
  const { candidates, dial } = explanation;
  const width = Math.max(...candidates.map(({ group }) => group.length), 5);
  const lines = order.map((group, at) => {
    const each = candidates.find((one) => one.group === group);
    const figures = `${each?.tier.padEnd(9)}  ${each?.quality.toFixed(3)}    ${(each?.cost_usd ?? "unknown").padEnd(12)} ${String(each?.latency_ms).padStart(6)}`;
    return `${String(at + 1).padStart(2)}  ${group.padEnd(width)}  ${figures}  ${each?.on_hull === true ? "hull" : ""}`;
  });
  const familiar = explanation.out_of_distribution ? ", unlike what the classifier knows" : "";
  return [
    `task ${explanation.task}, difficulty ${explanation.difficulty}, need for a strong model ${explanation.need_for_strong}${familiar}`,
    `dial ${dial.quality} of 10, saving ${dial.saves}`,
    "",
    `    ${"model".padEnd(width)}  tier       quality  USD expected     ms`,
    ...lines,
    "",
    `${order[0] ?? "none"}: ${explanation.reason}`,
    "",
  ].join("\n");
}
