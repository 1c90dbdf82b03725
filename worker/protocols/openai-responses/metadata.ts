import { isExtension } from "../../core/extensions.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json } from "../../core/json.ts";

/** The provider keeps `metadata` with the response; only what the gateway alone reads goes. */
export function keptHere(metadata: Json): ReadonlySet<string> | "all" {
  if (!isJsonObject(metadata)) return "all";
  return new Set(Object.keys(metadata).filter((name) => isExtension(name, metadata[name])));
}
