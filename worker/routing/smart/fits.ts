import { isJsonObject, type Json, type JsonObject } from "../../core/json.ts";

/** Steps that one check may take: a hostile schema or answer ends it without a verdict. */
const MOST_STEPS = 20_000;
const DEEPEST = 64;

/** Thrown inside a check that would cost too much. */
class TooCostly extends Error {}

/**
 * Whether a value fits a JSON schema, by the keywords that answers of models break: type, enum, const, required,
 * properties, additionalProperties: false, items, allOf/anyOf/oneOf and local $ref. Other keywords are not looked at
 * (`pattern` above all: it is the caller's, and could run for minutes), so that false is sure and true is not.
 * Null where the check was given up.
 */
export function fitsSchema(value: Json, schema: JsonObject): boolean | null {
  let steps = 0;
  const fits = (each: Json, by: Json | undefined, depth: number): boolean => {
    if (++steps > MOST_STEPS || depth > DEEPEST) throw new TooCostly();
    if (by === false) return false;
    if (!isJsonObject(by)) return true;
    const ref = by["$ref"];
    if (typeof ref === "string") {
      const found = at(schema, ref);
      if (found !== undefined && !fits(each, found, depth + 1)) return false;
    }
    if (!ofType(each, by["type"])) return false;
    const { enum: some, const: one } = by;
    if (Array.isArray(some) && !some.some((other: Json) => same(each, other))) return false;
    if (one !== undefined && !same(each, one)) return false;
    const within = (list: Json | undefined) =>
      Array.isArray(list) ? list.map((other) => fits(each, other, depth + 1)) : [true];
    if (within(by["allOf"]).includes(false)) return false;
    if (!within(by["anyOf"]).includes(true)) return false;
    if (!within(by["oneOf"]).includes(true)) return false;
    if (Array.isArray(each)) return each.every((item: Json) => fits(item, by["items"], depth + 1));
    return isJsonObject(each) ? members(each, by, depth) : true;
  };
  const members = (each: JsonObject, by: JsonObject, depth: number): boolean => {
    const { required, additionalProperties } = by;
    const named = isJsonObject(by["properties"]) ? by["properties"] : {};
    if (Array.isArray(required)) {
      for (const name of required) {
        if (typeof name === "string" && !Object.hasOwn(each, name)) return false;
      }
    }
    return Object.entries(each).every(([name, member]) => {
      if (Object.hasOwn(named, name)) return fits(member ?? null, named[name], depth + 1);
      const free = by["patternProperties"] !== undefined || additionalProperties === undefined;
      return free || fits(member ?? null, additionalProperties, depth + 1);
    });
  };
  try {
    return fits(value, schema, 0);
  } catch (cause) {
    if (cause instanceof TooCostly) return null;
    throw cause;
  }
}

function ofType(value: Json, type: Json | undefined): boolean {
  if (Array.isArray(type)) return type.some((each) => ofType(value, each));
  switch (type) {
    case "object":
      return isJsonObject(value);
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    case "string":
    case "number":
    case "boolean":
      return typeof value === type;
    default:
      return true;
  }
}

function same(left: Json, right: Json): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}

/** What a `$ref` into the same schema names (`#/$defs/name`). */
function at(schema: JsonObject, ref: string): Json | undefined {
  if (!ref.startsWith("#")) return undefined;
  let here: Json | undefined = schema;
  for (const step of ref.split("/").slice(1)) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    here = isJsonObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return here;
}
