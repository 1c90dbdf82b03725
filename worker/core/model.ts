import type { ProtocolName } from "./chat.ts";
import type { Prices } from "./money.ts";

/** What a request may need and a model may lack. Absent means unknown, and unknown is allowed (PROTOCOLS 12). */
export type Capability =
  | "images"
  | "files"
  | "audio"
  | "tools"
  | "parallel_tools"
  /** Calls of tools in a streamed answer, where tools are there at all. */
  | "streaming_tools"
  | "json_schema"
  | "reasoning"
  | "streaming";

/** How a model is told how much to think (PROTOCOLS 22). */
export type ReasoningControl = "effort" | "budget" | "adaptive" | "none";

/** How a target's wire form differs from its protocol's own: data of the catalog, everything absent by default. */
export interface Quirks {
  /** What the answer's token limit is called; absent = as the caller called it, else `max_tokens`. */
  tokenLimit?: "max_tokens" | "max_completion_tokens";
  /** Parameters that the target refuses, by their name on its wire: left out and named in `degraded`. */
  refuses?: readonly string[];
  /** The target takes (and may demand) its own `reasoning_content` back in assistant turns. */
  echoesReasoning?: boolean;
  /** The target takes no JSON schema of its answer: a tool that it must call stands in for it. */
  schemaByTool?: boolean;
  /** The target takes a format of its answer only where it is offered no tools: else one more tool stands in for it. */
  formatWithoutTools?: boolean;
  /** The target takes no system text: it goes before the first turn of the user, named as `system`. */
  systemInTurn?: boolean;
}

/** How a target is told that the last message is the beginning of its own answer (PROTOCOLS 14). */
export const PREFILL_FORMS = ["assistant", "prefix", "partial", "vllm"] as const;
export type PrefillForm = (typeof PREFILL_FORMS)[number];

/** A target that goes on from the beginning of an answer. */
export interface Prefill {
  form: PrefillForm;
  /** Its answer begins with that beginning once more. */
  echoes?: boolean;
  /** It does so with tools in the request; absent = it is asked in words instead. */
  withTools?: boolean;
  /** It does so while it thinks; absent = it is asked in words instead. */
  withThinking?: boolean;
  /** Where the form is served, for deployments at the catalog's own address; absent = where everything is. */
  baseUrl?: string;
}

/** Strength of a model, and difficulty of a prompt, in rising order. */
export const MODEL_TIERS = ["LIGHT", "STANDARD", "HEAVY", "REASONING"] as const;
export type ModelTier = (typeof MODEL_TIERS)[number];

/** What is known of a model, whoever serves it. */
export interface ModelFacts {
  /** Tokens of prompt and answer together. */
  contextWindow?: number;
  maxOutput?: number;
  capabilities: Partial<Record<Capability, boolean>>;
  /** Absent: cost 0, marked `price: unknown`. */
  prices?: Prices;
  /** How strong the organization says that it is; absent = what the smart router knows of it. */
  tier?: ModelTier;
  reasoning?: ReasoningControl;
  quirks?: Quirks;
  /** Over what the catalog knows: the catalog's word where absent. */
  prefill?: Prefill | "none";
}

/** Parameters of a deployment that its provider's address or signature is made of. */
export const DEPLOYMENT_PARAMS = [
  "api_version",
  "aws_region_name",
  "vertex_project",
  "vertex_location",
] as const;
export type DeploymentParam = (typeof DEPLOYMENT_PARAMS)[number];

/** One place where a model can be called: the unit that is weighed, cooled and named in `x-routero-model-id`. */
export interface Deployment {
  id: string;
  /** The model group it belongs to (`model_name`), or the `provider/model` string it was derived from. */
  group: string;
  provider: string;
  /** The name that the provider knows the model by. */
  model: string;
  protocol: ProtocolName;
  /** Absolute base URL without a trailing slash; `sim:` for the simulated provider. */
  baseUrl: string;
  /** What the provider's address or signature is made of besides. */
  params?: Readonly<Partial<Record<DeploymentParam, string>>>;
  /** Names the stored credential; absent where the provider takes none. */
  credentialId?: string;
  region?: string;
  weight: number;
  /** Requests and tokens a minute that the provider admits; absent = unknown. */
  rpm?: number;
  tpm?: number;
  order: number;
  tags: string[];
  /** Milliseconds to the first event; absent = PROTOCOLS 10. */
  timeout?: number;
  facts: ModelFacts;
  /** What the provider's contract says about the data; a member that is not known is absent. */
  terms?: { training?: boolean; retentionDays?: number } | undefined;
}
