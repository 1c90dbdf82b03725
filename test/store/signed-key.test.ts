import fc from "fast-check";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import type { Credentialed } from "../../worker/core/call.ts";
import { GatewayError } from "../../worker/core/errors.ts";
import type { Directory, KeyVerifier } from "../../worker/core/ports.ts";
import type { KeyRecord } from "../../worker/core/records.ts";
import { proveCredential } from "../../worker/identity/credential.ts";
import { derivedSecret } from "../../worker/store/derived-secrets.ts";
import { makeSignedKeys, type KeyGrant } from "../../worker/store/signed-key.ts";
import { RoleAuthorizer } from "../../worker/policy/authz/roles.ts";
import { allows } from "../../worker/providers/resolve.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";

const NOW = Date.UTC(2026, 10, 21);
const ORG = "gAbCdEf012345";
const base64 = (byte: number) => Buffer.alloc(32, byte).toString("base64");
const old = parseVersionedSecrets("KEY_PEPPER", `1:${base64(1)}`);
const both = parseVersionedSecrets("KEY_PEPPER", `1:${base64(1)},2:${base64(2)}`);
const other = parseVersionedSecrets("KEY_PEPPER", `1:${base64(9)}`);

const GRANT: Omit<KeyGrant, "expiresAt"> = {
  orgId: ORG,
  keyId: "k1",
  revision: 3,
  models: [],
  scopes: [],
};

let clock = NOW;
const at = (ms: number) => (clock = ms);
const keysOf = (peppers = old) => makeSignedKeys(peppers, () => clock);

async function minted(over: Partial<KeyGrant> = {}, seconds = 60) {
  at(NOW);
  return (await keysOf().mint({ ...GRANT, ...over }, seconds)).token;
}

/** A token with any header and claims, signed with the right secret of the right purpose. */
function forged(header: object, claims: object, secret = derivedSecret(old, 1, "short-lived key")) {
  const seconds = NOW / 1000;
  const usual = { org: ORG, key: "k1", rev: 3, aud: "routero:data-plane", jti: "x" };
  return new SignJWT({ ...usual, iat: seconds, exp: seconds + 60, ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "routero-key+jwt", kid: "1", ...header })
    .sign(secret);
}

/** Proves a token against a mother key and what stands above it. */
function prove(
  token: string,
  over: { key?: Partial<KeyRecord> | null; active?: boolean; orgBlocked?: boolean } = {},
  more: Partial<Credentialed> & { endpoint?: "chat" } = {},
) {
  const key: KeyRecord | null =
    over.key === null
      ? null
      : {
          id: "k1",
          handle: "sha256:h",
          name: "sk-…",
          keyType: "default",
          userId: "u1",
          models: [],
          aliases: {},
          allowedIps: [],
          blocked: false,
          revision: 3,
          metadata: {},
          ...over.key,
        };
  const org = { id: ORG, alias: "a", models: [], blocked: over.orgBlocked ?? false, metadata: {} };
  const shared = { org, deployments: [], credentials: [], blockedCustomers: [] };
  const user = { id: "u1", role: "admin" as const, active: over.active ?? true };
  const directory: Directory = {
    policiesOf: () => [],
    open: async () => ({ revision: 9, shared, key, team: null, user }),
    openOrg: async () => shared,
    firstOrg: async () => ORG,
  };
  const keys: KeyVerifier = {
    known: () => null,
    parse: () => null,
    verify: () => Promise.reject(new Error("A short-lived key needs no bcrypt.")),
    isMaster: () => false,
  };
  const asked = {
    requestId: "r",
    receivedAt: NOW,
    credential: token,
    address: "10.0.0.1",
    ...more,
  };
  return proveCredential({ keys, signedKeys: keysOf(), directory, now: () => clock }, asked);
}

const kindOf = (work: Promise<unknown>) =>
  work.then(
    () => "allowed",
    (cause: unknown) => (cause instanceof GatewayError ? cause.kind : String(cause)),
  );

