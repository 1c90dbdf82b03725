// A worker of one isolate whose requests record something through group commit, into a log that answers late.
import type { AppendResult, AuditRecord } from "../../worker/core/audit.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import type { Isolate } from "../../worker/core/isolate.ts";
import { groupedAudit } from "../../worker/store/audit-group.ts";

const isolate = {} as Isolate;
/** Event ids in the log, and how many records each append brought. */
const log = new Map<string, number>();
const appends: number[] = [];

async function append(_: string, records: AuditRecord[]): Promise<AppendResult[]> {
  appends.push(records.length);
  await scheduler.wait(100);
  for (const { eventId } of records) log.set(eventId, (log.get(eventId) ?? 0) + 1);
  return records.map(() => ({ ok: true }));
}

export default {
  async fetch(request, _env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/log") return Response.json({ log: Object.fromEntries(log), appends });
    const audit = groupedAudit({
      isolate,
      send: append,
      waitUntil: (work) => ctx.waitUntil(work),
      now: Date.now,
    });
    const at = Date.now();
    const eventId = `evt_${timeOrderedId(at)}`;
    const record: AuditRecord = {
      eventId,
      type: "request.routed",
      at,
      orgId: "gAAAAAAAAAAAA",
      actor: "key:1",
      requestId: url.searchParams.get("id") ?? "",
      data: {},
    };
    const answer = async () => {
      const [result] = await audit.append([record]);
      return { eventId, result };
    };
    if (!url.searchParams.has("stream")) return Response.json(await answer());
    // A stream that is written to is cut with its client, and with it all that was not given to waitUntil.
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    void answer();
    void (async () => {
      for (;;) {
        await writer.write(new TextEncoder().encode(" "));
        await scheduler.wait(5);
      }
    })();
    return new Response(readable);
  },
} satisfies ExportedHandler;
