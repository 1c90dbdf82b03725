import { applyD1Migrations } from "cloudflare:test";
import type { D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import type { UsageEvent } from "../../worker/core/account.ts";
import type { AuditRecord } from "../../worker/core/audit.ts";
import type { Statement } from "../../worker/core/ports.ts";
import { NO_USAGE } from "../../worker/core/usage.ts";
import * as auditEvents from "../../worker/store/audit-events.ts";
import { forgetOldMarks, prepared } from "../../worker/store/changes.ts";
import * as credentials from "../../worker/store/credentials.ts";
import { openDb } from "../../worker/store/database.ts";
import type { Db } from "../../worker/store/database.ts";
import * as customers from "../../worker/store/customers.ts";
import * as deployments from "../../worker/store/deployments.ts";
import * as keys from "../../worker/store/keys.ts";
import * as orgRows from "../../worker/store/org-rows.ts";
import { findOrg, firstOrgId, insertOrg, listOrgs } from "../../worker/store/orgs.ts";
import * as teams from "../../worker/store/teams.ts";
import * as usageRows from "../../worker/store/usage-rows.ts";
import * as users from "../../worker/store/users.ts";

const { insertAuditEvents, listAuditEvents } = auditEvents;
const { findCredential, insertCredential, listCredentials } = credentials;
const { findDeployment, insertDeployment, listDeployments } = deployments;
const { findKey, findKeyHash, insertKey, listKeys } = keys;
const { readKey, readShared } = orgRows;
const { findTeam, findTeamMember, insertTeam, insertTeamMember, listTeamMembers, listTeams } =
  teams;
const { dailyUsage, findUsage, listUsage, writeUsage } = usageRows;
const { findPerson, findUser, insertUser, listUsers } = users;
const { findCustomer, insertCustomer, listCustomers } = customers;

const A = "g00000000000A";
const B = "g00000000000B";
const at = { createdAt: 1, updatedAt: 1 };
const run = (statements: Statement[]) =>
  env.DB.batch(statements.map((each) => prepared(env.DB, each)));

/** The same ids and aliases in both organizations; what differs holds the organization's id. */
function rowsOf(orgId: string): Statement[] {
  return [
    insertOrg({ id: orgId, alias: `org ${orgId}`, defaultTeamId: "t1", ...at }),
    insertTeam(orgId, { id: "t1", alias: "team", metadata: { of: orgId }, ...at }),
    insertUser(orgId, { id: "u1", email: "Ann@Example.com", alias: orgId, role: "admin", ...at }),
    insertUser(orgId, { id: "u2", role: "viewer", personId: "elsewhere/u", alias: orgId, ...at }),
    insertTeamMember(orgId, { teamId: "t1", userId: "u1", createdAt: 1 }),
    insertCustomer(orgId, { id: "shop", blocked: true, metadata: { of: orgId }, ...at }),
    insertKey(orgId, {
      id: "k1",
      handle: "sha256:k1",
      name: "sk-…1234",
      alias: "key",
      userId: "u1",
      hash: `hash of ${orgId}`,
      pepperVersion: 1,
      metadata: { of: orgId },
      ...at,
    }),
    insertDeployment(orgId, {
      id: "d1",
      group: "gpt",
      provider: "openai",
      model: orgId,
      protocol: "openai-chat",
      baseUrl: "https://example.com/v1",
      weight: 0.5,
      ...at,
    }),
    insertCredential(orgId, {
      id: "c1",
      name: "main",
      provider: "openai",
      host: "example.com",
      version: 1,
      sealed: `sealed for ${orgId}`,
      lastFour: "1234",
      metadata: { of: orgId },
      ...at,
    }),
  ];
}

/** A settled request, as a ledger sends it. */
function usage(orgId: string, cost: number): UsageEvent {
  const amount = { cost, requests: 1, tokens: 10 };
  return {
    eventId: "evt_usage",
    revision: 1,
    settledAt: 6,
    charged: amount,
    delta: amount,
    estimated: false,
    overrun: 0,
    row: {
      requestId: "req_1",
      orgId,
      teamId: "t1",
      keyId: "k1",
      keyHandle: "sha256:k1",
      model: orgId,
      endpoint: "chat",
      stream: true,
      tags: ["a"],
      outcome: "success",
      status: 200,
      attempts: [],
      usage: { ...NO_USAGE, input: 7, output: 3 },
      cost,
      startedAt: 5,
      durationMs: 9,
    },
  };
}

function event(orgId: string, eventId: string, type: AuditRecord["type"], requestId?: string) {
  return { eventId, type, at: 5, orgId, actor: "master", requestId, data: { of: orgId } };
}

beforeAll(async () => {
  const { TEST_MIGRATIONS } = env as unknown as { TEST_MIGRATIONS: D1Migration[] };
  await applyD1Migrations(env.DB, TEST_MIGRATIONS);
  for (const orgId of [A, B]) {
    await run(rowsOf(orgId));
    const filed = { event: usage(orgId, orgId === A ? 10 : 20), segment: `${orgId}/segment` };
    await run(writeUsage([filed]));
    await run([insertAuditEvents([event(orgId, "evt_2", "key.created")])]);
  }
});

/** Every function that reads within an organization. */
const READS: Record<string, (db: Db, orgId: string) => Promise<unknown>> = {
  findTeam: (db, orgId) => findTeam(db, orgId, "t1"),
  "findTeam by alias": (db, orgId) => findTeam(db, orgId, "team"),
  listTeams: (db, orgId) => listTeams(db, orgId),
  "listTeams of a user": (db, orgId) => listTeams(db, orgId, { userId: "u1" }),
  listTeamMembers: (db, orgId) => listTeamMembers(db, orgId, "t1"),
  findTeamMember: (db, orgId) => findTeamMember(db, orgId, "t1", "u1"),
  findUser: (db, orgId) => findUser(db, orgId, "u1"),
  "findUser by e-mail": (db, orgId) => findUser(db, orgId, "ann@example.COM"),
  findPerson: (db, orgId) => findPerson(db, orgId, `${orgId}/u1`),
  "findPerson from elsewhere": (db, orgId) => findPerson(db, orgId, "elsewhere/u"),
  findCustomer: (db, orgId) => findCustomer(db, orgId, "shop"),
  listCustomers: (db, orgId) => listCustomers(db, orgId),
  listUsers: (db, orgId) => listUsers(db, orgId),
  findKey: (db, orgId) => findKey(db, orgId, "k1"),
  "findKey by handle": (db, orgId) => findKey(db, orgId, "sha256:k1"),
  "findKey by alias": (db, orgId) => findKey(db, orgId, "key"),
  findKeyHash: (db, orgId) => findKeyHash(db, orgId, "k1"),
  listKeys: (db, orgId) => listKeys(db, orgId, { userId: "u1", alias: "key" }),
  findDeployment: (db, orgId) => findDeployment(db, orgId, "d1"),
  listDeployments: (db, orgId) => listDeployments(db, orgId, { group: "gpt" }),
  findCredential: (db, orgId) => findCredential(db, orgId, "main"),
  listCredentials: (db, orgId) => listCredentials(db, orgId),
  readShared: (db, orgId) => readShared(db, orgId),
  readKey: (db, orgId) => readKey(db, orgId, "k1"),
  findUsage: (db, orgId) => findUsage(db, orgId, "req_1"),
  listUsage: (db, orgId) => listUsage(db, orgId, { keyId: "k1", teamId: "t1" }),
  dailyUsage: (db, orgId) => dailyUsage(db, orgId, { from: "1970-01-01", to: "1970-01-02" }),
  listAuditEvents: (db, orgId) => listAuditEvents(db, orgId, { type: "key.created" }),
};

test.each(Object.keys(READS))("%s sees one organization and never another", async (name) => {
  const read = READS[name] ?? expect.fail();
  const db = openDb(env.DB);
  for (const [own, other] of [
    [A, B],
    [B, A],
  ] as const) {
    const text = JSON.stringify(await read(db, own));
    expect(text).toContain(own);
    expect(text).not.toContain(other);
  }
  const nothing: unknown = await read(db, "g00000000000C");
  const total = (nothing as { total?: number } | null)?.total ?? 0;
  expect(total).toBe(0);
  expect(JSON.stringify(nothing)).not.toContain("g00000000000");
});

test("every reading function of the store is among those that are tested above", () => {
  const modules = [
    auditEvents,
    credentials,
    customers,
    deployments,
    keys,
    orgRows,
    teams,
    usageRows,
    users,
  ];
  const reading = modules
    .flatMap((module) => Object.keys(module))
    .filter((name) => /^(daily|find|list|read)/.test(name));
  const tested = new Set(Object.keys(READS).map((name) => name.split(" ")[0]));
  expect(reading.filter((name) => !tested.has(name))).toEqual([]);
});

test("rows come back as they were written, secrets left out", async () => {
  const db = openDb(env.DB);
  expect(await findKey(db, A, "k1")).not.toHaveProperty("hash");
  expect(await findCredential(db, A, "c1")).not.toHaveProperty("sealed");
  const opened = await readKey(db, A, "k1");
  // The key has no team of its own: the default one stands above it.
  expect(opened.key?.teamId).toBeUndefined();
  expect([opened.team?.id, opened.user?.role, opened.key?.revision]).toEqual(["t1", "admin", 1]);
  expect((await readShared(db, A))?.deployments[0]).toMatchObject({ weight: 0.5, tags: [] });
  expect(await firstOrgId(db)).toBe(A);
  expect((await findOrg(db, `org_${B}`))?.id).toBe(B);
  const page = await listOrgs(db, { page: 2, page_size: 1 });
  expect([page.rows[0]?.id, page.total, page.total_pages]).toEqual([B, 2, 2]);
  expect((await listOrgs(db, { page: -4, page_size: 1e9 })).page_size).toBe(100);
});

test("the record's copies of events, which name people, go after a month", async () => {
  const month = 30 * 86_400_000;
  const orgId = "g00000000000D";
  const events = (at: number, id: string) =>
    insertAuditEvents([{ ...event(orgId, id, "key.created"), at }]);
  await run([events(1_000, "evt_old"), events(2_000, "evt_new")]);
  await forgetOldMarks(env.DB, month + 1_500);
  const { rows } = await listAuditEvents(openDb(env.DB), orgId);
  expect(rows.map(({ eventId }) => eventId)).toEqual(["evt_new"]);
});
