import { beforeEach, expect, test } from "vitest";
import type { Isolate } from "../../worker/core/isolate.ts";
import { makeQuarantine } from "../../worker/store/quarantine.ts";
import { NO_USAGE } from "../../worker/core/usage.ts";
import { newIsolate } from "../../worker/deps.ts";
import type { RequestObservation } from "../../worker/core/metrics.ts";
import {
  answerMetrics,
  observeAudit,
  observeRequest,
  renderMetrics,
} from "../../worker/telemetry/metrics.ts";

let isolate: Isolate;
beforeEach(() => {
  isolate = newIsolate();
});

function seen(more: Partial<RequestObservation> = {}): RequestObservation {
  return {
    model: "gpt",
    provider: "openai",
    status: 200,
    code: null,
    usage: { ...NO_USAGE, input: 10, output: 5 },
    cost: 1_500,
    durationMs: 30,
    overheadMs: 1,
    timeToFirstTokenMs: 12,
    attempts: 1,
    ...more,
  };
}

const lines = () => renderMetrics(isolate).split("\n");

test("sums requests, tokens and dollars by model and provider", () => {
  observeRequest(isolate, seen());
  observeRequest(isolate, seen({ attempts: 3 }));
  expect(lines()).toEqual(
    expect.arrayContaining([
      'litellm_request_total{model="gpt",provider="openai",status="200"} 2',
      'litellm_tokens_total{model="gpt",provider="openai",class="input"} 20',
      'litellm_cost_total{model="gpt",provider="openai"} 0.000003',
      'gateway_failovers_total{model="gpt",provider="openai"} 2',
    ]),
  );
});

test("a histogram's buckets add up to its count", () => {
  for (const durationMs of [1, 30, 30, 7_000, 900_000])
    observeRequest(isolate, seen({ durationMs }));
  const of = (le: string) =>
    `litellm_request_duration_seconds_bucket{model="gpt",provider="openai",le="${le}"}`;
  expect(lines()).toEqual(
    expect.arrayContaining([
      `${of("0.005")} 1`,
      `${of("0.05")} 3`,
      `${of("10")} 4`,
      `${of("600")} 4`,
      `${of("+Inf")} 5`,
      'litellm_request_duration_seconds_count{model="gpt",provider="openai"} 5',
    ]),
  );
});

test("counts refusals by code and how late decisions were durable", () => {
  observeRequest(
    isolate,
    seen({ model: null, provider: null, status: 429, code: "budget_exceeded" }),
  );
  observeAudit(isolate, { durable: true, lagMs: 3 });
  observeAudit(isolate, { durable: false, lagMs: 2_000 });
  expect(lines()).toEqual(
    expect.arrayContaining([
      'litellm_request_total{model="none",provider="none",status="429"} 1',
      'gateway_refusals_total{code="budget_exceeded"} 1',
      'gateway_audit_lag_seconds_bucket{le="0.004"} 1',
      "gateway_audit_lag_seconds_count 1",
      "gateway_audit_failures_total 1",
    ]),
  );
});

test("label values are bounded in number and can't break the format", () => {
  for (let n = 0; n < 3_000; n++) observeRequest(isolate, seen({ model: `m${n}"\n\\` }));
  const totals = lines().filter((line) => line.startsWith("litellm_request_total{"));
  expect(totals).toHaveLength(1_001);
  expect(totals[0]).toBe(
    'litellm_request_total{model="m0\\"\\n\\\\",provider="openai",status="200"} 1',
  );
  expect(totals.at(-1)).toBe(
    'litellm_request_total{model="other",provider="other",status="other"} 2000',
  );
});

test("only the metrics token and the master key open them", async () => {
  const ask = (authorization?: string, token: string | null = "scrape") =>
    answerMetrics(
      isolate,
      new Request("http://x/metrics", { headers: authorization ? { authorization } : {} }),
      { token, isMaster: (text) => text === "sk-master" },
    );
  expect(await ask("Bearer scrape")?.text()).toContain("# TYPE litellm_request_total counter");
  expect(ask("bearer sk-master")?.status).toBe(200);
  for (const wrong of [undefined, "Bearer", "Bearer ", "Bearer scrap", "Basic scrape"]) {
    expect(ask(wrong)).toBeNull();
  }
  expect(ask("Bearer scrape", null)).toBeNull();
});

test("tells how much work goes on after its response", () => {
  isolate.workInHand = 3;
  expect(lines()).toContain("gateway_work_in_hand 3");
});

test("counts what was set aside from the trail, whoever in this isolate did it", async () => {
  const shown = () =>
    Number(/^gateway_audit_quarantined_total (\d+)$/m.exec(renderMetrics(isolate))?.[1]);
  const before = shown();
  const stores = {
    archive: { put: async () => undefined },
    prefixOf: () => "g/x/",
    alert: () => undefined,
  };
  await makeQuarantine(stores)("gAAAAAAAAAAAA", "evt_1", {}, "no form");
  expect(shown()).toBe(before + 1);
});
