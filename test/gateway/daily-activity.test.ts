import { afterAll, beforeAll, expect, test } from "vitest";
import { MODEL, startGround, type Ground } from "./support/ground.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

interface Activity {
  results: {
    date: string;
    breakdown: Record<string, Record<string, { metrics: Record<string, number> }>>;
  }[];
  metadata: Record<string, number>;
}

test("what calls cost shows in the daily activity of their organization, team, user and customer", async () => {
  const { gw } = ground;
  const { tenant } = gw;
  const client = ground.openai();
  for (const user of ["shop", "shop", "kiosk"]) {
    await client.chat.completions.create({
      model: MODEL.openai,
      user,
      messages: [{ role: "user", content: "hello" }],
    });
  }
  const org = `organization_id=${tenant.organizationId}`;
  const asked: [path: string, entity: string, requests: number][] = [
    [`/organization/daily/activity?${org}`, tenant.organizationId, 3],
    [`/team/daily/activity?${org}&team_ids=${tenant.teamId}`, tenant.teamId, 3],
    [`/user/daily/activity?${org}&user_id=${tenant.userId}`, tenant.userId, 3],
    [`/customer/daily/activity?${org}&end_user_ids=shop`, "shop", 2],
    [`/customer/daily/activity?${org}`, "kiosk", 1],
  ];
  for (const [path, entity, requests] of asked) {
    const seen = async () => {
      const { results } = await gw.admin<Activity>("GET", path);
      return results[0]?.breakdown["entities"]?.[entity]?.metrics["api_requests"];
    };
    await expect.poll(seen, { timeout: 5000 }).toBe(requests);
  }
  const own = await fetch(`${gw.url}/user/daily/activity?model=${MODEL.openai}`, {
    headers: { authorization: `Bearer ${tenant.key}` },
  });
  expect(own.status).toBe(200);
  const mine = (await own.json()) as Activity;
  expect(mine.metadata).toMatchObject({ total_api_requests: 3, total_successful_requests: 3 });
  const ledger = await gw.admin<{ info: { spend: number } }>(
    "GET",
    `/key/info?key=${tenant.key}&${org}`,
  );
  expect(mine.metadata["total_spend"]).toBe(ledger.info.spend);
  expect(ledger.info.spend).toBeGreaterThan(0);
});