describe("short-lived keys", () => {
  it("carry the grant to any isolate that has the pepper, also while it is rotated", async () => {
    const token = await minted({ models: ["gpt-*"], scopes: ["chat"] });
    const grant = { ...GRANT, models: ["gpt-*"], scopes: ["chat"], expiresAt: NOW + 60_000 };
    expect(await keysOf().read(token)).toEqual(grant);
    expect(await keysOf(both).read(token)).toEqual(grant);
    const newer = (await keysOf(both).mint(GRANT, 60)).token;
    expect(await keysOf(old).read(newer)).toBeNull();
    expect(await keysOf(other).read(token)).toBeNull();
  });

  it("end on the second and may live an hour at most", async () => {
    const token = await minted();
    at(NOW + 59_999);
    expect(await keysOf().read(token)).toMatchObject({ keyId: "k1" });
    at(NOW + 60_000);
    expect(await keysOf().read(token)).toBe("expired");
    expect(await kindOf(prove(token))).toBe("expired_key");
    at(NOW);
    await expect(keysOf().mint(GRANT, 3601)).rejects.toThrow(RangeError);
    await expect(keysOf().mint(GRANT, 0)).rejects.toThrow(RangeError);
  });

  it("are refused when anything about them is another's", async () => {
    at(NOW);
    const seconds = NOW / 1000;
    expect(await keysOf().read(await forged({}, {}))).toMatchObject({ keyId: "k1" });
    const bad = await Promise.all([
      forged({ typ: "JWT" }, {}),
      forged({ typ: "routero-internal+jwt" }, {}),
      forged({ kid: "2" }, {}),
      forged({ kid: undefined }, {}),
      forged({ alg: "HS512" }, {}, new Uint8Array(64)),
      forged({}, { aud: "routero:admin" }),
      forged({}, { aud: ["routero:data-plane", "x"] }),
      forged({}, { exp: seconds + 3601 }),
      forged({}, { exp: undefined }),
      forged({}, { iat: seconds + 61, exp: seconds + 120 }),
      forged({}, { rev: "3" }),
      forged({}, { org: "../other" }),
      forged({}, { scopes: ["admin"] }),
      forged({}, { role: "admin" }),
      forged({}, {}, derivedSecret(old, 1, "internal call")),
      forged({}, {}, old.byVersion.get(1)),
    ]);
    for (const token of bad) expect(await keysOf().read(token)).toBeNull();
    const good = await minted();
    const [head, body] = good.split(".");
    const none = Buffer.from(`{"alg":"none","typ":"routero-key+jwt","kid":"1"}`).toString(
      "base64url",
    );
    for (const token of [
      `${none}.${body}.`,
      `${head}.${body}.${"A".repeat(43)}`,
      `${good}A`,
      "",
      "a.b.c",
    ]) {
      expect(await keysOf().read(token)).toBeNull();
      expect(await kindOf(prove(token))).toBe("invalid_api_key");
    }
  });

  it("fall with their mother key: changed, blocked, gone, expired, fenced, or its user or organization out", async () => {
    const token = await minted();
    expect(await kindOf(prove(token))).toBe("allowed");
    // A copy that has not heard of the mother's latest change serves as it would serve the mother.
    expect(await kindOf(prove(token, { key: { revision: 2 } }))).toBe("allowed");
    for (const fall of [
      { key: null },
      { key: { revision: 4 } },
      { key: { blocked: true } },
      { key: { keyType: "management" as const } },
      { active: false },
      { orgBlocked: true },
    ]) {
      expect([fall, await kindOf(prove(token, fall))]).toEqual([fall, "invalid_api_key"]);
    }
    expect(await kindOf(prove(token, { key: { expiresAt: NOW } }))).toBe("expired_key");
    expect(await kindOf(prove(token, { key: { allowedIps: ["192.0.2.0/24"] } }))).toBe(
      "ip_not_allowed",
    );
  });

  it("serve only the endpoints they were made for, and never an admin operation", async () => {
    const chat = await minted({ scopes: ["chat"] });
    const models = await minted({ scopes: ["models"] });
    expect(await kindOf(prove(chat, {}, { endpoint: "chat" }))).toBe("allowed");
    expect(await kindOf(prove(chat))).toBe("forbidden");
    expect(await kindOf(prove(models))).toBe("allowed");
    expect(await kindOf(prove(models, {}, { endpoint: "chat" }))).toBe("forbidden");
    expect(await kindOf(prove(chat, { key: { blocked: true } }))).toBe("invalid_api_key");
    const { principal } = await prove(await minted());
    expect(principal).toMatchObject({ role: "admin", keyType: "llm_api" });
    const check = (resource: "key" | "inference", action: "read" | "call") =>
      new RoleAuthorizer().check(principal, resource, action, { orgId: ORG }).allowed;
    expect([check("inference", "call"), check("key", "read")]).toEqual([true, false]);
  });

  it("never open a model that the mother key does not", async () => {
    const name = fc.stringMatching(/^[ab]{1,3}$/);
    const entry = fc.oneof(
      name,
      fc.constant("*"),
      name.map((each) => `${each}*`),
    );
    const list = fc.array(entry, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(list, list, name, async (mothers, asked, model) => {
        const { key } = await prove(await minted({ models: asked }), { key: { models: mothers } });
        const opened = allows(key?.models ?? [], model);
        expect(opened).toBe(allows(mothers, model) && allows(asked, model));
      }),
    );
  });
});
