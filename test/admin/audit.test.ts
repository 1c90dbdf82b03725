import { describe, expect, it } from "vitest";
import { timeOrderedId } from "../../worker/core/ids.ts";
import { HEAD } from "../../worker/core/sealed-log/layout.ts";
import { auditEvents, organizations } from "../../worker/store/schema.ts";
import type { MemoryArchive } from "../support/sealed-log.ts";
import { MASTER, openWorld } from "./world.ts";

interface Changes {
  audit_logs: { id: string; object_id: string }[];
  total: number;
  total_pages: number;
  cursor: string | null;
}

async function world() {
  const opened = openWorld();
  for (const name of ["a", "b"])
    await opened.make("/organization/new", { organization_alias: name, organization_id: name });
  for (const id of ["ada", "ben", "cy"])
    await opened.make("/user/new", { organization_id: "a", user_id: id });
  await opened.make("/user/new", { organization_id: "b", user_id: "ada" });
  const changes = async (query: string) => {
    const answer = await opened.call(MASTER, "GET", `/audit?organization_id=a&${query}`);
    expect(answer.status).toBe(200);
    return answer.body as unknown as Changes;
  };
  return { opened, changes };
}

it("administrative changes come in pages that add up to their total", async () => {
  const { changes } = await world();
  const all = await changes("page_size=100");
  expect(all.total).toBe(all.audit_logs.length);
  expect(all.total).toBeGreaterThan(4);
  const pages: string[] = [];
  for (let page = 1; page <= Math.ceil(all.total / 2); page++) {
    const one = await changes(`page=${page}&page_size=2`);
    expect(one).toMatchObject({ total: all.total, total_pages: Math.ceil(all.total / 2) });
    pages.push(...one.audit_logs.map(({ id }) => id));
  }
  expect(pages).toEqual(all.audit_logs.map(({ id }) => id));
  const first = await changes("page_size=2");
  const next = await changes(`page_size=2&cursor=${first.cursor}`);
  expect(next.audit_logs.map(({ id }) => id)).toEqual(pages.slice(2, 4));
  expect((await changes("page=1000")).audit_logs).toEqual([]);
});

it("whoever collects the log by sequence misses nothing that arrives late, and gets nothing twice", async () => {
  const { opened } = await world();
  const [org] = await opened.deps.db.select().from(organizations);
  const orgId = org?.id ?? "";
  const page = async (query: string) => {
    const path = `/audit-log?organization_id=${orgId}&${query}`;
    const answer = await opened.call(MASTER, "GET", path);
    return answer.body as unknown as { data: { sequence: number; event_id: string }[] };
  };
  const collected: { sequence: number; event_id: string }[] = [];
  const collect = async () => {
    for (;;) {
      const { data } = await page(`limit=3&after_sequence=${collected.at(-1)?.sequence ?? 0}`);
      if (data.length === 0) return;
      collected.push(...data);
    }
  };
  await collect();
  expect(collected.length).toBeGreaterThan(3);
  // An hour late.
  const at = opened.deps.now() - 3_600_000;
  const eventId = `evt_${timeOrderedId(at)}`;
  const late = { eventId, type: "request.blocked" as const, at, orgId, actor: "master", data: {} };
  expect(await opened.deps.auditLog(orgId).append([late])).toEqual([{ ok: true }]);
  await collect();
  expect(collected.at(-1)?.event_id).toBe(eventId);
  expect(collected.map(({ sequence }) => sequence)).toEqual(collected.map((_, n) => n + 1));
  const both = `/audit-log?organization_id=${orgId}&after_sequence=1&order=asc`;
  expect((await opened.call(MASTER, "GET", both)).status).toBe(422);
  const one = `/audit-log?organization_id=${orgId}&event_id=${eventId}`;
  expect((await opened.call(MASTER, "GET", one)).body).toMatchObject({
    data: [{ event_id: eventId }],
  });
  // A filter that is misspelt must not answer as if nothing had been asked for.
  const misspelt = await opened.call(MASTER, "GET", one.replace("event_id", "event_ids"));
  expect([misspelt.status, JSON.stringify(misspelt.body)]).toEqual([
    422,
    expect.stringContaining("did you mean 'event_id'"),
  ]);
});

it("an unlinked person stands in none of the organization's copies of events", async () => {
  const { opened, changes } = await world();
  const copies = async () => JSON.stringify(await opened.deps.db.select().from(auditEvents));
  const before = await opened.deps.db.select().from(auditEvents);
  expect(JSON.stringify(before)).toContain("ada");
  expect((await changes("page_size=100")).audit_logs.map((each) => each.object_id)).toContain(
    "ada",
  );
  await opened.make("/audit-log/unlink", { organization_id: "a", user_id: "ada" });
  const after = await opened.deps.db.select().from(auditEvents);
  const mine = before.find(({ data }) => JSON.stringify(data).includes('"ben"'))?.orgId;
  expect(JSON.stringify(after.filter(({ orgId }) => orgId === mine))).not.toContain("ada");
  // Another organization's person of the same name stays where it was.
  expect(await copies()).toContain("ada");
  const shown = JSON.stringify((await changes("page_size=100")).audit_logs);
  expect(shown).not.toContain('"ada"');
});

