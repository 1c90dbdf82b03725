import { setAside } from "../core/set-aside.ts";
import type { TrailStores } from "./trail-sink.ts";

/** Keeps what the record will never take, under a name that repeats with its id. */
export type SetAside = (orgId: string, id: string, value: unknown, reason: string) => Promise<void>;

/**
 * Sets values aside in the archive, `<prefix>quarantine/<id>.json`, and tells an operator. Rejects when the archive
 * does not take it: the value is not durable then.
 */
export function makeQuarantine({
  archive,
  prefixOf,
  alert,
}: Pick<TrailStores, "archive" | "prefixOf" | "alert">): SetAside {
  return async (orgId, id, value, reason) => {
    const object = `${prefixOf(orgId)}quarantine/${safe(id)}.json`;
    await archive.put(object, JSON.stringify({ reason, value }));
    setAside.count++;
    alert("set aside from the trail", { object, reason });
  };
}

function safe(id: string): string {
  return id.replaceAll(/[^\w.-]/g, "_").slice(0, 128) || "unknown";
}
