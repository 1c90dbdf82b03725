import * as z from "zod";
import type { ProtocolName } from "../core/chat.ts";
import { DEPLOYMENT_PARAMS, type DeploymentParam } from "../core/model.ts";
import { MODEL_TIERS, PREFILL_FORMS } from "../core/model.ts";
import type { Capability, ModelFacts } from "../core/model.ts";
import type { Settings } from "../core/ports.ts";
import { findProvider, paramsFor, providers, type ProviderRow } from "../providers/catalog.ts";
import { checkEgress } from "../providers/egress.ts";
import { filled } from "../providers/hosting.ts";
import { modelFacts, providersOf } from "../providers/models.ts";
import { knownPrefill } from "../providers/prefill.ts";
import { invalidField } from "./faults.ts";
import { ROUTER_PARAMS } from "./router-params.ts";
import { alias, chosenId, price, tags, apiBase } from "./fields.ts";
import { secretText } from "./secret.ts";
import { SECRET_PARTS } from "./secret-parts.ts";
import { PRICE_FIELD_NAMES, PRICE_FIELDS, type PriceField } from "./prices.ts";

const PRICES = Object.fromEntries(
  PRICE_FIELD_NAMES.map((name) => [name, price.nullish().describe("US dollars per token")]),
) as Record<PriceField, z.ZodOptional<z.ZodNullable<typeof price>>>;

/** Fields of `model_info` that say what a model can do, by our name of it. */
export const CAPABILITY_FIELDS = {
  supports_vision: "images",
  supports_pdf_input: "files",
  supports_audio_input: "audio",
  supports_function_calling: "tools",
  supports_parallel_function_calling: "parallel_tools",
  supports_response_schema: "json_schema",
  supports_reasoning: "reasoning",
  supports_native_streaming: "streaming",
} as const satisfies Record<string, Capability>;

type CapabilityField = keyof typeof CAPABILITY_FIELDS;
export const CAPABILITY_NAMES = Object.keys(CAPABILITY_FIELDS) as CapabilityField[];

const CAPABILITIES = Object.fromEntries(
  CAPABILITY_NAMES.map((name) => [name, z.boolean().nullish()]),
) as Record<CapabilityField, z.ZodOptional<z.ZodNullable<z.ZodBoolean>>>;

const tokens = z.int().min(1, "Must be at least 1").max(1e9, "At most 1,000,000,000");

/** What an address or a signature is made of; it becomes a part of a URL. */
const addressPart = z
  .string()
  .max(128, "At most 128 characters")
  .regex(/^[\w.-]+$/, "Only letters, digits, dots and dashes");
export const PARAMS = {
  api_version: addressPart.nullish().describe("Azure's api-version"),
  aws_region_name: addressPart.nullish().describe("The region that calls are signed for"),
  vertex_project: addressPart.nullish(),
  vertex_location: addressPart.nullish().describe("A region, or global"),
} satisfies Record<DeploymentParam, z.ZodType>;

export const litellmParams = z.object({
  model: alias.describe("`provider/model`, as `openai/gpt-4o-mini`"),
  custom_llm_provider: alias
    .nullish()
    .describe("The provider, where model does not begin with one"),
  api_base: apiBase,
  api_key: secretText
    .nullish()
    .describe("Kept sealed and bound to the host of api_base; no answer ever holds it"),
  litellm_credential_name: alias
    .nullish()
    .describe("A stored credential (POST /credentials) in the place of api_key"),
  region_name: alias.nullish(),
  ...PARAMS,
  ...SECRET_PARTS,
  rpm: z.int().min(0).nullish(),
  tpm: z.int().min(0).nullish(),
  weight: z.number().min(0, "Must not be negative").max(1e6, "At most 1,000,000").nullish(),
  order: z.int().min(0, "Must not be negative").max(1e6, "At most 1,000,000").nullish(),
  timeout: z
    .number()
    .gt(0, "Must be above 0")
    .max(600, "At most 600 seconds")
    .nullish()
    .describe("Seconds to the first event"),
  tags: tags.nullish(),
  ...ROUTER_PARAMS,
  ...PRICES,
});

