import { fromHex } from "../worker/core/bytes.ts";
import type { ShownRecord } from "../worker/core/audit.ts";
import type { JsonObject } from "../worker/core/json.ts";
import { recordHash, shownHash } from "../worker/core/sealed-log/leaf.ts";
import { PSEUDONYM } from "../worker/core/sealed-log/pseudonyms.ts";
import type { AuditLogSqlite } from "./audit-log-sqlite.ts";
import type { Stored } from "./audit-log-machine.ts";

/** What reading a record takes beside its row. */
export interface ShowParts {
  log: Pick<AuditLogSqlite, "persons">;
  /** The canonical text of a record that only lies in its segment; null where retention has dropped it. */
  archived: (sequence: number) => Promise<string | null>;
}

/** Records as readers get them: with their place in the log, and people by their names while those are known. */
export async function shown(found: Stored[], parts: ShowParts): Promise<ShownRecord[]> {
  const texts: { row: Stored; text: string | null }[] = [];
  for (const row of found) {
    texts.push({ row, text: row.body ?? (await parts.archived(row.sequence)) });
  }
  const pseudonyms = new Set(texts.flatMap(({ text }) => text?.match(PSEUDONYM) ?? []));
  const persons = parts.log.persons([...pseudonyms]);
  return texts.map(({ row, text }) => {
    const named = text?.replaceAll(PSEUDONYM, (each) => {
      const id = persons.get(each);
      return id === undefined ? each : JSON.stringify(id).slice(1, -1);
    });
    const record: JsonObject =
      named === undefined
        ? { event_id: row.eventId, expired: true }
        : (JSON.parse(named) as JsonObject);
    const hash = row.recordHash ?? (text === null ? null : hexOf(text));
    return {
      ...record,
      ...(row.told !== null && { also: row.told.split(",").filter((name) => name !== "") }),
      sequence: row.sequence,
      record_hash: hash === null ? null : `sha256:${hash}`,
      previous_event_hash: row.previous === null ? null : shownHash(fromHex(row.previous)),
    };
  });
}

function hexOf(text: string): string {
  return shownHash(recordHash(text)).slice("sha256:".length);
}
