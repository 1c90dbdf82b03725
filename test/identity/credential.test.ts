import { describe, expect, it } from "vitest";
import type { Credentialed } from "../../worker/core/call.ts";
import { GatewayError, publicError, retryHeaders } from "../../worker/core/errors.ts";
import type { Directory, KeyProof, KeyVerifier } from "../../worker/core/ports.ts";
import type { KeyRecord, OrgRecord, TeamRecord, UserRecord } from "../../worker/core/records.ts";
import { proveCredential } from "../../worker/identity/credential.ts";
import { makeSignedKeys } from "../../worker/store/signed-key.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";
import { readCredential } from "../../worker/core/credential.ts";

const NOW = Date.UTC(2026, 10, 21);
const PEPPERS = parseVersionedSecrets("KEY_PEPPER", `1:${Buffer.alloc(32, 7).toString("base64")}`);
const GOOD = "sk-rt-gA-k1-secret";

interface World {
  org: Partial<OrgRecord>;
  key: Partial<KeyRecord> | null;
  team: Partial<TeamRecord> | null;
  user: Partial<UserRecord> | null;
  proofs: KeyProof[];
  /** The revision at which this isolate has proven the key. */
  known: number;
  firstOrg: string | null;
}

function world(over: Partial<World> = {}) {
  const { org, key, team, user, proofs, known, firstOrg } = {
    org: {},
    key: {},
    team: {},
    user: {},
    proofs: [],
    known: 0,
    firstOrg: "gA",
    ...over,
  };
  const calls: string[] = [];
  const shared = {
    org: { id: "gA", alias: "a", models: [], blocked: false, metadata: {}, ...org },
    deployments: [],
    credentials: [],
    blockedCustomers: [],
  };
  const directory: Directory = {
    policiesOf: () => [],
    open: async () => {
      calls.push("open");
      return {
        revision: 1,
        shared,
        key: key && {
          id: "k1",
          handle: "sha256:h",
          name: "sk-…cret",
          keyType: "default",
          teamId: "t1",
          userId: "u1",
          models: [],
          aliases: {},
          allowedIps: [],
          blocked: false,
          revision: 3,
          metadata: {},
          ...key,
        },
        team: team && {
          id: "t1",
          alias: "t",
          models: [],
          blocked: false,
          aliases: {},
          metadata: {},
          ...team,
        },
        user: user && { id: "u1", role: "developer", active: true, ...user },
      };
    },
    openOrg: async () => shared,
    firstOrg: async () => firstOrg,
  };
  const keys: KeyVerifier = {
    known: (token) =>
      known === 0 || token !== GOOD
        ? null
        : { orgId: "gA", keyId: "k1", valid: true, revision: known },
    parse: (token) => (token.startsWith("sk-rt-") ? { orgId: "gA", keyId: "k1" } : null),
    verify: async (token) => {
      calls.push("verify");
      return proofs.shift() ?? { valid: token === GOOD, revision: 3 };
    },
    isMaster: (token) => token === "sk-master",
  };
  const signedKeys = makeSignedKeys(PEPPERS, () => NOW);
  const ask = (credential: string | null, address: string | null = "10.0.0.1") => {
    const asked: Credentialed = { requestId: "r", receivedAt: NOW, credential, address };
    return proveCredential({ keys, signedKeys, directory, now: () => NOW }, asked);
  };
  return { ask, calls };
}

async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => null,
    (cause: unknown) => cause,
  );
  if (!(error instanceof GatewayError)) throw new Error("was not refused", { cause: error });
  return { ...publicError(error), headers: retryHeaders(error) };
}

