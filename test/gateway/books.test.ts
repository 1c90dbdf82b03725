import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditPage, ShownRecord } from "../../worker/core/audit.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";
import {
  cutAfter,
  fails,
  mix,
  slow,
  startUpstream,
  text,
  withoutUsage,
  type Upstream,
} from "../support/upstream/index.ts";
import { wrapBundle, type WrappedBundle } from "../support/wrapped/bundle.ts";

/** Enough for every kind to meet every other in flight; ROUTERO_BOOKS_REQUESTS asks for more. */
const REQUESTS = Number(process.env["ROUTERO_BOOKS_REQUESTS"] ?? 2_000);
const AT_ONCE = 32;

const ANSWER = "one two three four five six seven eight";
const KINDS = {
  whole: { behaviour: text(ANSWER), stream: false },
  streamed: { behaviour: text(ANSWER), stream: true },
  cancelled: { behaviour: mix(text(ANSWER.repeat(20)), slow(20)), stream: true },
  refused: { behaviour: fails("bad_request"), stream: false },
  broken: { behaviour: fails("server_error"), stream: true },
  cut: { behaviour: mix(text(ANSWER), cutAfter({ content: 4 })), stream: true },
  silent: { behaviour: mix(text(ANSWER), withoutUsage()), stream: true },
} as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];

let up: Upstream;
let gw: TestGateway;
let wrapped: WrappedBundle;

beforeAll(async () => {
  up = await startUpstream();
  wrapped = await wrapBundle("door");
  gw = await startGateway({ vars: { PROFILE: "self-hosted" }, bundle: wrapped.folder });
  await gw.configure(gw.tenant.organizationId, { disable_cooldowns: true });
  for (const kind of kinds) {
    up.model(kind, KINDS[kind].behaviour);
    const prices = { input_cost_per_token: 1e-6, output_cost_per_token: 3e-6 };
    await gw.newModel(kind, { upstream: up }, prices);
  }
});
afterAll(async () => {
  await gw?.stop();
  await up?.stop();
  await wrapped?.remove();
});

/** The whole log of the organization, page by page. */
async function logged(): Promise<ShownRecord[]> {
  const orgId = gw.tenant.organizationId.replace("org_", "");
  const records: ShownRecord[] = [];
  let cursor: string | null | undefined;
  do {
    const answer = await fetch(`${gw.url}/test/log`, {
      method: "POST",
      body: JSON.stringify({ orgId, query: { limit: 1000, ...(cursor && { cursor }) } }),
    });
    const { value } = (await answer.json()) as { value: AuditPage };
    records.push(...value.records);
    ({ cursor } = value);
  } while (cursor);
  return records;
}

async function ask(kind: Kind): Promise<string> {
  const leave = new AbortController();
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gw.firstKey}`, "x-litellm-num-retries": "0" },
    body: JSON.stringify({
      model: kind,
      stream: KINDS[kind].stream,
      messages: [{ role: "user", content: "count to eight" }],
    }),
    signal: leave.signal,
  });
  const id = answer.headers.get("x-routero-call-id") ?? "";
  if (kind === "cancelled") {
    const reader = answer.body?.getReader();
    let said = "";
    while (!said.includes("two")) {
      const step = await reader?.read();
      if (step === undefined || step.done) break;
      said += new TextDecoder().decode(step.value);
    }
    leave.abort();
  } else await answer.text();
  return id;
}

test("after thousands of mixed requests the books hold each of them once, at what the provider counted", async () => {
  const asked: Record<Kind, Set<string>> = Object.fromEntries(
    kinds.map((kind) => [kind, new Set()]),
  ) as never;
  let next = 0;
  const caller = async () => {
    for (let n = next++; n < REQUESTS; n = next++) {
      const kind = kinds[(n * 7 + (n >> 3)) % kinds.length] as Kind;
      asked[kind].add(await ask(kind));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));

  const rows = () => gw.sql("select count(*) as n, sum(cost_nano) as cost from usage_rows");
  await expect
    .poll(async () => (await rows())[0]?.n, { timeout: 20_000, interval: 200 })
    .toBe(REQUESTS);

  const filed = await gw.sql(
    "select request_id, model, outcome, status, prompt_tokens, completion_tokens, cost_nano, estimated from usage_rows",
  );
  const outcomes: Record<Kind, [string, number]> = {
    whole: ["success", 200],
    streamed: ["success", 200],
    cancelled: ["cancelled", 499],
    refused: ["failure", 400],
    broken: ["failure", 503],
    cut: ["failure", 503],
    silent: ["success", 200],
  };
  for (const kind of kinds) {
    const mine = filed.filter((row) => row.model === kind);
    // One row per request, and no request without one.
    expect(new Set(mine.map((row) => row.request_id))).toEqual(asked[kind]);
    expect(mine.length).toBe(asked[kind].size);
    expect(new Set(mine.map((row) => `${String(row.outcome)} ${String(row.status)}`))).toEqual(
      new Set([outcomes[kind].join(" ")]),
    );
    const calls = up.calls.of(kind);
    expect(calls.length).toBe(mine.length);
    const billed = calls.reduce((sum, call) => sum + call.billed.input + call.billed.output, 0);
    const counted = mine.reduce(
      (sum, row) => sum + Number(row.prompt_tokens) + Number(row.completion_tokens),
      0,
    );
    if (kind === "whole" || kind === "streamed") expect(counted).toBe(billed);
    else if (kind === "refused" || kind === "broken") expect([counted, billed]).toEqual([0, 0]);
    // What no provider told is estimated and marked, and never nothing.
    else {
      const odd = mine.filter((row) => row.estimated !== 1 || Number(row.cost_nano) <= 0);
      expect(odd).toEqual([]);
    }
  }

  const [sums] = await rows();
  const team = await gw.admin<{ team_info: { spend: number } }>(
    "GET",
    `/team/info?team_id=${gw.tenant.teamId}`,
  );
  const key = await gw.admin<{ info: { spend: number } }>(
    "GET",
    `/key/info?key=${encodeURIComponent(gw.firstKey)}`,
  );
  expect(Math.round(team.team_info.spend * 1e9)).toBe(sums?.cost);
  expect(Math.round(key.info.spend * 1e9)).toBe(sums?.cost);
  // Each decision and each outcome stands in the log once, the outcome as the caller saw it.
  const records = await logged();
  const places = records.map((each) => Number(each["sequence"])).toSorted((a, b) => a - b);
  expect(places).toEqual(records.map((_, n) => n + 1));
  const all = new Set(kinds.flatMap((kind) => [...asked[kind]]));
  const idsOf = (wanted: (type: string) => boolean) =>
    records.flatMap((each) => {
      const type = String(each["event_type"]);
      return type.startsWith("request.") && wanted(type) ? [each["request_id"]] : [];
    });
  for (const ids of [
    idsOf((type) => type === "request.routed"),
    idsOf((type) => type !== "request.routed"),
  ]) {
    expect(ids).toHaveLength(REQUESTS);
    expect(new Set(ids)).toEqual(all);
  }

  const [days] = await gw.sql("select sum(cost_nano) as cost from usage_daily");
  expect(days?.cost).toBe(sums?.cost);
}, 300_000);
