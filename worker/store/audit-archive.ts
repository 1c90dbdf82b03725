import { sameBytes } from "../core/sealed-log/merkle.ts";

/** The objects of one organization's log in R2. */
export interface AuditArchive {
  /** Writes what is not there. `different`: other bytes stand there, and stay. */
  create(name: string, bytes: Uint8Array): Promise<"written" | "same" | "different">;
  replace(name: string, bytes: Uint8Array): Promise<void>;
  remove(names: string[]): Promise<void>;
  read(name: string): Promise<Uint8Array | null>;
  /** Names beneath a folder in order, after one of them, so many at most. */
  list(folder: string, after: string | null, limit: number): Promise<string[]>;
}

const MAX_REMOVED = 1_000;

/** `prefix` is the organization's part of the bucket. */
export function makeAuditArchive(bucket: R2Bucket, prefix: string): AuditArchive {
  const read = async (name: string) => {
    const object = await bucket.get(prefix + name);
    return object === null ? null : new Uint8Array(await object.arrayBuffer());
  };
  return {
    async create(name, bytes) {
      // A write whose answer was lost is met again here: the same bytes are the same object.
      const onlyIf = new Headers({ "if-none-match": "*" });
      const written = await bucket.put(prefix + name, bytes, { onlyIf });
      if (written !== null) return "written";
      const there = await read(name);
      return there !== null && sameBytes(there, bytes) ? "same" : "different";
    },
    async replace(name, bytes) {
      await bucket.put(prefix + name, bytes);
    },
    async remove(names) {
      for (let from = 0; from < names.length; from += MAX_REMOVED) {
        const part = names.slice(from, from + MAX_REMOVED);
        await bucket.delete(part.map((name) => prefix + name));
      }
    },
    read,
    async list(folder, after, limit) {
      const { objects } = await bucket.list({
        prefix: prefix + folder,
        limit,
        ...(after !== null && { startAfter: prefix + after }),
      });
      return objects.map(({ key }) => key.slice(prefix.length));
    },
  };
}
