import { EXTENSION_FIELD_SET } from "../core/extensions.ts";
import { isJsonObject, scanJson, spliceJson } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { define } from "./fields.ts";

/** True for a member that only the gateway reads. `cache` may be a provider's own switch unless it is an object. */
export function isExtension(name: string, value: Json | undefined): boolean {
  return EXTENSION_FIELD_SET.has(name) && (name !== "cache" || isJsonObject(value));
}

/** `metadata` as the provider may see it, or undefined when nothing of it is the provider's. */
export type MetadataRule = (metadata: Json, body: JsonObject) => ReadonlySet<string> | "all";

/** Names in `body` that never reach a provider, `metadata` apart. */
export function extensionNames(body: JsonObject): Set<string> {
  return new Set(Object.keys(body).filter((name) => isExtension(name, body[name])));
}

/** A copy of an object without the given members. */
export function without(from: JsonObject, names: ReadonlySet<string>): JsonObject {
  const out: JsonObject = {};
  for (const name of Object.keys(from)) if (!names.has(name)) define(out, name, from[name]);
  return out;
}

/** What has to happen to the body's own members, as texts, for `spliceJson`. */
export interface Rewrites {
  set: Record<string, string>;
  remove: Set<string>;
}

/**
 * Rewrites that take the gateway's members out of a body text. `drop` tells which members of `metadata` go; when
 * none is left, `metadata` itself goes.
 */
export function extensionRewrites(
  body: JsonObject,
  memberText: (name: string) => string,
  drop: MetadataRule,
): Rewrites {
  const rewrites: Rewrites = { set: {}, remove: extensionNames(body) };
  const metadata = body["metadata"];
  if (metadata === undefined) return rewrites;
  const gone = drop(metadata, body);
  if (gone === "all") {
    rewrites.remove.add("metadata");
  } else if (gone.size > 0 && isJsonObject(metadata)) {
    if (Object.keys(metadata).every((name) => gone.has(name))) {
      rewrites.remove.add("metadata");
    } else {
      const text = memberText("metadata");
      rewrites.set["metadata"] = spliceJson(text, scanJson(text).members, {}, gone);
    }
  }
  return rewrites;
}
