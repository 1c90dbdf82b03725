import { expect, test } from "vitest";
import { fitRecord, MAX_RECORD_BYTES } from "../../worker/core/audit-record.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Candidate, Explanation } from "../../worker/core/routing.ts";
import { compareReplay } from "../../worker/core/sealed-log/replayed.ts";
import { replayOrder } from "../../worker/routing/replay.ts";
import { chosenBy } from "../../worker/stages/trail.ts";

const NOW = 1_800_000_000_000;

/** A deployment under load, with the long ids and figures that a busy gateway has. */
function candidate(n: number, dropped: boolean): Candidate {
  return {
    deployment: `${String(n).padStart(8, "0")}-0813-45d9-9168-8c1a6a4b062e`,
    group: "anthropic/claude-sonnet-4-5-eu",
    provider: "bedrock",
    region: "eu-central-1",
    place: null,
    by: dropped ? "capability" : null,
    reason: dropped
      ? "It takes no images, and this request has 12 of them; vision is needed."
      : null,
    state: {
      weight: 1 + (n % 7),
      order: 1,
      estimate: 123_456_789 + n,
      health: "closed",
      proven: true,
      latency: 1_234.5 + n,
      inFlight: 17,
      requests: 12_345,
      tokens: 23_456_789,
      synced: { requests: 12_300, tokens: 23_400_000 },
      rpm: 100_000,
      tpm: 300_000_000,
      announced: 0.9999,
      strategy: "simple_shuffle",
      link: 0,
      when: "any",
    },
  };
}

test("a decision among 40 deployments keeps its candidates, and its order comes out of the record", () => {
  const candidates = Array.from({ length: 40 }, (_, n) => candidate(n, n % 4 === 3));
  const strategy = candidates[0]?.state.strategy ?? "simple_shuffle";
  const explanation = { strategy, candidates, skipped: [], seed: 123_456_789, affinity: null };
  const chosen = chosenBy(explanation as unknown as Explanation) as JsonObject;
  const plan = replayOrder(chosen) ?? [];
  expect(plan).toHaveLength(30);
  // Of an engine that had another strategy: the order is not known, and nothing fails.
  const renamed = JSON.parse(
    JSON.stringify(chosen).replaceAll(`"${strategy}"`, '"roulette"'),
  ) as JsonObject;
  expect(replayOrder(renamed)).toBeNull();
  const record = { ...renamed, event_type: "request.routed", plan };
  expect(compareReplay(record, undefined, null)).toMatchObject({ same: true, unknown: ["plan"] });
  const lease = (n: number) => ({
    scope: { kind: "key", id: `8a5366c2-0813-45d9-9168-8c1a6a4b06${n}` },
    leaseId: `lease_0VZbG1qA5mQvS3kT9xYw${n}`,
    windowId: `2026-11-26T10:00:00.000Z/30d/${n}`,
    revision: 12,
    reserved: { cost: 123_456_789, requests: 1, tokens: 12_345 },
  });
  const read = fitRecord({
    eventId: `evt_${timeOrderedId(NOW)}`,
    type: "request.routed",
    at: NOW,
    orgId: "gAAAAAAAAAAAA",
    actor: "key:sha256:9029597d1ab34023862e0380ac22aae5bd7b915f41baf2086dbcd1a4d5ee8622",
    requestId: `req_${timeOrderedId(NOW)}`,
    data: {
      ...chosen,
      plan,
      leases: [10, 11, 12, 13].map(lease),
      signals: { values: { "content.input_tokens": 12_345 }, unknown: [], predicates: {} },
    },
  });
  if (!("record" in read)) throw new Error(read.reason);
  expect(read.record.data).not.toHaveProperty("cut");
  expect(read.bytes).toBeLessThan(MAX_RECORD_BYTES);
  expect(replayOrder(read.record.data)).toEqual(plan);
});
