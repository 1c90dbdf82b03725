import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { define } from "../fields.ts";

const KEPT: ReadonlySet<string> = new Set([
  "$defs",
  "$ref",
  "additionalProperties",
  "allOf",
  "anyOf",
  "const",
  "default",
  "definitions",
  "description",
  "enum",
  "items",
  "properties",
  "required",
  "title",
  "type",
]);
const FORMATS: ReadonlySet<string> = new Set([
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "uri",
  "ipv4",
  "ipv6",
  "uuid",
]);

/**
 * A JSON schema as Anthropic's structured outputs take it: objects closed, and keywords which they refuse said in
 * the description, where the model still reads them. `changed` is called for each of those.
 */
export function outputSchema(schema: JsonObject, changed: () => void): JsonObject {
  const out: JsonObject = {};
  const told: string[] = [];
  for (const name of Object.keys(schema)) {
    const value = schema[name];
    if (name === "$schema" || value === undefined) continue;
    if (name === "oneOf") out["anyOf"] = each(value, changed);
    else if (name === "format" && typeof value === "string" && FORMATS.has(value))
      out[name] = value;
    else if (name === "minItems" && (value === 0 || value === 1)) out[name] = value;
    else if (KEPT.has(name)) define(out, name, kept(name, value, changed));
    else told.push(`${name}: ${JSON.stringify(value)}`);
  }
  const { type } = schema;
  if (type === "object" || (Array.isArray(type) && type.includes("object"))) {
    out["properties"] ??= {};
    out["additionalProperties"] = false;
  }
  if (told.length > 0) {
    changed();
    const description = typeof out["description"] === "string" ? `${out["description"]}\n\n` : "";
    out["description"] = `${description}{${told.join(", ")}}`;
  }
  return out;
}

function kept(name: string, value: Json, changed: () => void): Json {
  if (name === "properties" || name === "$defs" || name === "definitions") {
    if (!isJsonObject(value)) return value;
    const out: JsonObject = {};
    for (const key of Object.keys(value)) {
      const inner = value[key];
      define(out, key, isJsonObject(inner) ? outputSchema(inner, changed) : inner);
    }
    return out;
  }
  if (name === "items" || name === "anyOf" || name === "allOf") return each(value, changed);
  return value;
}

function each(value: Json, changed: () => void): Json {
  if (Array.isArray(value)) return value.map((item) => each(item, changed));
  return isJsonObject(value) ? outputSchema(value, changed) : value;
}
