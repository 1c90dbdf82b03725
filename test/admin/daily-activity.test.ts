import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../worker/core/json.ts";
import { usdNumber } from "../../worker/core/money.ts";
import { keyHandle } from "../../worker/store/key-token.ts";
import { usageDaily } from "../../worker/store/schema.ts";
import { MASTER, openWorld, type Answer, type World } from "./world.ts";

type Row = typeof usageDaily.$inferInsert;
const NOW = Date.UTC(2026, 10, 21, 12);
const TEAMS = ["red", "blue"];
const USERS = ["", "ada", "bob"];
const CUSTOMERS = ["", "shop", "constructor"];

/** Numbers that look random and are the same in every run. */
function* numbers(): Generator<number, never> {
  let seed = 7;
  for (;;) yield (seed = (seed * 48271) % 2147483647);
}

async function worldOfUse() {
  let at = NOW;
  const world = openWorld(() => at++);
  const orgs: string[] = [];
  for (const name of ["a", "b"]) {
    const org = await world.make("/organization/new", {
      organization_alias: name,
      organization_id: `chosen-${name}`,
    });
    const input = { organization_id: `chosen-${name}` };
    for (const team_id of TEAMS) {
      await world.make("/team/new", { ...input, team_id, team_alias: `team ${team_id}` });
    }
    const { key } = await world.make("/key/generate", { ...input, key_alias: "k" });
    orgs.push(world.deps.keys.parse(String(key))?.orgId ?? String(org["organization_id"]));
  }
  const keyOf = async (user_id: string, user_role: string, teams: string[]) =>
    String((await world.make("/user/new", { user_id, user_role, teams }))["key"]);
  const people = {
    boss: await keyOf("boss", "org_admin", []),
    lead: await keyOf("ada", "team_admin", ["red"]),
    dev: await keyOf("bob", "internal_user", ["blue"]),
  };
  const known = await world.call(MASTER, "GET", "/key/info?key=k");
  const handle = String(known.body["key"]);
  const rows: Row[] = [];
  const next = numbers();
  const pick = <T>(from: readonly T[]): T => from[next.next().value % from.length] as T;
  for (const orgId of orgs) {
    const keyId = "k".repeat(11) + (orgId === orgs[0] ? "a" : "b");
    for (let n = 0; n < 400; n++) {
      const requests = next.next().value % 9;
      rows.push({
        orgId,
        day: `2026-11-${String(1 + (next.next().value % 21)).padStart(2, "0")}`,
        teamId: pick(TEAMS),
        userId: pick(USERS),
        keyId: pick(["", keyId]),
        customerId: pick(CUSTOMERS),
        group: pick(["", "fast", "smart"]),
        model: pick(["gpt-4o", "claude"]),
        provider: pick(["", "openai"]),
        requests,
        successes: Math.floor(requests / 2),
        failures: requests - Math.floor(requests / 2),
        promptTokens: next.next().value % 1000,
        completionTokens: next.next().value % 1000,
        cacheReadTokens: next.next().value % 100,
        cacheWriteTokens: next.next().value % 100,
        tokens: next.next().value % 3000,
        costNano: next.next().value % 1_000_000_007,
      });
    }
  }
  const kept = new Map(rows.map((row) => [JSON.stringify(Object.values(row).slice(0, 9)), row]));
  for (const row of kept.values()) await world.deps.db.insert(usageDaily).values(row).run();
  return { world, orgs, handle, people, rows: [...kept.values()] };
}

interface Entry {
  metrics: Record<string, number>;
  metadata: JsonObject;
}
interface Day {
  date: string;
  metrics: Record<string, number>;
  breakdown: Record<string, Record<string, Entry>>;
}