it("with a person its e-mail addresses and names are unlinked, those that it had before too", async () => {
  const { opened, changes } = await world();
  const shown = async () => JSON.stringify((await changes("page_size=100")).audit_logs);
  const org = { organization_id: "a" };
  const eve = { user_id: "eve", user_email: "Eve@one.example", user_alias: "Evelyn Old" };
  await opened.make("/user/new", { ...org, ...eve });
  const renamed = { user_id: "eve", user_email: "eve@two.example", user_alias: "Evelyn New" };
  await opened.make("/user/update", { ...org, ...renamed });
  await opened.make("/customer/new", { ...org, user_id: "acme-7", alias: "Seven of Acme" });
  await opened.make("/invitation/new", { ...org, user_email: "guest@three.example" });
  const marks = [/eve"/, /eve@one/, /eve@two/, /Evelyn Old/, /Evelyn New/];
  for (const mark of marks) expect(await shown()).toMatch(mark);
  await opened.make("/audit-log/unlink", { ...org, user_id: "eve" });
  for (const mark of marks) expect(await shown()).not.toMatch(mark);
  expect(await shown()).toMatch(/acme-7.*Seven of Acme|Seven of Acme.*acme-7/);
  await opened.make("/audit-log/unlink", { ...org, customer_id: "acme-7" });
  expect(await shown()).not.toMatch(/acme-7|Seven of Acme/);
  await opened.make("/audit-log/unlink", { ...org, user_email: "Guest@three.example" });
  expect(await shown()).not.toMatch(/guest@three/);
  const twice = { ...org, user_id: "ada", user_email: "guest@three.example" };
  expect((await opened.call(MASTER, "POST", "/audit-log/unlink", twice)).status).toBe(422);
});

it("nobody unlinks what they did themselves", async () => {
  const { opened } = await world();
  const keys = await Promise.all(
    ["kim", "lea"].map(async (user_id) => {
      const org = { organization_id: "a" };
      await opened.make("/user/new", { ...org, user_id, user_role: "org_admin" });
      return (await opened.make("/key/generate", { ...org, user_id }))["key"] ?? "";
    }),
  );
  const unlink = async (key: string) =>
    (await opened.call(key, "POST", "/audit-log/unlink", { user_id: "kim" })).status;
  expect(await Promise.all(keys.map(unlink))).toEqual([403, 200]);
});

describe("POST /audit-log/verify tells what became of the newest checkpoint in the archive", async () => {
  const verify = async (tamper: (archive: MemoryArchive, older: Uint8Array) => Promise<void>) => {
    const { opened } = await world();
    const [org] = await opened.deps.db.select().from(organizations);
    const orgId = org?.id ?? "";
    const organization_id = orgId;
    const archive = opened.deps.auditArchive(orgId) as MemoryArchive;
    const ask = async () => {
      const answer = await opened.call(MASTER, "POST", "/audit-log/verify", { organization_id });
      return answer.body as unknown as {
        valid: boolean;
        records: number;
        faults: { object: string; says: string }[];
      };
    };
    expect(await ask()).toMatchObject({ valid: true, faults: [] });
    const older = (await archive.read(HEAD)) ?? new Uint8Array();
    await opened.make("/user/new", { organization_id, user_id: "dee" });
    const seal = `/audit-log/checkpoint?seal=true&organization_id=${orgId}`;
    expect((await opened.call(MASTER, "GET", seal)).body).toMatchObject({ pending: 0 });
    await tamper(archive, older);
    const report = await ask();
    expect(report.valid).toBe(false);
    // What it proves it proves all the same: the log's object holds the checkpoint too.
    expect(report.records).toBeGreaterThan(4);
    return report.faults;
  };

  it("that it is missing", async () => {
    const faults = await verify((archive) => archive.remove([HEAD]));
    expect(faults).toEqual([{ object: HEAD, says: "is missing" }]);
  });

  it("that an older one is in its place", async () => {
    const faults = await verify((archive, older) => archive.replace(HEAD, older));
    expect(faults).toEqual([
      {
        object: HEAD,
        says: expect.stringMatching(/^is older than .*: \d+ records in place of \d+$/),
      },
    ]);
  });

  it("that it says something else", async () => {
    const faults = await verify(async (archive) => {
      const text = new TextDecoder().decode((await archive.read(HEAD)) ?? new Uint8Array());
      await archive.replace(HEAD, new TextEncoder().encode(text.replace("\ntime 2", "\ntime 1")));
    });
    expect(faults).toEqual([
      { object: HEAD, says: expect.stringContaining("is not what was sealed") },
    ]);
  });
});
