import type { Deployment, Prefill } from "../core/model.ts";
import { findProvider } from "./catalog.ts";

/** Models that go on from the beginning of their answer, and how they are told. Whoever is not here is asked in words. */
interface PrefillRow {
  providers: readonly string[];
  /** Tested against the provider's name of the model. */
  model: RegExp;
  prefill: Prefill;
}

/** Claude up to 4.5; from 4.6 on a trailing assistant turn is refused. Never while it thinks. */
const CLAUDE =
  /claude-(?:instant|2|3|(?:opus|sonnet)-4(?:-0|-1|-5)?(?:[-@]\d{8}|$|[-@]v|-latest)|haiku-4-5)/;
/** Gemini up to 3.5; 3.5 Flash-Lite, 3.6 Flash and later refuse a trailing model turn. */
const GEMINI = /gemini-(?:1\.|2\.|3-|3\.[01]-|3\.5-(?!flash-lite))/;
/** What Model Studio documents for partial mode; none of it while it thinks. */
const QWEN =
  /^(?:qwen-(?:max|plus|flash|turbo|vl-max|vl-plus)|qwen3-(?:max|coder|vl-plus|vl-flash)|qwen2\.5-)/;

const ROWS: readonly PrefillRow[] = [
  {
    providers: ["anthropic", "bedrock", "vertex_ai", "azure_ai"],
    model: CLAUDE,
    prefill: { form: "assistant", withTools: true },
  },
  {
    providers: ["gemini", "vertex_ai"],
    model: GEMINI,
    prefill: { form: "assistant", withThinking: true },
  },
  // A last assistant turn without the mark is refused; with it the answer begins with it again.
  { providers: ["mistral"], model: /^(?!magistral)/, prefill: { form: "prefix", echoes: true } },
  {
    providers: ["deepseek"],
    model: /^deepseek-(?!reasoner|r1)/,
    prefill: { form: "prefix", baseUrl: "https://api.deepseek.com/beta" },
  },
  { providers: ["moonshot"], model: /^(?!.*thinking)/, prefill: { form: "partial" } },
  { providers: ["dashscope"], model: QWEN, prefill: { form: "partial" } },
  {
    providers: ["groq"],
    model: /^(?:llama|meta-llama\/|gemma)/,
    prefill: { form: "assistant" },
  },
  { providers: ["vllm", "hosted_vllm"], model: /^/, prefill: { form: "vllm", withTools: true } },
];

/** How a deployment is told to go on from the beginning of its answer; undefined where it can't be, or may not. */
export function prefillOf({ provider, model, baseUrl, facts }: Deployment): Prefill | undefined {
  const prefill = facts.prefill ?? knownPrefill(provider, model);
  if (prefill === undefined || prefill === "none") return undefined;
  const elsewhere = prefill.baseUrl !== undefined && baseUrl !== findProvider(provider)?.baseUrl;
  return elsewhere ? undefined : prefill;
}

/** What is known of a provider's model; undefined for those that take no beginning, and for unknown ones. */
export function knownPrefill(provider: string, model: string): Prefill | undefined {
  return ROWS.find((row) => row.providers.includes(provider) && row.model.test(model))?.prefill;
}
