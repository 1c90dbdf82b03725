import { policyName } from "../core/sealed-log/layout.ts";

/** Where bundles lie for good, by hash and under the organization's own prefix. Nothing is ever overwritten or removed. */
export interface PolicyArchive {
  /** Durable in both places when it returned; a hash is pointed to only after that. */
  save(orgId: string, hash: string, text: string): Promise<void>;
  load(orgId: string, hash: string): Promise<string | null>;
}

interface Parts {
  kv: Pick<KVNamespace, "get" | "put">;
  r2: Pick<R2Bucket, "get" | "put">;
  kvPrefix: (orgId: string) => string;
  archivePrefix: (orgId: string) => string;
}

/** KV answers near everywhere; R2 is the archive that replays read, and answers where KV has nothing yet. */
export function makePolicyArchive({ kv, r2, kvPrefix, archivePrefix }: Parts): PolicyArchive {
  const keyOf = (orgId: string, hash: string) => `${kvPrefix(orgId)}policy:${hash}`;
  const nameOf = (orgId: string, hash: string) =>
    archivePrefix(orgId) + policyName(hash.replace("sha256:", ""));
  return {
    async save(orgId, hash, text) {
      await Promise.all([
        kv.put(keyOf(orgId, hash), text),
        // It lies beside the log that names it, and is written once like everything there.
        r2.put(nameOf(orgId, hash), text, {
          httpMetadata: { contentType: "application/json" },
          onlyIf: new Headers({ "if-none-match": "*" }),
        }),
      ]);
    },
    async load(orgId, hash) {
      const near = await kv.get(keyOf(orgId, hash)).catch(() => null);
      if (near !== null) return near;
      const archived = await r2.get(nameOf(orgId, hash));
      return archived === null ? null : archived.text();
    },
  };
}
