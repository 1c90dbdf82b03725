import type { Capability, ModelFacts, Quirks } from "../core/model.ts";

/**
 * What makers' models can't do behind Bedrock's Converse, as AWS documents it
 * (https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html). What is not
 * named here is not known to be missing: families that its table was not seen to hold lack nothing here, and which models
 * take a JSON schema is left to AWS. The longest part that a model's name holds counts.
 */
interface Family {
  part: string;
  lacks: readonly Capability[];
  quirks?: Quirks;
}

/** Fields beyond Converse's own are each maker's; these take none that a caller could mean. */
const NO_TOP_K: Quirks = { refuses: ["top_k"] };
const NO_SYSTEM: Quirks = { ...NO_TOP_K, systemInTurn: true };

const FAMILIES: readonly Family[] = [
  { part: "amazon.nova-", lacks: ["audio"], quirks: NO_TOP_K },
  {
    part: "amazon.nova-micro",
    lacks: ["images", "files", "audio"],
    quirks: NO_TOP_K,
  },
  {
    part: "amazon.titan-text",
    lacks: ["images", "audio", "tools"],
    quirks: NO_SYSTEM,
  },
  {
    part: "amazon.titan-text-premier",
    lacks: ["images", "files", "audio", "tools"],
    quirks: NO_SYSTEM,
  },
  {
    part: "ai21.jamba-instruct",
    lacks: ["images", "files", "audio", "tools"],
    quirks: NO_TOP_K,
  },
  { part: "ai21.jamba-1-5", lacks: ["images", "audio"], quirks: NO_TOP_K },
  { part: "cohere.command-r", lacks: ["images", "audio"], quirks: NO_TOP_K },
  {
    part: "meta.llama",
    lacks: ["images", "audio", "tools"],
    quirks: NO_TOP_K,
  },
  {
    part: "meta.llama3-1",
    lacks: ["images", "audio", "streaming_tools"],
    quirks: NO_TOP_K,
  },
  {
    part: "meta.llama3-2-11b",
    lacks: ["audio", "streaming_tools"],
    quirks: NO_TOP_K,
  },
  {
    part: "meta.llama3-2-90b",
    lacks: ["audio", "streaming_tools"],
    quirks: NO_TOP_K,
  },
  { part: "meta.llama3-3", lacks: [], quirks: NO_TOP_K },
  { part: "meta.llama4", lacks: [], quirks: NO_TOP_K },
  {
    part: "mistral.mistral-7b",
    lacks: ["images", "audio", "tools"],
    quirks: { systemInTurn: true },
  },
  {
    part: "mistral.mixtral",
    lacks: ["images", "audio", "tools"],
    quirks: { systemInTurn: true },
  },
  {
    part: "mistral.mistral-large-24",
    lacks: ["images", "audio", "streaming_tools"],
  },
  { part: "mistral.mistral-small-24", lacks: [] },
  { part: "mistral.pixtral-large", lacks: [] },
  { part: "deepseek.r1", lacks: [], quirks: NO_TOP_K },
];

/** The facts of a model's family; null for a name of none. None of these takes Anthropic's or OpenAI's word for thinking. */
export function familyFacts(
  model: string,
): Pick<ModelFacts, "capabilities" | "reasoning" | "quirks"> | null {
  let found: Family | null = null;
  for (const each of FAMILIES) {
    if (model.includes(each.part) && each.part.length > (found?.part.length ?? 0)) found = each;
  }
  if (found === null) return null;
  const { lacks, quirks } = found;
  return {
    capabilities: Object.fromEntries(lacks.map((each) => [each, false])),
    reasoning: "none",
    ...(quirks && { quirks }),
  };
}
