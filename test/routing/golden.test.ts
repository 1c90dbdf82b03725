import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { replayLog } from "../../cli/audit-replay.ts";
import { gatewayObjects } from "../../cli/audit-objects.ts";
import { ENGINE } from "../../worker/core/audit-data.ts";
import { policyName } from "../../worker/core/sealed-log/layout.ts";
import type { LogObjects } from "../../worker/core/sealed-log/report.ts";
import { packSegment, segmentLines } from "../../worker/core/sealed-log/segment.ts";
import { startGateway } from "../support/cluster/index.ts";

// Decisions as earlier engines recorded them, with the policies they were made by. Every later engine has to make them
// anew and come to the same. WRITE_GOLDEN=<name> adds a set by this engine; a set that was released is never changed.

const FOLDER = join(import.meta.dirname, "../recordings/replay");
const sets = existsSync(FOLDER) ? readdirSync(FOLDER) : [];

async function objectsOf(set: string): Promise<LogObjects> {
  const lines = readFileSync(join(FOLDER, set, "records.jsonl"), "utf8")
    .trimEnd()
    .split("\n");
  const segment = await packSegment(lines);
  const name = `audit/segments/1-${lines.length}.jsonl.gz`;
  return {
    names: async () => [name],
    get: async (wanted) => {
      if (wanted === name) return segment;
      const file = join(FOLDER, set, wanted.replace(policyName(""), ""));
      return existsSync(file) ? new Uint8Array(readFileSync(file)) : null;
    },
  };
}

test.each(sets)("decisions of %s come out the same", async (set) => {
  let count = 0;
  for await (const event of replayLog(await objectsOf(set), null)) {
    count += 1;
    expect(event, event.eventId).toMatchObject({ same: true, missing: [], unknown: [] });
  }
  expect(count).toBeGreaterThan(20);
});

test("this engine has a set of its own, and records name the engine that made them", () => {
  expect(sets).toContain(ENGINE);
  for (const set of sets) {
    const text = readFileSync(join(FOLDER, set, "records.jsonl"), "utf8");
    const engines = text
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { engine?: string }).engine);
    // Engine 0.1.0 did not say who it was.
    expect([...new Set(engines)], set).toEqual([set === "0.1.0" ? undefined : set]);
  }
});

const STRATEGIES = [
  "simple-shuffle",
  "least-busy",
  "latency-based-routing",
  "cost-based-routing",
  "usage-based-routing-v2",
];

test.skipIf(process.env["WRITE_GOLDEN"] === undefined)(
  "writes a new set (WRITE_GOLDEN=<name>)",
  async () => {
    const gw = await startGateway({ vars: { PROFILE: "self-hosted" } });
    try {
      const organization = gw.tenant.organizationId;
      const headers = {
        "content-type": "application/json",
        authorization: `Bearer ${gw.masterKey}`,
      };
      const admin = async (method: string, path: string, body: object) => {
        const said = await fetch(gw.url + path, { method, headers, body: JSON.stringify(body) });
        if (!said.ok) throw new Error(`${path} ${said.status} ${await said.text()}`);
      };
      for (const [n, id] of ["a", "b", "c", "d", "e"].entries())
        await admin("POST", "/model/new", {
          model_name: n < 3 ? "first" : "second",
          litellm_params: {
            model: n % 2 === 0 ? "sim/echo" : "sim/text",
            weight: n + 1,
            order: n === 2 ? 2 : 1,
            rpm: 1000 * (n + 1),
            input_cost_per_token: (n + 1) * 1e-6,
            output_cost_per_token: (n + 1) * 2e-6,
          },
          model_info: { id: `deployment-${id}` },
        });
      const yaml = [
        "rules:",
        "  - { id: secret, when: { metadata.class: secret }, block: { message: no } }",
        "  - { id: long, when: { content.input_tokens: { gt: 50 } }, route: second, audit: { retention_days: 400 } }",
        "  - { id: rest, route: first, fallbacks: [second] }",
        "constraints:",
        "  - { id: no-c, when: { header.x-careful: 'yes' }, forbid: { model: text } }",
        "",
      ].join("\n");
      await admin("PUT", `/policy/${organization}`, { yaml });
      const ask = (body: object, more: Record<string, string> = {}) =>
        fetch(`${gw.url}/v1/chat/completions`, {
          method: "POST",
          headers: { ...headers, ...more, authorization: `Bearer ${gw.firstKey}` },
          body: JSON.stringify({ model: "sim/echo", ...body }),
        }).then(async (said) => (await said.text(), said.status));
      const say = (content: string) => [{ role: "user", content }];
      await expect
        .poll(() => ask({ metadata: { class: "secret" }, messages: say("x") }), { timeout: 10_000 })
        .toBe(403);
      for (const strategy of STRATEGIES) {
        await admin("POST", "/config/update", { router_settings: { routing_strategy: strategy } });
        await new Promise((resolve) => setTimeout(resolve, 6_000));
        for (let n = 0; n < 6; n++) {
          await ask({ messages: say(`${strategy} ${n}`) });
          await ask({ messages: say(`${strategy} ${n} `.repeat(40)) });
          await ask({ messages: say(`${n}`) }, { "x-careful": "yes" });
        }
      }
      const objects = await gatewayObjects({ url: gw.url, key: gw.masterKey }, () => undefined);
      const folder = join(FOLDER, process.env["WRITE_GOLDEN"] ?? "");
      mkdirSync(folder, { recursive: true });
      const records: string[] = [];
      for (const name of await objects.names()) {
        const bytes = (await objects.get(name)) ?? new Uint8Array();
        if (name.startsWith(policyName("")))
          writeFileSync(join(folder, name.replace(policyName(""), "")), bytes);
        if (!name.includes("/segments/")) continue;
        for (const line of await segmentLines(bytes))
          if (/"event_type":"request\.(routed|blocked)"/.test(line)) records.push(line);
      }
      writeFileSync(join(folder, "records.jsonl"), `${records.join("\n")}\n`);
    } finally {
      await gw.stop();
    }
  },
  180_000,
);
