import type { Capability, ModelTier } from "../../core/model.ts";

/**
 * What the smart router believes of a model before it has seen it work. Families are matched by the beginning of the
 * model's own name, whoever serves it; the longest beginning wins. Prices (US dollars per million tokens: input, output,
 * cached input) serve only to compare, and only where the deployment's own are unknown; nothing is charged by them.
 */
export interface Family {
  vendor: string;
  prefix: string;
  /** Only where this provider serves it: for names that are too plain to be anybody's. */
  servedBy?: string;
  tier: ModelTier;
  /** 0–1 above its tier's usual: newer and larger members of a tier. */
  strength?: number;
  /** Thinks before it answers: its answers cost more tokens, and take longer. */
  thinks?: boolean;
  usd: readonly [input: number, output: number, cached?: number];
  window?: number;
  can?: readonly Capability[];
  cannot?: readonly Capability[];
}

const SEES: readonly Capability[] = ["images", "tools", "streaming"];
const TOOLS: readonly Capability[] = ["tools", "streaming"];
const NO_IMAGES: readonly Capability[] = ["images", "audio", "files"];

export const FAMILIES: readonly Family[] = [
  // OpenAI
  { vendor: "openai", prefix: "gpt-3.5", tier: "LIGHT", usd: [0.5, 1.5], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "openai", prefix: "gpt-4", tier: "STANDARD", usd: [10, 30], can: TOOLS },
  { vendor: "openai", prefix: "gpt-4o", tier: "STANDARD", strength: 0.3, usd: [2.5, 10, 1.25], can: SEES },
  { vendor: "openai", prefix: "gpt-4o-mini", tier: "LIGHT", usd: [0.15, 0.6, 0.075], can: SEES },
  { vendor: "openai", prefix: "gpt-4.1", tier: "STANDARD", strength: 0.5, usd: [2, 8, 0.5], can: SEES },
  { vendor: "openai", prefix: "gpt-4.1-mini", tier: "STANDARD", usd: [0.4, 1.6, 0.1], can: SEES },
  { vendor: "openai", prefix: "gpt-4.1-nano", tier: "LIGHT", usd: [0.1, 0.4, 0.025], can: SEES },
  { vendor: "openai", prefix: "gpt-5", tier: "HEAVY", thinks: true, usd: [1.25, 10, 0.125], can: SEES },
  { vendor: "openai", prefix: "gpt-5-pro", tier: "REASONING", strength: 0.3, thinks: true, usd: [15, 120], can: SEES },
  { vendor: "openai", prefix: "gpt-5-mini", tier: "STANDARD", strength: 0.6, thinks: true, usd: [0.25, 2, 0.025], can: SEES },
  { vendor: "openai", prefix: "gpt-5-nano", tier: "LIGHT", strength: 0.4, thinks: true, usd: [0.05, 0.4, 0.005], can: SEES },
  { vendor: "openai", prefix: "gpt-5.1", tier: "HEAVY", strength: 0.2, thinks: true, usd: [1.25, 10, 0.125], can: SEES },
  { vendor: "openai", prefix: "gpt-5.2", tier: "HEAVY", strength: 0.4, thinks: true, usd: [1.75, 14, 0.175], can: SEES },
  { vendor: "openai", prefix: "gpt-5.4", tier: "HEAVY", strength: 0.6, thinks: true, usd: [2.5, 15, 0.25], can: SEES },
  { vendor: "openai", prefix: "gpt-5.4-mini", tier: "STANDARD", strength: 0.8, thinks: true, usd: [0.75, 4.5, 0.075], can: SEES },
  { vendor: "openai", prefix: "gpt-5.4-nano", tier: "LIGHT", strength: 0.7, thinks: true, usd: [0.2, 1.25, 0.02], can: SEES },
  { vendor: "openai", prefix: "gpt-5.5", tier: "REASONING", thinks: true, usd: [5, 30, 0.5], can: SEES },
  { vendor: "openai", prefix: "gpt-5.6-luna", tier: "LIGHT", strength: 0.8, usd: [0.2, 1.2, 0.02], can: SEES },
  { vendor: "openai", prefix: "gpt-5.6-terra", tier: "HEAVY", strength: 0.5, thinks: true, usd: [2, 12, 0.2], can: SEES },
  { vendor: "openai", prefix: "gpt-5.6", tier: "REASONING", strength: 0.4, thinks: true, usd: [4, 20, 0.4], can: SEES },
  { vendor: "openai", prefix: "gpt-6", tier: "REASONING", strength: 0.6, thinks: true, usd: [2, 10, 0.2], can: SEES },
  { vendor: "openai", prefix: "gpt-6-luna", tier: "STANDARD", strength: 0.5, usd: [0.1, 0.5, 0.01], can: SEES },
  { vendor: "openai", prefix: "gpt-6-astra", tier: "REASONING", strength: 0.9, thinks: true, usd: [10, 50, 1], can: SEES },
  { vendor: "openai", prefix: "gpt-oss-20b", tier: "LIGHT", strength: 0.3, thinks: true, usd: [0.03, 0.14], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "openai", prefix: "gpt-oss-120b", tier: "STANDARD", strength: 0.3, thinks: true, usd: [0.04, 0.18], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "openai", prefix: "o1", tier: "REASONING", thinks: true, usd: [15, 60, 7.5], can: TOOLS },
  { vendor: "openai", prefix: "o1-mini", tier: "HEAVY", thinks: true, usd: [1.1, 4.4, 0.55], cannot: NO_IMAGES },
  { vendor: "openai", prefix: "o3", tier: "REASONING", strength: 0.2, thinks: true, usd: [2, 8, 0.5], can: SEES },
  { vendor: "openai", prefix: "o3-mini", tier: "HEAVY", thinks: true, usd: [1.1, 4.4, 0.55], can: TOOLS },
  { vendor: "openai", prefix: "o4-mini", tier: "HEAVY", strength: 0.2, thinks: true, usd: [1.1, 4.4, 0.275], can: SEES },
  // Anthropic
  { vendor: "anthropic", prefix: "claude-2", tier: "LIGHT", usd: [8, 24], cannot: NO_IMAGES },
  { vendor: "anthropic", prefix: "claude-instant", tier: "LIGHT", usd: [0.8, 2.4], cannot: NO_IMAGES },
  { vendor: "anthropic", prefix: "claude-3-haiku", tier: "LIGHT", usd: [0.25, 1.25, 0.03], can: SEES },
  { vendor: "anthropic", prefix: "claude-3-5-haiku", tier: "LIGHT", strength: 0.4, usd: [0.8, 4, 0.08], can: SEES },
  { vendor: "anthropic", prefix: "claude-3", tier: "STANDARD", strength: 0.4, usd: [3, 15, 0.3], can: SEES },
  { vendor: "anthropic", prefix: "claude-haiku", tier: "STANDARD", strength: 0.4, usd: [1, 5, 0.1], can: SEES },
  { vendor: "anthropic", prefix: "claude-sonnet", tier: "HEAVY", strength: 0.3, usd: [3, 15, 0.3], can: SEES },
  { vendor: "anthropic", prefix: "claude-sonnet-5", tier: "HEAVY", strength: 0.7, usd: [2, 10, 0.2], can: SEES },
  { vendor: "anthropic", prefix: "claude-opus", tier: "REASONING", strength: 0.3, usd: [5, 25, 0.5], can: SEES },
  { vendor: "anthropic", prefix: "claude-opus-5", tier: "REASONING", strength: 0.7, usd: [4, 20, 0.2], can: SEES },
  { vendor: "anthropic", prefix: "claude-fable", tier: "REASONING", strength: 0.9, usd: [10, 50, 0.5], can: SEES },
  // Google
  { vendor: "google", prefix: "gemini-1.5-flash", tier: "LIGHT", usd: [0.075, 0.3, 0.019], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-1.5-pro", tier: "STANDARD", strength: 0.3, usd: [1.25, 5, 0.31], window: 2_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-flash-lite", tier: "LIGHT", strength: 0.5, usd: [0.1, 0.4, 0.01], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-flash", tier: "STANDARD", strength: 0.4, usd: [0.3, 2.5, 0.03], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-pro", tier: "HEAVY", strength: 0.2, thinks: true, usd: [1.25, 10, 0.125], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-2.0-flash", tier: "LIGHT", strength: 0.4, usd: [0.1, 0.4, 0.025], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-2.5-flash-lite", tier: "LIGHT", strength: 0.5, usd: [0.1, 0.4, 0.01], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-2.5-flash", tier: "STANDARD", strength: 0.4, usd: [0.3, 2.5, 0.03], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-2.5-pro", tier: "HEAVY", strength: 0.2, thinks: true, usd: [1.25, 10, 0.125], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-3-flash", tier: "STANDARD", strength: 0.8, usd: [0.5, 3, 0.05], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-3.1-flash-lite", tier: "STANDARD", usd: [0.25, 1.5, 0.025], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-3.5-flash-lite", tier: "STANDARD", strength: 0.2, usd: [0.3, 2.5, 0.03], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-3", tier: "HEAVY", strength: 0.6, thinks: true, usd: [1.5, 9, 0.15], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemini-3.1-pro", tier: "REASONING", strength: 0.4, thinks: true, usd: [2, 12, 0.2], window: 1_000_000, can: SEES },
  { vendor: "google", prefix: "gemma", tier: "LIGHT", usd: [0.15, 0.6], can: ["streaming"] },
  // DeepSeek
  { vendor: "deepseek", prefix: "deepseek", tier: "STANDARD", strength: 0.5, usd: [0.27, 0.41, 0.03], window: 128_000, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "deepseek", prefix: "deepseek-reasoner", tier: "HEAVY", strength: 0.3, thinks: true, usd: [0.27, 0.41, 0.03], window: 128_000, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "deepseek", prefix: "deepseek-r1", tier: "HEAVY", strength: 0.3, thinks: true, usd: [0.55, 2.19, 0.14], window: 64_000, cannot: NO_IMAGES },
  { vendor: "deepseek", prefix: "deepseek-r1-distill", tier: "STANDARD", strength: 0.2, thinks: true, usd: [0.1, 0.4], cannot: NO_IMAGES },
  { vendor: "deepseek", prefix: "deepseek-r1-", servedBy: "ollama", tier: "STANDARD", strength: 0.2, thinks: true, usd: [0.1, 0.4], cannot: NO_IMAGES },
  { vendor: "deepseek", prefix: "deepseek-v4-flash", tier: "STANDARD", strength: 0.6, usd: [0.22, 0.66, 0.007], window: 1_000_000, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "deepseek", prefix: "deepseek-v4-pro", tier: "HEAVY", strength: 0.5, thinks: true, usd: [0.66, 1.98, 0.022], window: 1_000_000, can: TOOLS, cannot: NO_IMAGES },
  // xAI
  { vendor: "xai", prefix: "grok-2", tier: "STANDARD", usd: [2, 10], can: TOOLS },
  { vendor: "xai", prefix: "grok-3", tier: "STANDARD", strength: 0.6, usd: [3, 15, 0.75], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "xai", prefix: "grok-3-mini", tier: "STANDARD", strength: 0.3, thinks: true, usd: [0.3, 0.5, 0.075], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "xai", prefix: "grok-4", tier: "HEAVY", strength: 0.5, thinks: true, usd: [2, 6, 0.4], can: SEES },
  { vendor: "xai", prefix: "grok-4-fast", tier: "STANDARD", strength: 0.6, usd: [0.2, 0.5, 0.05], can: SEES },
  { vendor: "xai", prefix: "grok-4-1-fast", tier: "STANDARD", strength: 0.7, usd: [0.2, 0.5, 0.05], can: SEES },
  { vendor: "xai", prefix: "grok-code-fast", tier: "STANDARD", strength: 0.4, thinks: true, usd: [0.2, 1.5, 0.02], can: TOOLS, cannot: NO_IMAGES },
  // NVIDIA
  { vendor: "nvidia", prefix: "nemotron-nano", tier: "LIGHT", usd: [0.04, 0.16], can: TOOLS },
  { vendor: "nvidia", prefix: "nemotron-3-nano", tier: "LIGHT", strength: 0.5, usd: [0.05, 0.2], window: 262_144, can: TOOLS },
  { vendor: "nvidia", prefix: "nemotron-3-super", tier: "STANDARD", strength: 0.5, usd: [0.09, 0.45], window: 262_144, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "nvidia", prefix: "nemotron-3-ultra", tier: "HEAVY", strength: 0.2, thinks: true, usd: [0.5, 2.5, 0.15], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "nvidia", prefix: "llama-3.1-nemotron", tier: "STANDARD", usd: [0.12, 0.3], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "nvidia", prefix: "llama-3.3-nemotron", tier: "STANDARD", strength: 0.3, usd: [0.13, 0.4], can: TOOLS, cannot: NO_IMAGES },
  // Moonshot
  { vendor: "moonshot", prefix: "moonshot-v1", tier: "LIGHT", strength: 0.5, usd: [1, 3], can: TOOLS },
  { vendor: "moonshot", prefix: "kimi-k2", tier: "HEAVY", usd: [0.6, 2.5, 0.15], window: 262_144, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "moonshot", prefix: "kimi-k2.5", tier: "HEAVY", strength: 0.3, usd: [0.6, 3, 0.1], window: 262_144, can: SEES },
  { vendor: "moonshot", prefix: "kimi-k2.6", tier: "HEAVY", strength: 0.5, usd: [0.95, 4, 0.16], window: 262_144, can: SEES },
  { vendor: "moonshot", prefix: "kimi-k3", tier: "REASONING", strength: 0.4, thinks: true, usd: [3, 15, 0.3], window: 1_048_576, can: SEES },
  // MiniMax
  { vendor: "minimax", prefix: "minimax-m1", tier: "STANDARD", strength: 0.3, thinks: true, usd: [0.3, 1.65], window: 1_000_000, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "minimax", prefix: "minimax-m2", tier: "STANDARD", strength: 0.8, thinks: true, usd: [0.27, 1.08, 0.05], window: 204_800, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "minimax", prefix: "minimax-m3", tier: "HEAVY", strength: 0.2, thinks: true, usd: [0.3, 1.2, 0.06], can: TOOLS },
  // Z.AI
  { vendor: "zai", prefix: "glm-4.5-air", tier: "LIGHT", strength: 0.8, usd: [0.125, 0.85, 0.06], window: 131_072, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "zai", prefix: "glm-4", tier: "STANDARD", strength: 0.6, usd: [0.43, 1.74, 0.08], window: 131_072, can: TOOLS },
  { vendor: "zai", prefix: "glm-4.7-flash", tier: "LIGHT", strength: 0.7, usd: [0.06, 0.4, 0.01], can: TOOLS },
  { vendor: "zai", prefix: "glm-5", tier: "HEAVY", strength: 0.5, thinks: true, usd: [1.4, 4.4, 0.26], window: 202_752, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "zai", prefix: "glm-5.3-flash", tier: "STANDARD", strength: 0.5, usd: [0.075, 0.25, 0.015], can: TOOLS },
  // Alibaba
  { vendor: "alibaba", prefix: "qwen-turbo", tier: "LIGHT", usd: [0.05, 0.2, 0.02], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwen-flash", tier: "LIGHT", strength: 0.5, usd: [0.05, 0.4], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwen-plus", tier: "STANDARD", strength: 0.3, usd: [0.4, 1.2, 0.16], window: 1_000_000, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwen-max", tier: "STANDARD", strength: 0.5, usd: [1.6, 6.4, 0.64], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwen3-max", tier: "HEAVY", strength: 0.2, usd: [1.2, 6], window: 262_144, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwen3-235b", tier: "STANDARD", strength: 0.6, usd: [0.13, 0.6], window: 131_072, can: TOOLS, cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwen3-coder", tier: "STANDARD", strength: 0.6, usd: [0.22, 1.8], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwen3.5-flash", tier: "LIGHT", strength: 0.7, usd: [0.065, 0.26], window: 1_000_000, can: TOOLS },
  { vendor: "alibaba", prefix: "qwen3.5-plus", tier: "STANDARD", strength: 0.7, usd: [0.4, 2.4], window: 1_000_000, can: TOOLS },
  { vendor: "alibaba", prefix: "qwen3.7-plus", tier: "HEAVY", usd: [0.4, 1.6, 0.08], can: TOOLS },
  { vendor: "alibaba", prefix: "qwen3.7-max", tier: "HEAVY", strength: 0.6, thinks: true, usd: [1.25, 3.75, 0.25], can: TOOLS },
  { vendor: "alibaba", prefix: "qwen", tier: "LIGHT", strength: 0.3, usd: [0.1, 0.3] },
  { vendor: "alibaba", prefix: "qwen2.5-72b", tier: "STANDARD", usd: [0.35, 0.4], cannot: NO_IMAGES },
  { vendor: "alibaba", prefix: "qwq", tier: "STANDARD", strength: 0.4, thinks: true, usd: [0.15, 0.2], cannot: NO_IMAGES },
  // Mistral
  { vendor: "mistral", prefix: "ministral", tier: "LIGHT", usd: [0.1, 0.1, 0.01], can: TOOLS },
  { vendor: "mistral", prefix: "mistral", tier: "LIGHT", usd: [0.25, 0.25], can: TOOLS },
  { vendor: "mistral", prefix: "mistral-small", tier: "LIGHT", strength: 0.6, usd: [0.15, 0.6, 0.015], can: TOOLS },
  { vendor: "mistral", prefix: "mistral-medium", tier: "STANDARD", strength: 0.6, usd: [0.4, 2, 0.04], can: SEES },
  { vendor: "mistral", prefix: "mistral-large", tier: "STANDARD", strength: 0.7, usd: [0.5, 1.5, 0.05], can: TOOLS },
  { vendor: "mistral", prefix: "magistral", tier: "STANDARD", strength: 0.7, thinks: true, usd: [2, 5], can: TOOLS },
  { vendor: "mistral", prefix: "codestral", tier: "STANDARD", strength: 0.3, usd: [0.3, 0.9, 0.03], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "mistral", prefix: "devstral", tier: "STANDARD", strength: 0.5, usd: [0.4, 2, 0.04], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "mistral", prefix: "mixtral", tier: "LIGHT", usd: [0.7, 0.7], cannot: NO_IMAGES },
  { vendor: "mistral", prefix: "pixtral", tier: "LIGHT", strength: 0.3, usd: [0.15, 0.15], can: SEES },
  // Microsoft
  { vendor: "microsoft", prefix: "phi-3", tier: "LIGHT", usd: [0.1, 0.1], cannot: ["audio", "files"] },
  { vendor: "microsoft", prefix: "phi-4", tier: "LIGHT", strength: 0.5, usd: [0.07, 0.14], window: 16_384, cannot: ["audio", "files"] },
  { vendor: "microsoft", prefix: "phi-4-reasoning", tier: "STANDARD", strength: 0.2, thinks: true, usd: [0.07, 0.35], cannot: NO_IMAGES },
  { vendor: "microsoft", prefix: "wizardlm", tier: "LIGHT", usd: [0.5, 0.5], cannot: NO_IMAGES },
  // Xiaomi
  { vendor: "xiaomi", prefix: "mimo-v2-flash", tier: "STANDARD", strength: 0.3, usd: [0.1, 0.3, 0.01], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "xiaomi", prefix: "mimo-v2.5", tier: "STANDARD", strength: 0.6, usd: [0.14, 0.28, 0.003], can: TOOLS },
  { vendor: "xiaomi", prefix: "mimo-v2.5-pro", tier: "HEAVY", strength: 0.3, thinks: true, usd: [0.435, 0.87, 0.004], can: TOOLS },
  // Amazon
  { vendor: "amazon", prefix: "nova-micro", tier: "LIGHT", usd: [0.035, 0.14], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "amazon", prefix: "nova-lite", tier: "LIGHT", strength: 0.4, usd: [0.06, 0.24], can: SEES },
  { vendor: "amazon", prefix: "nova-pro", tier: "STANDARD", strength: 0.2, usd: [0.8, 3.2], can: SEES },
  { vendor: "amazon", prefix: "nova-premier", tier: "HEAVY", usd: [2.5, 12.5], can: SEES },
  // Cohere
  { vendor: "cohere", prefix: "command-r", tier: "LIGHT", strength: 0.4, usd: [0.15, 0.6], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "cohere", prefix: "command-r-plus", tier: "STANDARD", usd: [2.5, 10], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "cohere", prefix: "command-a", tier: "STANDARD", strength: 0.3, usd: [2.5, 10], can: TOOLS },
  // Meta, and the simulated provider
  { vendor: "meta", prefix: "llama-3-70b", tier: "STANDARD", usd: [0.6, 0.8], cannot: NO_IMAGES },
  { vendor: "meta", prefix: "llama-3.1-70b", tier: "STANDARD", usd: [0.6, 0.8], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "meta", prefix: "llama-3.1-405b", tier: "STANDARD", strength: 0.4, usd: [2.4, 2.4], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "meta", prefix: "llama-3.2-90b", tier: "STANDARD", usd: [0.9, 0.9], can: ["images", "streaming"] },
  { vendor: "meta", prefix: "llama-3", tier: "LIGHT", usd: [0.1, 0.2], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "meta", prefix: "llama-3.3-70b", tier: "STANDARD", usd: [0.59, 0.79], can: TOOLS, cannot: NO_IMAGES },
  { vendor: "meta", prefix: "llama-4", tier: "STANDARD", strength: 0.2, usd: [0.2, 0.6], can: SEES },
  { vendor: "simulated", servedBy: "sim", prefix: "echo", tier: "LIGHT", usd: [1, 2, 0.1] },
  { vendor: "simulated", servedBy: "sim", prefix: "text", tier: "STANDARD", usd: [1, 2, 0.1] },
  { vendor: "simulated", servedBy: "sim", prefix: "tools", tier: "STANDARD", usd: [1, 2, 0.1] },
  { vendor: "simulated", servedBy: "sim", prefix: "thinking", tier: "REASONING", thinks: true, usd: [1, 2, 0.1] },
];
