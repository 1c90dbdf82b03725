import { isExtension } from "../core/extensions.ts";
import { isJsonObject, memberText, scanJson, spliceJson } from "../core/json.ts";
import type { Json, JsonObject, JsonScan } from "../core/json.ts";
import { define } from "./fields.ts";

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
 * Rewrites that take the gateway's members out of `text`, the body as it came. `drop` tells which members of `metadata` go; when
 * none is left, `metadata` itself goes.
 */
export function extensionRewrites(
  body: JsonObject,
  text: string,
  scan: JsonScan,
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
      const own = memberText(text, scan, "metadata");
      rewrites.set["metadata"] = spliceJson(own, scanJson(own).members, {}, gone);
    }
  }
  return rewrites;
}
