import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";

let gw: TestGateway;
beforeAll(async () => {
  gw = await startGateway({ vars: { PROFILE: "self-hosted" } });
});
afterAll(() => gw?.stop());

test("whoever opens an invitation's link first, of many at once, becomes a user whose key calls models", async () => {
  const { organizationId, teamId } = gw.tenant;
  const made = await gw.admin<Record<string, string>>("POST", "/invitation/new", {
    organization_id: organizationId,
    user_email: "guest@example.com",
    team_id: teamId,
  });
  const link = new URL(made["invitation_link"] ?? "");
  expect(link.origin).toBe(gw.url);

  const page = await fetch(link);
  expect(page.status).toBe(200);
  expect(page.headers.get("content-security-policy")).toMatch(
    /default-src 'none'.*script-src 'self'.*connect-src 'self'/,
  );
  expect(page.headers.get("referrer-policy")).toBe("no-referrer");
  const html = await page.text();
  expect(html).not.toMatch(/<script>|onclick=|style="/);
  for (const [, path] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
    expect((await fetch(gw.url + path)).status, path).toBe(200);
  }

  const claims = await Promise.all(
    Array.from({ length: 8 }, () =>
      fetch(`${gw.url}/invitation/claim`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token: link.hash.slice(1) }),
      }),
    ),
  );
  const won = claims.filter((each) => each.status === 200);
  expect(won).toHaveLength(1);
  expect(claims.filter((each) => each.status === 404)).toHaveLength(7);
  const { key, base_url: baseURL } = (await (won[0] as Response).json()) as Record<string, string>;
  const client = new OpenAI({ apiKey: key ?? "", baseURL: baseURL ?? "", maxRetries: 0 });
  const answer = await client.chat.completions.create({
    model: "sim/echo",
    messages: [{ role: "user", content: "hello" }],
  });
  expect(answer.choices[0]?.message.content).toContain("hello");
  const users = await gw.sql("SELECT id FROM users WHERE email = 'guest@example.com'");
  expect(users).toHaveLength(1);
  const logs = JSON.stringify(gw.logs);
  expect(logs).not.toContain(link.hash.split("-")[4]);
});
