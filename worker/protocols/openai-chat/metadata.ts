import { isExtension } from "../../core/extensions.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";

/**
 * Which members of `metadata` stay here. It is the gateway's own unless the caller stores the completion at the
 * provider, which is the only case in which providers take it.
 */
export function keptHere(metadata: Json, body: JsonObject): ReadonlySet<string> | "all" {
  if (body["store"] !== true || !isJsonObject(metadata)) return "all";
  return new Set(Object.keys(metadata).filter((name) => isExtension(name, metadata[name])));
}
