import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GatewayError } from "../../worker/core/errors.ts";
import type { Isolate } from "../../worker/core/isolate.ts";
import type { KeyRecord, OrgShared } from "../../worker/core/records.ts";
import { makeDirectory } from "../../worker/store/directory.ts";

const ORG = "g000000000000";

function keyRecord(id: string, revision: number, teamId?: string): KeyRecord {
  return {
    id,
    handle: `sha256:${id}`,
    name: "sk-…test",
    keyType: "default",
    teamId,
    models: [],
    aliases: {},
    allowedIps: [],
    blocked: false,
    revision,
    metadata: {},
  };
}

function sharedOf(alias: string): OrgShared {
  return {
    org: { id: ORG, alias, models: [], blocked: false, metadata: {} },
    deployments: [],
    credentials: [],
    blockedCustomers: [],
  };
}

/** The control object as a directory sees it: rows, a revision, a log, and calls that can be made to fail or hang. */
class Control {
  revision = 1;
  rows = new Map<string, KeyRecord>();
  shared: OrgShared | undefined = sharedOf("first");
  log: [number, string][] = [];
  calls: string[] = [];
  fault: (call: string) => void | Promise<void> = () => undefined;

  change(name: string, apply: () => void): void {
    apply();
    this.log.push([++this.revision, name]);
  }

  port = {
    open: async (keyId: string | null, known: number) => {
      this.calls.push("open");
      const { revision, shared } = this;
      const key = (keyId !== null && this.rows.get(keyId)) || null;
      const team = null;
      await this.fault("open");
      return { revision, shared: known === revision ? undefined : shared, key, team, user: null };
    },
    sync: async (known: number) => {
      this.calls.push("sync");
      const { revision } = this;
      const touched = this.log.filter(([at]) => at > known).map(([, name]) => name);
      await this.fault("sync");
      return { revision, touched };
    },
    apply: () => Promise.reject(new Error("A directory changes nothing.")),
  };
}

function newIsolate(): Isolate {
  return {
    id: "i",
    tagSecret: new Uint8Array(32),
    orgs: new Map(),
    keyTags: new Map(),
    health: new Map(),
    secrets: new Map(),
    bundles: new Map(),
    policies: new Map(),
    told: new Set(),
    accessTokens: new Map(),
    stateMakers: new Map(),
    learned: new Map(),
    firstOrg: null,
    bytesInFlight: 0,
    workInHand: 0,
  };
}

let control: Control;
let isolate: Isolate;
let kept: Promise<unknown>[];

/** What one request gets: its own directory over the isolate's memory. */
function request(waitUntil = (work: Promise<unknown>) => void kept.push(work)) {
  return makeDirectory({
    isolate,
    control: () => control.port,
    firstOrg: async () => ORG,
    besides: async () => () => undefined,
    now: Date.now,
    waitUntil,
  });
}

const never = () => new Promise<void>(() => undefined);
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "served",
    (cause: unknown) => (cause instanceof GatewayError ? cause.kind : String(cause)),
  );

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  control = new Control();
  control.rows.set("k1", keyRecord("k1", 1));
  control.rows.set("k2", keyRecord("k2", 1));
  isolate = newIsolate();
  kept = [];
});

afterEach(() => vi.useRealTimers());

test("cold is one call, warm is none, and the copy is brought up to date behind the traffic", async () => {
  expect((await request().open(ORG, "k1")).key?.revision).toBe(1);
  expect(control.calls).toEqual(["open"]);
  await request().open(ORG, "k1");
  await vi.advanceTimersByTimeAsync(1_900);
  await request().open(ORG, "k1");
  expect(control.calls).toEqual(["open"]);
  await vi.advanceTimersByTimeAsync(200);
  for (let i = 0; i < 20; i++) await request().open(ORG, "k1");
  await Promise.all(kept);
  expect(control.calls).toEqual(["open", "sync"]);
  // Kept young by its syncs, a copy never has to be waited for.
  for (let second = 0; second < 30; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    await request().open(ORG, "k1");
  }
  await Promise.all(kept);
  expect(control.calls.filter((call) => call === "open")).toHaveLength(1);
  expect(control.calls.filter((call) => call === "sync").length).toBeLessThanOrEqual(17);
});

test("a change is seen by every request that begins 5 s after it, and a delta drops only what it names", async () => {
  control.rows.set("k3", keyRecord("k3", 1));
  for (const keyId of ["k1", "k2", "k3"]) await request().open(ORG, keyId);
  control.change("key:k1", () => control.rows.set("k1", { ...keyRecord("k1", 2), blocked: true }));
  control.change("key:k2", () => control.rows.set("k2", keyRecord("k2", 2)));
  await vi.advanceTimersByTimeAsync(5_001);
  control.calls = [];
  expect((await request().open(ORG, "k1")).key?.blocked).toBe(true);
  expect(control.calls).toEqual(["sync", "open"]);
  control.calls = [];
  expect((await request().open(ORG, "k3")).key?.revision).toBe(1);
  expect(control.calls).toEqual([]);
  expect((await request().open(ORG, "k2")).key?.revision).toBe(2);
  control.change("shared", () => (control.shared = sharedOf("second")));
  await vi.advanceTimersByTimeAsync(5_001);
  expect((await request().openOrg(ORG)).org.alias).toBe("second");
});

