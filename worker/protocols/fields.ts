import { GatewayError } from "../core/errors.ts";
import { isJsonObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";

/**
 * Reading a caller's body: each function takes the member's path as the caller would write it and refuses with
 * `invalid_request` whose `param` is that path. A null member counts as absent.
 */

/** Path of a member of the object at `path`; the empty path is the body itself. */
export function at(path: string, member: string | number): string {
  if (typeof member === "number") return `${path}[${member}]`;
  return path === "" ? member : `${path}.${member}`;
}

/** The refusal of the member at `path`; `right` says what would be accepted. */
export function invalid(path: string, right: string): GatewayError {
  return new GatewayError("invalid_request", `\`${path}\` must be ${right}.`, { param: path });
}

/** The refusal of a request whose member at `path` is not there. */
export function missing(path: string, right: string): GatewayError {
  return new GatewayError("invalid_request", `\`${path}\` is required: ${right}.`, { param: path });
}

export function optionalString(from: JsonObject, path: string, name: string): string | undefined {
  const value = from[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalid(at(path, name), "a string");
  return value;
}

export function requiredString(from: JsonObject, path: string, name: string): string {
  const value = optionalString(from, path, name);
  if (value === undefined) throw missing(at(path, name), "a string");
  return value;
}

/** A required string that is not empty. */
export function requiredText(from: JsonObject, path: string, name: string): string {
  const value = requiredString(from, path, name);
  if (value === "") throw invalid(at(path, name), "a string that is not empty");
  return value;
}

export function optionalNumber(from: JsonObject, path: string, name: string): number | undefined {
  const value = from[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw invalid(at(path, name), "a number");
  }
  return value;
}

/** A whole number of at least `least`. */
export function optionalCount(
  from: JsonObject,
  path: string,
  name: string,
  least: number,
): number | undefined {
  const value = optionalNumber(from, path, name);
  if (value !== undefined && (!Number.isSafeInteger(value) || value < least)) {
    throw invalid(at(path, name), `a whole number of at least ${least}`);
  }
  return value;
}

export function optionalBoolean(from: JsonObject, path: string, name: string): boolean | undefined {
  const value = from[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw invalid(at(path, name), "true or false");
  return value;
}

export function optionalObject(
  from: JsonObject,
  path: string,
  name: string,
): JsonObject | undefined {
  const value = from[name];
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) throw invalid(at(path, name), "an object");
  return value;
}

export function requiredObject(from: JsonObject, path: string, name: string): JsonObject {
  const value = optionalObject(from, path, name);
  if (value === undefined) throw missing(at(path, name), "an object");
  return value;
}

export function optionalList(from: JsonObject, path: string, name: string): Json[] | undefined {
  const value = from[name];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw invalid(at(path, name), "an array");
  return value;
}

/** The element of a list, which has to be an object. */
export function objectOf(value: Json, path: string): JsonObject {
  if (!isJsonObject(value)) throw invalid(path, "an object");
  return value;
}

export function optionalStrings(
  from: JsonObject,
  path: string,
  name: string,
): string[] | undefined {
  return optionalList(from, path, name)?.map((value, index) => {
    if (typeof value !== "string") throw invalid(at(at(path, name), index), "a string");
    return value;
  });
}

/** The members of an object that are not named in `known`, or an empty object. */
export function others(from: JsonObject, known: ReadonlySet<string>): JsonObject {
  const rest: JsonObject = {};
  for (const name of Object.keys(from)) {
    if (!known.has(name)) define(rest, name, from[name]);
  }
  return rest;
}

/** Sets a member whatever its name is: `__proto__` becomes an ordinary member as well. */
export function define(object: JsonObject, name: string, value: Json | undefined): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else {
    object[name] = value;
  }
}

/** Base64 bytes of a data URL; null for every other URL. JPEG's common misspelling is put right: nobody takes it. */
export function dataUrl(url: string): { mediaType: string; data: string } | null {
  if (!url.startsWith("data:")) return null;
  const comma = url.indexOf(",");
  const head = comma < 0 ? "" : url.slice(5, comma);
  if (!head.endsWith(";base64")) return null;
  const mediaType = (head.slice(0, -7) || "text/plain").replace(/^image\/jpg\b/i, "image/jpeg");
  return { mediaType, data: url.slice(comma + 1) };
}

/** Parsed JSON, or undefined for text that is none. */
export function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
