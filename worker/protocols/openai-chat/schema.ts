import type { ResponseFormat } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { optionalBoolean, optionalObject, optionalString, requiredText } from "../fields.ts";

type SchemaFormat = Extract<ResponseFormat, { type: "schema" }>;

/** The schema that an answer has to follow, from the object at `path` that names it; chat and Responses alike. */
export function readSchema(from: JsonObject, path: string): SchemaFormat {
  const format: SchemaFormat = {
    type: "schema",
    name: requiredText(from, path, "name"),
    schema: optionalObject(from, path, "schema") ?? {},
  };
  const description = optionalString(from, path, "description");
  if (description !== undefined) format.description = description;
  const strict = optionalBoolean(from, path, "strict");
  if (strict !== undefined) format.strict = strict;
  return format;
}

/** The same as members of the object that names it. */
export function schemaMembers({ name, description, schema, strict }: SchemaFormat): JsonObject {
  return {
    name,
    ...(description !== undefined && { description }),
    schema,
    ...(strict !== undefined && { strict }),
  };
}
