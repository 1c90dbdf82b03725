import type { UsageEvent } from "../core/account.ts";
import { sha256, toHex } from "../core/bytes.ts";
import { utcDay } from "../core/time.ts";
import type { Filed, UsageRow } from "./usage-rows.ts";

/** The part of the archive that segments need. */
export interface Archive {
  put(name: string, bytes: Uint8Array | string): Promise<unknown>;
  get(name: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null>;
}

/**
 * Writes events as gzip JSON lines, one object per organization and hour of their beginning:
 * `<prefix>usage/<day>/<hour>/<first event id>-<hash>.jsonl.gz`. The name comes from the content, so that what is
 * written again is the same object.
 */
export async function writeSegments(
  archive: Pick<Archive, "put">,
  prefixOf: (orgId: string) => string,
  events: UsageEvent[],
): Promise<Filed[]> {
  const folders = new Map<string, UsageEvent[]>();
  for (const event of events) {
    const { orgId, startedAt } = event.row;
    const hour = new Date(startedAt).toISOString().slice(11, 13);
    const folder = `${prefixOf(orgId)}usage/${utcDay(startedAt)}/${hour}/`;
    const others = folders.get(folder);
    if (others) others.push(event);
    else folders.set(folder, [event]);
  }
  const written = [...folders].map(async ([folder, members]): Promise<Filed[]> => {
    const text = members.map((event) => `${JSON.stringify(event)}\n`).join("");
    const bytes = new TextEncoder().encode(text);
    const segment = `${folder}${members[0]?.eventId}-${toHex(sha256(bytes).subarray(0, 8))}.jsonl.gz`;
    await archive.put(segment, await piped(bytes, new CompressionStream("gzip")));
    return members.map((event) => ({ event, segment }));
  });
  return (await Promise.all(written)).flat();
}

/** The whole event that an index row stands for; null if its segment is gone. */
export async function readUsageEvent(
  archive: Pick<Archive, "get">,
  row: Pick<UsageRow, "segment" | "requestId" | "revision">,
): Promise<UsageEvent | null> {
  const object = await archive.get(row.segment);
  if (!object) return null;
  const packed = new Uint8Array(await object.arrayBuffer());
  const bytes = await piped(packed, new DecompressionStream("gzip"));
  for (const line of new TextDecoder().decode(bytes).split("\n")) {
    if (line === "") continue;
    const event = JSON.parse(line) as UsageEvent;
    if (event.row.requestId === row.requestId && event.revision === row.revision) return event;
  }
  return null;
}

async function piped(
  bytes: Uint8Array,
  through: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(through);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