describe("proveCredential", () => {
  it("answers unknown, wrong, revoked, blocked and deprovisioned alike", async () => {
    const first = await refusal(world().ask("rubbish"));
    expect(first).toMatchObject({ status: 401, type: "auth_error", code: "invalid_api_key" });
    expect(first.headers["x-should-retry"]).toBe("false");
    const alike = [
      world().ask("sk-rt-gA-k1-other"),
      world({ key: null }).ask(GOOD),
      world({ key: { blocked: true } }).ask(GOOD),
      world({ team: { blocked: true } }).ask(GOOD),
      world({ team: null }).ask(GOOD),
      world({ org: { blocked: true } }).ask(GOOD),
      world({ user: { active: false } }).ask(GOOD),
      world({ user: null }).ask(GOOD),
      // A stranger learns nothing of expiry or address rules.
      world({ key: { expiresAt: NOW - 1, allowedIps: ["1.1.1.1"] } }).ask("sk-rt-gA-k1-other"),
    ];
    for (const work of alike) expect(await refusal(work)).toEqual(first);
    expect(await refusal(world().ask(null))).toMatchObject({
      status: 401,
      code: "invalid_api_key",
    });
  });

  it("tells the holder of the key about expiry and addresses", async () => {
    expect(await refusal(world({ key: { expiresAt: NOW } }).ask(GOOD))).toMatchObject({
      status: 401,
      type: "expired_key",
    });
    const fenced = world({ key: { allowedIps: ["10.0.0.0/24"] } });
    expect(await refusal(fenced.ask(GOOD, "10.0.1.1"))).toMatchObject({
      status: 403,
      code: "ip_not_allowed",
    });
    expect(await refusal(fenced.ask(GOOD, null))).toMatchObject({
      status: 403,
      code: "ip_not_allowed",
    });
    expect((await fenced.ask(GOOD, "10.0.0.7")).principal.keyId).toBe("k1");
  });

  it("proves again when the key is newer than the proof, and trusts no second stale proof", async () => {
    const stale: KeyProof = { valid: true, revision: 2 };
    const warm = world({ known: 3 });
    await warm.ask(GOOD);
    expect(warm.calls).toEqual(["open"]);
    const outdated = world({ known: 2, proofs: [{ valid: false, revision: 3 }] });
    expect(await refusal(outdated.ask(GOOD))).toMatchObject({ code: "invalid_api_key" });
    expect(outdated.calls).toEqual(["open", "verify"]);
    const healed = world({ proofs: [stale] });
    await healed.ask(GOOD);
    expect(healed.calls).toEqual(["open", "verify", "verify"]);
    expect(await refusal(world({ proofs: [stale, stale] }).ask(GOOD))).toMatchObject({
      status: 503,
      code: "control_plane_unavailable",
    });
    expect(
      await refusal(world({ proofs: [stale, { valid: false, revision: 3 }] }).ask(GOOD)),
    ).toMatchObject({
      status: 401,
      code: "invalid_api_key",
    });
  });

  it("carries the role of the key's user, and member for a key without one", async () => {
    const known = await world().ask(GOOD);
    expect(known.principal).toMatchObject({
      kind: "key",
      role: "developer",
      userId: "u1",
      teamId: "t1",
    });
    const machine = await world({ key: { userId: undefined }, user: null }).ask(GOOD);
    expect(machine.principal.role).toBe("member");
    const master = await world().ask("sk-master");
    expect(master.principal).toEqual({
      kind: "master",
      orgId: "gA",
      keyType: "default",
      role: "platform_admin",
    });
    expect(await refusal(world({ firstOrg: null }).ask("sk-master"))).toMatchObject({
      status: 404,
    });
  });
});

describe("readCredential", () => {
  it("reads each client's header and never a broken one", () => {
    const read = (init: Record<string, string>) => readCredential(new Headers(init));
    expect(read({ authorization: "Bearer sk-1" })).toBe("sk-1");
    expect(read({ authorization: "bearer  sk-1 " })).toBe("sk-1");
    expect(read({ "x-api-key": "sk-2", "api-key": "sk-3" })).toBe("sk-2");
    expect(read({ "x-goog-api-key": "sk-4" })).toBe("sk-4");
    expect(read({ authorization: "Basic abc" })).toBeNull();
    expect(read({ authorization: "Bearer " })).toBeNull();
    expect(read({ authorization: "Bearer a b" })).toBeNull();
    expect(read({})).toBeNull();
  });
});
