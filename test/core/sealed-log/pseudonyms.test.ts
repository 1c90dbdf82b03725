import { expect, test } from "vitest";
import type { AuditEventType } from "../../../worker/core/audit.ts";
import type { JsonObject } from "../../../worker/core/json.ts";
import { segmentLines } from "../../../worker/core/sealed-log/segment.ts";
import { LogWorld } from "../../support/sealed-log.ts";

const amount = { cost: 1, requests: 1, tokens: 1 };
const lease = (kind: string, id: string) => ({
  scope: { kind, id },
  leaseId: "1",
  windowId: "life",
  revision: 0,
  reserved: amount,
});

/** Every form in which a record names the user mia-m or the customer acme-m. */
const RECORDS: [AuditEventType, JsonObject][] = [
  [
    "request.routed",
    {
      user_id: "mia-m",
      customer_id: "acme-m",
      leases: [
        lease("user", "mia-m"),
        lease("team_member", "team-1/mia-m"),
        lease("customer", "acme-m"),
      ],
    },
  ],
  ["budget.exceeded", { scope: "user", scope_id: "mia-m" }],
  ["budget.reset", { scope: "team_member", scope_id: "team-1/mia-m" }],
  ["budget.threshold_reached", { scope: "customer", scope_id: "acme-m" }],
  ["budget.created", { object_id: "b1", attached_to: "user:mia-m", updated_values: {} }],
  [
    "user.created",
    {
      object_id: "mia-m",
      before_value: null,
      updated_values: {
        user_id: "mia-m",
        user_email: "mia-m@mail.example",
        user_alias: "Mia m",
        metadata: { phones: ["+49 1 m"], of: { office: "m 12" } },
      },
    },
  ],
  [
    "user.updated",
    {
      object_id: "mia-m",
      before_value: { user_alias: "Mia m" },
      updated_values: { user_alias: "M. m" },
    },
  ],
  [
    "customer.created",
    {
      object_id: "acme-m",
      updated_values: { user_id: "acme-m", alias: "Acme m", metadata: { contact: "Mr m" } },
    },
  ],
  [
    "key.created",
    {
      object_id: "sha256:1",
      user_id: "mia-m",
      updated_values: {
        user_id: "mia-m",
        key_alias: "laptop of m",
        metadata: { note: "m" },
      },
    },
  ],
  [
    "key.updated",
    { object_id: "sha256:1", user_id: "mia-m", updated_values: { key_alias: "phone of m" } },
  ],
  [
    "team.updated",
    {
      object_id: "team-1",
      changed_by: "mia-m",
      updated_values: {
        metadata: { owner: "Mia-M@mail.example, second floor" },
        tags: ["by:mia-m@mail.example"],
      },
    },
  ],
];

/** Random characters may spell anything. */
function withoutIds(text: string): string {
  return text.replaceAll(/(psn|evt|req)_[0-9A-Za-z]+/g, "#");
}

test("a person stands in no form in what is sealed, is read by name, and by none once it is unlinked", async () => {
  const world = new LogWorld();
  await world.append(
    RECORDS.map(([type, data]) => world.record(type, data, { actor: "user:mia-m" })),
  );
  await world.sealer.run();
  const sealed: string[] = [];
  for (const [name, bytes] of world.archive.objects)
    if (name.includes("/segments/")) sealed.push(...(await segmentLines(bytes)));
  const texts = sealed.filter((line) => !line.includes("audit.key_added"));
  expect(texts).toHaveLength(RECORDS.length);
  // Every name above ends with an m of its own.
  for (const text of texts) expect(withoutIds(text)).not.toMatch(/mia|acme|\bm\b/i);
  const read = async () => {
    const { records } = await world.port.list({ order: "asc", limit: 100 });
    return records.filter(({ event_type }) => event_type !== "audit.key_added");
  };
  const shown = await read();
  for (const [at, [, data]] of RECORDS.entries()) {
    const { metadata } = (data["updated_values"] ?? {}) as { metadata?: { owner?: string } };
    // An address within a text is known by its small letters.
    if (metadata?.owner !== undefined) metadata.owner = metadata.owner.toLowerCase();
    expect(shown[at]).toMatchObject({ ...data, actor: "user:mia-m" });
  }
  await world.port.unlink("user", "mia-m");
  const left = withoutIds(JSON.stringify(await read()));
  expect(left).not.toMatch(/mia|laptop|phone of|\+49|m 12/i);
  expect(left).toMatch(/acme-m.*Mr m/);
  await world.port.unlink("customer", "acme-m");
  expect(withoutIds(JSON.stringify(await read()))).not.toMatch(/acme|Mr m/i);
});

test("whoever is met for the first time by two groups at once has one pseudonym", async () => {
  const world = new LogWorld();
  const say = () => world.append([world.record("request.blocked", { user_id: "mia-m" })]);
  await Promise.all([say(), say(), say()]);
  const { records } = await world.port.list({ limit: 100 });
  expect(records.map(({ user_id }) => user_id)).toEqual(["mia-m", "mia-m", "mia-m"]);
  await world.port.unlink("user", "mia-m");
  await say();
  const later = (await world.port.list({ limit: 100, order: "asc" })).records;
  const names = later.map(({ user_id }) => String(user_id));
  expect(new Set(names.slice(0, 3)).size).toBe(1);
  expect(names[0]).toMatch(/^psn_/);
  expect(names[3]).toBe("mia-m");
});
