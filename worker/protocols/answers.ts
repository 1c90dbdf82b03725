import { GatewayError } from "../core/errors.ts";
import { isJsonObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { namedError, publicText } from "./faults.ts";
import { parsed } from "./fields.ts";

/** Reading what a provider sent: tolerant in details, `upstream_bad_response` where nothing can be made of it. */

export function badAnswer(what: string): GatewayError {
  return new GatewayError("upstream_bad_response", `The provider's answer is unusable: ${what}.`);
}

/** An answer's body that has none: the provider's own words where it holds an error instead. */
export function noAnswer(body: JsonObject, what: string): GatewayError {
  const { error } = body;
  const isError = isJsonObject(error) || typeof error === "string" || body["type"] === "error";
  if (!isError) return badAnswer(what);
  const said = publicText(namedError(body).message);
  return badAnswer(said === undefined ? "an error under a 200" : `an error under a 200, '${said}'`);
}

/** The JSON object of a stream event. Throws `upstream_bad_response` for anything else. */
export function eventObject(data: string): JsonObject {
  const value = parsed(data);
  if (!isJsonObject(value)) throw badAnswer("a stream event is not a JSON object");
  return value;
}

export function stringOf(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A string that says something; the empty string counts as absent. */
export function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function objectIn(value: Json | undefined): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}

export function objectsIn(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Tool arguments as JSON text: what the provider wrote, or its object written out. */
export function argumentsOf(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
