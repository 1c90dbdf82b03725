import { describe, expect, it } from "vitest";
import type { Deployment } from "../../worker/core/model.ts";
import { findProvider } from "../../worker/providers/catalog.ts";
import { prefillOf } from "../../worker/providers/prefill.ts";

const at = (provider: string, model: string, more: Partial<Deployment> = {}): Deployment => ({
  id: "d",
  group: "g",
  provider,
  model,
  protocol: "openai-chat",
  baseUrl: findProvider(provider)?.baseUrl ?? "https://example.com/v1",
  weight: 1,
  order: 0,
  tags: [],
  facts: { capabilities: {} },
  ...more,
});

describe("how a model is told to go on from the beginning of its answer", () => {
  it.each([
    ["anthropic", "claude-3-5-haiku-20241022", "assistant"],
    ["anthropic", "claude-sonnet-4-20250514", "assistant"],
    ["anthropic", "claude-opus-4-5", "assistant"],
    ["anthropic", "claude-haiku-4-5-20251001", "assistant"],
    ["anthropic", "claude-opus-4-6", undefined],
    ["anthropic", "claude-sonnet-4-6", undefined],
    ["anthropic", "claude-opus-5", undefined],
    ["bedrock", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", "assistant"],
    ["bedrock", "us.anthropic.claude-opus-4-6-v1", undefined],
    ["gemini", "gemini-2.5-flash", "assistant"],
    ["gemini", "gemini-3.5-flash-lite", undefined],
    ["gemini", "gemini-3.6-flash", undefined],
    ["mistral", "mistral-large-latest", "prefix"],
    ["mistral", "magistral-medium-latest", undefined],
    ["deepseek", "deepseek-chat", "prefix"],
    ["deepseek", "deepseek-reasoner", undefined],
    ["moonshot", "kimi-k2.5", "partial"],
    ["moonshot", "kimi-k2-thinking", undefined],
    ["dashscope", "qwen-plus-2025-07-28", "partial"],
    ["dashscope", "qwq-32b", undefined],
    ["openai", "gpt-4o", undefined],
    ["unheard-of", "claude-3-opus", undefined],
  ])("%s/%s: %s", (provider, model, form) => {
    expect(prefillOf(at(provider, model))?.form).toBe(form);
  });

  it("is the administrator's word before ours", () => {
    const capabilities = {};
    const none = { facts: { capabilities, prefill: "none" } } as const;
    expect(prefillOf(at("anthropic", "claude-3-opus", none))).toBeUndefined();
    const vllm = { facts: { capabilities, prefill: { form: "vllm" } } } as const;
    expect(prefillOf(at("openai_compatible", "mine", vllm))).toEqual({ form: "vllm" });
  });

  it("is not used at an address that does not serve it", () => {
    const elsewhere = { baseUrl: "https://proxy.example.com/v1" };
    expect(prefillOf(at("deepseek", "deepseek-chat", elsewhere))).toBeUndefined();
    expect(prefillOf(at("mistral", "mistral-large", elsewhere))).toBeDefined();
  });
});