/** The same sums, added up by hand. */
function metricsOf(rows: Row[]) {
  const sum = (member: keyof Row) => rows.reduce((all, row) => all + Number(row[member]), 0);
  return {
    spend: usdNumber(sum("costNano")),
    prompt_tokens: sum("promptTokens"),
    completion_tokens: sum("completionTokens"),
    cache_read_input_tokens: sum("cacheReadTokens"),
    cache_creation_input_tokens: sum("cacheWriteTokens"),
    total_tokens: sum("tokens"),
    successful_requests: sum("successes"),
    failed_requests: sum("failures"),
    api_requests: sum("requests"),
  };
}

async function days(world: World, key: string, path: string) {
  const answer = await world.call(key, "GET", path);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return {
    days: answer.body["results"] as unknown as Day[],
    metadata: answer.body["metadata"] as unknown as Record<string, number | boolean>,
  };
}

/** Holds an answer against the rows that it should be made of. */
function expectSums(
  answer: { days: Day[]; metadata: Record<string, number | boolean> },
  rows: Row[],
  entity: keyof Row,
) {
  const dates = [...new Set(rows.map((row) => row.day))].toSorted().toReversed();
  expect(answer.days.map((each) => each.date)).toEqual(dates);
  const { spend, ...tokens } = metricsOf(rows);
  expect(answer.metadata).toMatchObject({
    total_spend: spend,
    ...Object.fromEntries(
      Object.entries(tokens).map(([name, value]) => [`total_${name.replace("total_", "")}`, value]),
    ),
  });
  const parts: [string, keyof Row][] = [
    ["models", "model"],
    ["model_groups", "group"],
    ["providers", "provider"],
    ["api_keys", "keyId"],
    ["entities", entity],
  ];
  for (const { date, metrics, breakdown } of answer.days) {
    const today = rows.filter((row) => row.day === date);
    expect(metrics).toEqual(metricsOf(today));
    for (const [name, member] of parts) {
      const shown = (row: Row) =>
        member === "keyId"
          ? keyHandle({ orgId: row.orgId, keyId: row.keyId })
          : member === "orgId"
            ? `org_${row.orgId}`
            : String(row[member]);
      const groups = Map.groupBy(
        today.filter((row) => row[member] !== ""),
        shown,
      );
      const wanted = [...groups].map(([key, its]) => [key, metricsOf(its)]);
      const got = Object.entries(breakdown[name] ?? {}).map(([key, part]) => [key, part.metrics]);
      expect(new Map(got as [string, object][])).toEqual(new Map(wanted as [string, object][]));
    }
  }
}

