import { isJsonObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";

/** Rates by model as clients of the management API write them, and what they are called within a model's limits. */
const COUNTS = {
  model_rpm_limit: ["rpm_limit", "rpm"],
  model_tpm_limit: ["tpm_limit", "tpm"],
} as const;

/** Fields that are kept within `model_max_budget`. */
export type MergedField = keyof typeof COUNTS;

const FIELDS = Object.keys(COUNTS) as MergedField[];

/** The fields of a call with its rates by model where they are kept; null takes them away, the object's others stay. */
export function withModelCounts<T extends object>(input: T, object: unknown): T {
  const fields = { ...input } as Record<string, unknown>;
  const given = FIELDS.filter((field) => fields[field] !== undefined);
  if (given.length === 0) return input;
  const { model_max_budget: named } = fields;
  const base = named === undefined ? kept(object) : named;
  const models = new Map(
    Object.entries(isJsonObject(base) ? base : {}).map(([model, value]) => [
      model,
      limitsIn(value),
    ]),
  );
  for (const field of given) {
    const [name, short] = COUNTS[field];
    for (const limits of models.values()) {
      delete limits[name];
      delete limits[short];
    }
    for (const [model, count] of Object.entries((fields[field] ?? {}) as Record<string, number>)) {
      models.set(model, { ...models.get(model), [name]: count });
    }
    delete fields[field];
  }
  const some = [...models].filter(([, limits]) => Object.keys(limits).length > 0);
  return { ...fields, model_max_budget: Object.fromEntries(some) } as T;
}

/** The same by model, out of where they are kept. */
export function countsByModel(models: JsonObject): Record<MergedField, Record<string, number>> {
  const of = (field: MergedField) =>
    Object.fromEntries(
      Object.entries(models).flatMap(([model, value]) => {
        const limits = limitsIn(value);
        const count = COUNTS[field].map((name) => limits[name]).find((each) => each != null);
        return typeof count === "number" ? [[model, count]] : [];
      }),
    );
  return { model_rpm_limit: of("model_rpm_limit"), model_tpm_limit: of("model_tpm_limit") };
}

/** A model's limits as an object: an amount alone is its budget. */
function limitsIn(value: Json | undefined): JsonObject {
  if (isJsonObject(value)) return { ...value };
  return value == null ? {} : { max_budget: Number(value) };
}

/** What the object of a call has already: itself, or the row of a budget. */
function kept(object: unknown): unknown {
  if (typeof object !== "object" || object === null) return {};
  if ("modelMaxBudget" in object) return object.modelMaxBudget;
  return "row" in object ? kept(object.row) : {};
}