test.each(["team:t", "user:u", "all"])("what stands above a key falls with %s", async (name) => {
  control.rows.set("k3", { ...keyRecord("k3", 1, "t"), userId: "u" });
  await request().open(ORG, "k3");
  await request().open(ORG, "k1");
  control.change(name, () => undefined);
  if (name === "all") {
    control.port.sync = async () => ({ revision: control.revision, touched: "all" as never });
  }
  await vi.advanceTimersByTimeAsync(2_100);
  await request().open(ORG, "k1");
  await Promise.all(kept);
  expect(isolate.orgs.get(ORG)?.keys.has("k3")).toBe(false);
  expect(isolate.orgs.get(ORG)?.keys.has("k1")).toBe(name !== "all");
});

test("a stale copy is refused, never served, when the control plane is away or hangs", async () => {
  await request().open(ORG, "k1");
  control.fault = () => Promise.reject(new Error("away"));
  await vi.advanceTimersByTimeAsync(4_900);
  expect((await request().open(ORG, "k1")).key?.id).toBe("k1");
  await vi.advanceTimersByTimeAsync(200);
  for (const fault of [control.fault, never]) {
    control.fault = fault;
    control.calls = [];
    const refused = refusal(request().open(ORG, "k1"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await refused).toBe("control_plane_unavailable");
    // Once, and once more after a moment.
    expect(control.calls.filter((call) => call === "open")).toHaveLength(2);
  }
  control.fault = () => undefined;
  expect(await refusal(request().open(ORG, "k1"))).toBe("served");
});

test("a copy's age counts from when its sync was sent, not from when it was answered", async () => {
  control.fault = () => new Promise((resolve) => setTimeout(resolve, 1_500));
  const opened = request().open(ORG, "k1");
  await vi.advanceTimersByTimeAsync(1_500);
  await opened;
  expect(isolate.orgs.get(ORG)?.syncedAt).toBe(1_000_000);
  await vi.advanceTimersByTimeAsync(4_000);
  const refreshed = request().open(ORG, "k1");
  await vi.advanceTimersByTimeAsync(1_500);
  await refreshed;
  expect(isolate.orgs.get(ORG)?.syncedAt).toBe(1_005_500);
});

test("an answer that was overtaken by a delta is not kept", async () => {
  await request().open(ORG, "k1");
  await vi.advanceTimersByTimeAsync(2_100);
  let answer: () => void = () => undefined;
  control.fault = (call) =>
    call === "open" ? new Promise<void>((resolve) => (answer = resolve)) : undefined;
  const slow = request().open(ORG, "k2");
  await vi.advanceTimersByTimeAsync(0);
  control.change("key:k2", () => control.rows.set("k2", keyRecord("k2", 2)));
  await request().open(ORG, "k1");
  await vi.advanceTimersByTimeAsync(0);
  expect(isolate.orgs.get(ORG)?.revision).toBe(2);
  control.fault = () => undefined;
  answer();
  expect((await slow).key?.revision).toBe(2);
});

test("followers of a leader that was cut act for themselves within 250 ms", async () => {
  let leaders = 0;
  control.fault = () => (leaders++ === 0 ? never() : undefined);
  // A cut request: nothing of its context runs any more, and its waitUntil holds nothing.
  void request(() => undefined)
    .open(ORG, "k1")
    .catch(() => undefined);
  await vi.advanceTimersByTimeAsync(10);
  const followers = [1, 2, 3].map(() => request().open(ORG, "k1"));
  await vi.advanceTimersByTimeAsync(250);
  for (const follower of followers) expect((await follower).key?.id).toBe("k1");
});

test("a burst of cold requests shares one call", async () => {
  control.fault = () => new Promise((resolve) => setTimeout(resolve, 100));
  const burst = Array.from({ length: 64 }, () => request().open(ORG, "k1"));
  await vi.advanceTimersByTimeAsync(116);
  await Promise.all(burst);
  expect(control.calls).toEqual(["open"]);
});

test("a leader's failure is not inherited", async () => {
  let calls = 0;
  control.fault = async () => {
    if (calls++ < 2) throw new Error("away for a moment");
  };
  const leader = refusal(request().open(ORG, "k1"));
  const follower = refusal(request().open(ORG, "k1"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await follower).toBe("served");
  await leader;
});

test("a missing key is known not to be there until it is made; a missing organization has no keys", async () => {
  expect((await request().open(ORG, "k9")).key).toBeNull();
  control.calls = [];
  expect((await request().open(ORG, "k9")).key).toBeNull();
  expect(control.calls).toEqual([]);
  control.change("key:k9", () => control.rows.set("k9", keyRecord("k9", 1)));
  await vi.advanceTimersByTimeAsync(5_001);
  expect((await request().open(ORG, "k9")).key?.id).toBe("k9");

  isolate = newIsolate();
  control.shared = undefined;
  const { shared, key } = await request().open(ORG, "k1");
  expect([shared.org.blocked, key]).toEqual([true, null]);
  expect(await refusal(request().openOrg(ORG))).toBe("not_found");
  expect(isolate.orgs.size).toBe(0);
});