describe("daily activity", () => {
  it("adds up to what was debited, by day and by each kind of part, for every entity and filter", async () => {
    const { world, orgs, rows } = await worldOfUse();
    const own = rows.filter((row) => row.orgId === orgs[0]);
    const q = "start_date=2026-11-01&end_date=2026-11-21";
    const ask = (path: string) =>
      days(world, MASTER, `${path}${path.includes("?") ? "&" : "?"}${q}`);
    expectSums(await ask("/organization/daily/activity"), own, "orgId");
    expectSums(await ask("/team/daily/activity"), own, "teamId");
    const red = own.filter((row) => row.teamId === "red");
    for (const name of ["team_ids=red", "team_id=red", "team_ids=team%20red"]) {
      expectSums(await ask(`/team/daily/activity?${name}`), red, "teamId");
    }
    expectSums(
      await ask("/user/daily/activity"),
      own.filter((row) => row.userId !== ""),
      "userId",
    );
    expectSums(
      await ask("/user/daily/activity?user_ids=bob,ada&model=fast"),
      own.filter((row) => row.userId !== "" && row.group === "fast"),
      "userId",
    );
    expectSums(
      await ask(`/customer/daily/activity?end_user_ids=${encodeURIComponent('["constructor"]')}`),
      own.filter((row) => row.customerId === "constructor"),
      "customerId",
    );
    expectSums(
      await days(
        world,
        MASTER,
        "/organization/daily/activity?start_date=2026-11-05&end_date=2026-11-07&model=claude",
      ),
      own.filter(
        (row) => row.day >= "2026-11-05" && row.day <= "2026-11-07" && row.model === "claude",
      ),
      "orgId",
    );
    expectSums(
      await ask("/organization/daily/activity?organization_ids=chosen-a,chosen-b"),
      rows,
      "orgId",
    );
  });

  it("comes in pages of days whose totals are those of the whole question", async () => {
    const { world } = await worldOfUse();
    const path = "/organization/daily/activity?start_date=2026-11-01&page_size=4&page=";
    const whole = await days(world, MASTER, "/organization/daily/activity?start_date=2026-11-01");
    const pages = [];
    for (let page = 1; ; page++) {
      const each = await days(world, MASTER, path + page);
      expect(each.metadata).toMatchObject({
        page,
        total: whole.days.length,
        total_spend: whole.metadata["total_spend"],
      });
      pages.push(...each.days);
      if (each.metadata["has_more"] === false) break;
    }
    expect(pages).toEqual(whole.days);
    expect((await days(world, MASTER, `${path}99`)).days).toEqual([]);
  });

  it("names keys, teams and users as people do", async () => {
    const { world, rows } = await worldOfUse();
    const { days: found } = await days(world, MASTER, "/team/daily/activity?team_ids=red");
    expect(found[0]?.breakdown["entities"]?.["red"]?.metadata).toEqual({ team_alias: "team red" });
    expect(rows.length).toBeGreaterThan(500);
  });

  it("shows a team's admin the team, a developer the own use, and nobody another organization", async () => {
    const { world, orgs, people, rows } = await worldOfUse();
    const own = rows.filter((row) => row.orgId === orgs[0]);
    const red = own.filter((row) => row.teamId === "red");
    const q = "?start_date=2026-11-01";
    expectSums(await days(world, people.lead, `/team/daily/activity${q}`), red, "teamId");
    expectSums(
      await days(world, people.lead, `/customer/daily/activity${q}`),
      red.filter((row) => row.customerId !== ""),
      "customerId",
    );
    expectSums(
      await days(world, people.dev, `/user/daily/activity${q}`),
      own.filter((row) => row.userId === "bob"),
      "userId",
    );
    const status = async (key: string, path: string) => (await world.call(key, "GET", path)).status;
    expect(await status(people.lead, "/team/daily/activity?team_ids=red,blue")).toBe(404);
    expect(await status(people.dev, "/team/daily/activity")).toBe(403);
    expect(await status(people.dev, "/user/daily/activity?user_ids=bob,ada")).toBe(404);
    expect(await status(people.lead, "/organization/daily/activity")).toBe(403);
    expect(
      await status(people.boss, "/organization/daily/activity?organization_ids=chosen-b"),
    ).toBe(404);
  });

  it("refuses what is no day, no span, no list and no page, naming it", async () => {
    const { world, people } = await worldOfUse();
    const faults: [query: string, param: string][] = [
      ["start_date=yesterday", "start_date"],
      ["start_date=2026-02-30", "start_date"],
      ["end_date=2026-1-1", "end_date"],
      ["start_date=2026-11-20&end_date=2026-11-19", "start_date"],
      ["start_date=2020-01-01&end_date=2026-11-19", "start_date"],
      ["page=0", "page"],
      ["page_size=1001", "page_size"],
      ["organization_ids=", "organization_ids"],
      ["organization_ids=a,,b", "organization_ids"],
      [`organization_ids=${encodeURIComponent("[1]")}`, "organization_ids"],
    ];
    for (const [query, param] of faults) {
      const answer: Answer = await world.call(
        people.boss,
        "GET",
        `/organization/daily/activity?${query}`,
      );
      expect(answer, query).toMatchObject({
        status: 422,
        body: { error: { param }, detail: [{ loc: ["query", param] }] },
      });
    }
    const empty = await days(
      world,
      people.boss,
      "/organization/daily/activity?end_date=2020-01-31",
    );
    expect(empty).toMatchObject({
      days: [],
      metadata: { total_spend: 0, start_date: "2020-01-02", end_date: "2020-01-31", total: 0 },
    });
  });
});
