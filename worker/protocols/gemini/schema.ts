import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { define } from "../fields.ts";
import { camel } from "./names.ts";

const OWN = ["anyOf", "minItems", "maxItems", "minLength", "maxLength", "minProperties"] as const;
/** Members of Google's own schema form whose values are schemas by name. */
const NAMED: ReadonlySet<string> = new Set(["properties", "$defs", "defs"]);

/** Google's own form of a schema (upper-case types, `nullable`) as JSON schema. */
export function jsonSchema(schema: JsonObject): JsonObject {
  const from = camel(schema, OWN);
  const out: JsonObject = {};
  for (const name of Object.keys(from)) {
    const value = from[name];
    if (value === undefined || name === "nullable" || name === "propertyOrdering") continue;
    if (name === "property_ordering") continue;
    if (name === "type" && typeof value === "string") out["type"] = value.toLowerCase();
    else if (name === "example") out["examples"] = [value];
    else if (NAMED.has(name) && isJsonObject(value)) out[name] = each(value);
    else if (name === "items" && isJsonObject(value)) out["items"] = jsonSchema(value);
    else if (name === "anyOf" && Array.isArray(value)) out["anyOf"] = value.map(inner);
    else if (isCount(name) && typeof value === "string") out[name] = Number(value);
    else define(out, name, value);
  }
  if (from["nullable"] === true) {
    if (typeof out["type"] === "string") out["type"] = [out["type"], "null"];
    else if (Array.isArray(out["anyOf"])) out["anyOf"] = [...out["anyOf"], { type: "null" }];
  }
  return out;
}

/** 64-bit numbers come as text. */
function isCount(name: string): boolean {
  return /^(min|max)(Items|Length|Properties)$/.test(name);
}

function each(schemas: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const name of Object.keys(schemas)) define(out, name, inner(schemas[name] ?? null));
  return out;
}

function inner(value: Json): Json {
  return isJsonObject(value) ? jsonSchema(value) : value;
}