export const modelInfo = z.object({
  id: chosenId.nullish().describe("An id of your choice; one is made if absent"),
  mode: z
    .enum([
      "chat",
      "completion",
      "embedding",
      "image_generation",
      "audio_transcription",
      "audio_speech",
      "rerank",
      "moderation",
      "responses",
    ])
    .nullish(),
  base_model: alias
    .nullish()
    .describe("The known model that this one is, for prices and abilities"),
  max_input_tokens: tokens.nullish(),
  max_output_tokens: tokens.nullish(),
  max_tokens: tokens.nullish(),
  tier: z
    .enum(MODEL_TIERS)
    .nullish()
    .describe("How strong the smart router takes it for; absent = what is known of its name"),
  prefill: z
    .enum(["none", ...PREFILL_FORMS])
    .nullish()
    .describe(
      "How the model is told to go on from the beginning of its answer, if it can; absent = what is known of it",
    ),
  supports_assistant_prefill: z.boolean().nullish(),
  training: z
    .boolean()
    .nullish()
    .describe("Whether its provider trains on what it is sent, for policies; absent = not known"),
  retention_days: z
    .int()
    .min(0, "Must not be negative")
    .max(36_500, "At most 36500 days")
    .nullish()
    .describe(
      "Days for which its provider keeps what it is sent, for policies; absent = not known",
    ),
  ...CAPABILITIES,
  ...PRICES,
});

/** Parameters with the whole secret in `api_key`: see `withOneSecret`. */
export type LitellmParams = Omit<z.output<typeof litellmParams>, keyof typeof SECRET_PARTS>;
export type ModelInfo = z.output<typeof modelInfo>;

/** Where a new deployment's model is called. */
export interface Place {
  provider: string;
  model: string;
  protocol: ProtocolName;
  baseUrl: string;
  /** The host that a secret may be sent to; null where the provider takes none. */
  host: string | null;
}

/** Reads provider, model and address out of what a caller sent; refuses what can't be reached or must not be. */
export function placeOf(
  params: Pick<LitellmParams, "model" | "custom_llm_provider" | "api_base" | DeploymentParam>,
  settings: Pick<Settings, "allowPrivateUpstreams">,
  mode?: ModelInfo["mode"],
): Place {
  const { row, model } = providerOf(params);
  const responses = mode === "responses" && row.also?.["openai-responses"] !== undefined;
  const protocol = responses ? "openai-responses" : row.protocol;
  const at = { provider: row.slug, model, protocol };
  if (row.auth === "none" && row.baseUrl !== null) {
    if (params.api_base != null) {
      throw invalidField(["litellm_params", "api_base"], `The provider ${row.slug} takes none`);
    }
    return { ...at, baseUrl: row.baseUrl, host: null };
  }
  const text = params.api_base ?? addressFor(row, params);
  if (text === null) {
    throw invalidField(["litellm_params", "api_base"], `The provider ${row.slug} needs one`);
  }
  const url = checkEgress(text, settings, "litellm_params.api_base");
  return { ...at, baseUrl: url.href.replace(/\/+$/, ""), host: url.host };
}

/** Refuses a deployment that does not say what its provider's address or signature needs. */
export function checkParams(place: Place, params: Pick<LitellmParams, DeploymentParam>): void {
  const row = findProvider(place.provider);
  for (const [name, fallback] of Object.entries(row?.params ?? {})) {
    if (fallback === null && params[name as DeploymentParam] == null) {
      throw invalidField(["litellm_params", name], `The provider ${place.provider} needs it`);
    }
  }
}

/** The provider's address for this deployment; null where it has none without more being said. */
function addressFor(row: ProviderRow, params: Pick<LitellmParams, DeploymentParam>): string | null {
  const own: Record<string, string> = {};
  for (const name of DEPLOYMENT_PARAMS) if (params[name] != null) own[name] = params[name];
  const known = paramsFor(row, own);
  for (const [name, bases] of Object.entries(row.baseUrlFor ?? {})) {
    const base = bases[known[name] ?? ""];
    if (base !== undefined) return base;
  }
  return row.baseUrl === null ? null : filled(row.baseUrl, known);
}

