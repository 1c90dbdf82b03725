import * as z from "zod";
import type { ModelFacts } from "../core/model.ts";
import type { DeploymentRow } from "../store/deployments.ts";
import { CAPABILITY_FIELDS, CAPABILITY_NAMES } from "./new-model.ts";
import { dollarsPerToken, PRICE_FIELD_NAMES, PRICE_FIELDS } from "./prices.ts";
import { provenanceFields } from "./rows.ts";

export const modelShape = z.object({
  model_name: z.string(),
  litellm_params: z
    .record(z.string(), z.unknown())
    .describe("As they were sent; api_key shows its last four characters"),
  model_info: z.looseObject({ id: z.string(), litellm_provider: z.string() }),
});

/** Context, prices and abilities, under the names of the management API. */
export function factFields(facts: ModelFacts) {
  const { prices, capabilities } = facts;
  return {
    ...(facts.contextWindow !== undefined && { max_input_tokens: facts.contextWindow }),
    ...(facts.maxOutput !== undefined && { max_output_tokens: facts.maxOutput }),
    ...Object.fromEntries(
      PRICE_FIELD_NAMES.flatMap((name) => {
        const nano = prices?.[PRICE_FIELDS[name]];
        return nano === undefined ? [] : [[name, dollarsPerToken(nano)]];
      }),
    ),
    ...Object.fromEntries(
      CAPABILITY_NAMES.flatMap((name) => {
        const can = capabilities[CAPABILITY_FIELDS[name]];
        return can === undefined ? [] : [[name, can]];
      }),
    ),
  };
}

/** A row as the management API shows it; `lastFour` of its secret, where it has one, and by how much it overbills. */
export function modelFields(
  row: DeploymentRow,
  lastFour: string | undefined,
  overbilling?: number,
): z.input<typeof modelShape> {
  return {
    model_name: row.group,
    litellm_params: {
      ...row.litellmParams,
      ...(row.baseUrl !== "" && { api_base: row.baseUrl }),
      ...(lastFour !== undefined && { api_key: `…${lastFour}` }),
      weight: row.weight,
      order: row.order,
      tags: row.tags,
    },
    model_info: {
      ...row.modelInfo,
      id: row.id,
      db_model: true,
      litellm_provider: row.provider,
      ...factFields(row.facts),
      ...(overbilling !== undefined && { overbilling }),
      ...provenanceFields(row),
    },
  };
}
