// Decides recorded requests anew, out of a log's objects alone.
import { REGIONS, type RegionLetter } from "../worker/core/ids.ts";
import { isJsonObject } from "../worker/core/json.ts";
import type { Json, JsonObject } from "../worker/core/json.ts";
import type { PolicyPart, SignalsRead, Verdict } from "../worker/core/policy.ts";
import { kindOf, policyName } from "../worker/core/sealed-log/layout.ts";
import { compareReplay } from "../worker/core/sealed-log/replayed.ts";
import type { Replayed } from "../worker/core/sealed-log/replayed.ts";
import type { LogObjects } from "../worker/core/sealed-log/report.ts";
import { segmentLines } from "../worker/core/sealed-log/segment.ts";
import { linkBundle } from "../worker/policy/bundle.ts";
import type { LinkedDocument } from "../worker/policy/decide.ts";
import { replay } from "../worker/policy/replay.ts";
import { replayOrder, replayRefusal } from "../worker/routing/replay.ts";

/** A decision that was made anew; `missing` names policies that the folder does not have. */
export interface ReplayedEvent extends Replayed {
  eventId: string;
  missing: string[];
}

/** Decides anew the decision with this event id, or every one of the log. */
export async function* replayLog(
  objects: LogObjects,
  eventId: string | null,
): AsyncGenerator<ReplayedEvent> {
  const documents = new Map<string, Promise<string | null>>();
  const names = (await objects.names()).filter((name) => kindOf(name)?.kind === "segment");
  const first = (name: string) => Number(/(\d+)-/.exec(name)?.[1]);
  for (const name of names.toSorted((a, b) => first(a) - first(b))) {
    const bytes = await objects.get(name);
    for (const line of bytes === null ? [] : await segmentLines(bytes)) {
      if (eventId !== null && !line.includes(`"event_id":"${eventId}"`)) continue;
      const record = JSON.parse(line) as JsonObject;
      const type = record["event_type"];
      const made = record["policy"] ?? record["candidates"];
      const refused = type === "request.blocked" && Array.isArray(made);
      if (type === "request.routed" || refused) yield replayRecord(objects, record, documents);
    }
  }
}

async function replayRecord(
  objects: LogObjects,
  record: JsonObject,
  texts: Map<string, Promise<string | null>>,
): Promise<ReplayedEvent> {
  const { signals, policy, org_id: org, timestamp } = record;
  const missing: string[] = [];
  let verdict: Verdict | null | undefined;
  if (isJsonObject(signals) && Array.isArray(policy)) {
    const documents: LinkedDocument[] = [];
    for (const part of policy as unknown as PolicyPart[]) {
      const name = policyName(part.hash.replace("sha256:", ""));
      const known = texts.get(name) ?? textOf(objects, name);
      texts.set(name, known);
      const text = await known;
      if (text === null) missing.push(part.hash);
      else documents.push({ ...part, linked: linkBundle(text) });
    }
    const region = REGIONS[word(org).replace("org_", "")[0] as RegionLetter] ?? "global";
    const recorded = {
      at: Date.parse(word(timestamp)),
      signals: signals as unknown as SignalsRead,
    };
    if (missing.length === 0) verdict = replay(documents, recorded, region);
  }
  const compared = compareReplay(record, verdict, replayOrder(record), replayRefusal(record));
  return { eventId: word(record["event_id"]), missing, ...compared };
}

async function textOf(objects: LogObjects, name: string): Promise<string | null> {
  const bytes = await objects.get(name);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

function word(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