/** A name that the catalog resolves, whether there is a credential for it by now or not. */
export function isKnown(name: string): boolean {
  return findProvider(name.split("/", 1)[0] ?? "") !== undefined || providersOf(name).length > 0;
}

/** The catalog's row of what `model` and `custom_llm_provider` name. */
export function rowOf(params: Pick<LitellmParams, "model" | "custom_llm_provider">): ProviderRow {
  return providerOf(params).row;
}

function providerOf(params: Pick<LitellmParams, "model" | "custom_llm_provider">): {
  row: ProviderRow;
  model: string;
} {
  const { model: text, custom_llm_provider: named } = params;
  const slash = text.indexOf("/");
  const prefix = slash > 0 ? text.slice(0, slash) : null;
  if (named != null) {
    const row = known(findProvider(named), ["litellm_params", "custom_llm_provider"]);
    return { row, model: prefix === named ? text.slice(slash + 1) : text };
  }
  const path = ["litellm_params", "model"];
  if (prefix !== null) {
    const model = text.slice(slash + 1);
    if (model === "") throw invalidField(path, "Must be provider/model");
    return { row: known(findProvider(prefix), path), model };
  }
  const [owner] = providersOf(text);
  if (owner === undefined) throw invalidField(path, "Must be provider/model");
  return { row: known(findProvider(owner), path), model: text };
}

function known(row: ProviderRow | undefined, path: string[]): ProviderRow {
  if (row !== undefined) return row;
  const slugs = providers().map((each) => each.slug);
  throw invalidField(path, `There is no such provider; known are ${slugs.join(", ")}`);
}

/** What is known of the model: the catalog's facts, with whatever the caller says over them. */
export function factsOf(place: Place, params: LitellmParams, info: ModelInfo): ModelFacts {
  const base = info.base_model?.replace(`${place.provider}/`, "") ?? place.model;
  const catalog = modelFacts(place.provider, base);
  const facts: ModelFacts = { ...catalog, capabilities: { ...catalog.capabilities } };
  for (const name of CAPABILITY_NAMES) {
    const said = info[name];
    if (said != null) facts.capabilities[CAPABILITY_FIELDS[name]] = said;
  }
  if (info.tier != null) facts.tier = info.tier;
  const prefill = prefillFact(place, info);
  if (prefill !== undefined) facts.prefill = prefill;
  const most = info.max_output_tokens ?? info.max_tokens;
  if (info.max_input_tokens != null) facts.contextWindow = info.max_input_tokens;
  if (most != null) facts.maxOutput = most;
  const prices = pricesOf(params, info);
  if (prices !== undefined) facts.prices = prices;
  return facts;
}

/** How the caller says that the model goes on from a beginning; undefined leaves it to what is known. */
function prefillFact(place: Place, info: ModelInfo): ModelFacts["prefill"] {
  const { prefill, supports_assistant_prefill: supports } = info;
  if (prefill === "none" || (prefill == null && supports === false)) return "none";
  if (prefill != null) return { form: prefill };
  const known = knownPrefill(place.provider, place.model) !== undefined;
  return supports === true && !known ? { form: "assistant" } : undefined;
}

/** Prices are kept in the facts, in whole nano-dollars; absent fields are not kept at all. */
export function withoutPrices<T extends object>(fields: T) {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => value != null && !(name in PRICE_FIELDS)),
  );
}

/** Prices replace the catalog's as a whole: a mixture of two price lists would be nobody's. */
function pricesOf(params: LitellmParams, info: ModelInfo): ModelFacts["prices"] {
  const said = (name: PriceField) => params[name] ?? info[name] ?? undefined;
  const names = PRICE_FIELD_NAMES.filter((name) => said(name) !== undefined);
  if (names.length === 0) return undefined;
  const input = said("input_cost_per_token");
  const output = said("output_cost_per_token") ?? (info.mode === "embedding" ? 0 : undefined);
  if (input === undefined || output === undefined) {
    const absent = input === undefined ? "input_cost_per_token" : "output_cost_per_token";
    throw invalidField(["litellm_params", absent], "Prices need at least input and output");
  }
  const prices = Object.fromEntries(names.map((name) => [PRICE_FIELDS[name], said(name)]));
  return { ...prices, input, output };
}
