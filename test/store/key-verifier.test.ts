import { beforeEach, expect, test } from "vitest";
import type { Isolate } from "../../worker/core/isolate.ts";
import { mintKey, remintKey } from "../../worker/store/key-token.ts";
import { issueKey, makeKeyVerifier } from "../../worker/store/key-verifier.ts";
import type { KeyCheckAnswer } from "../../worker/store/key-verifier.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";

const ORG = "g000000000000";
const MASTER = "sk-master-key-of-the-test";
const peppers = parseVersionedSecrets("KEY_PEPPER", `1:${Buffer.alloc(32, 1).toString("base64")}`);

let time: number;
let answer: KeyCheckAnswer;
let asked: { digests: Record<number, string>; address: string | null }[];
let isolate: Pick<Isolate, "keyTags" | "tagSecret" | "orgs">;

const verifier = (masterKeys = [MASTER]) =>
  makeKeyVerifier({
    peppers,
    masterKeys,
    isolate,
    keyCheck: () => ({
      verify: async (digests, address) => {
        asked.push({ digests, address });
        return answer;
      },
      hash: async (digest) => `hashed ${digest}`,
    }),
    now: () => time,
  });

beforeEach(() => {
  time = 1_000;
  answer = { valid: true, revision: 3 };
  asked = [];
  isolate = { keyTags: new Map(), tagSecret: new Uint8Array(32).fill(9), orgs: new Map() };
});

test("the first proof asks the object, later ones ask nobody for a day, and the token goes nowhere", async () => {
  const key = mintKey(peppers, ORG);
  expect(verifier().known(key.token)).toBeNull();
  expect(await verifier().verify(key.token, key, "192.0.2.1")).toEqual({
    valid: true,
    revision: 3,
  });
  for (let i = 0; i < 3; i++) expect(await verifier().verify(key.token, key, null)).toEqual(answer);
  const { orgId, keyId } = key;
  expect(verifier().known(key.token)).toEqual({ orgId, keyId, ...answer });
  expect(asked).toHaveLength(1);
  const sent = JSON.stringify([asked, [...isolate.keyTags]]);
  expect(sent).not.toContain(key.token.split("-")[4]);
  time += 24 * 60 * 60 * 1000 + 1;
  await verifier().verify(key.token, key, null);
  expect(asked).toHaveLength(2);
});

test("a tag counts neither for another token of the key nor once a newer revision is known", async () => {
  const key = mintKey(peppers, ORG);
  const other = remintKey(peppers, key);
  await verifier().verify(key.token, key, null);
  answer = { valid: false, revision: 3 };
  expect((await verifier().verify(other.token, key, null)).valid).toBe(false);
  expect(asked).toHaveLength(2);
  // Another secret behind the same parts, down to the check that tells the tokens of a key apart.
  const forged = [...key.token.split("-").slice(0, 4), other.token.split("-")[4]];
  expect(verifier().known([...forged, key.token.split("-")[5]].join("-"))).toBeNull();
  expect((await verifier().verify(key.token, key, null)).valid).toBe(true);
  expect(asked).toHaveLength(2);

  const record = { key: { revision: 4 }, team: null, user: null } as never;
  isolate.orgs.set(ORG, {
    revision: 1,
    syncedAt: 0,
    shared: null,
    keys: new Map([[key.keyId, record]]),
  });
  answer = { valid: false, revision: 4 };
  expect(verifier().known(key.token)).toBeNull();
  expect(await verifier().verify(key.token, key, null)).toEqual(answer);
  expect(isolate.keyTags.size).toBe(0);
});

test("the token before a regeneration counts beside the new one, and no longer than its grace", async () => {
  const key = mintKey(peppers, ORG);
  const next = remintKey(peppers, key);
  answer = { valid: true, revision: 4 };
  await verifier().verify(next.token, key, null);
  answer = { valid: true, revision: 4, until: 5_000 };
  await verifier().verify(key.token, key, null);
  for (const { token } of [key, next, key]) await verifier().verify(token, key, null);
  expect(asked).toHaveLength(2);
  time = 5_000;
  answer = { valid: false, revision: 4 };
  expect((await verifier().verify(next.token, key, null)).valid).toBe(true);
  expect((await verifier().verify(key.token, key, null)).valid).toBe(false);
  expect(asked).toHaveLength(3);
});

test("too many failures are refused with the time to wait", async () => {
  const key = mintKey(peppers, ORG);
  answer = { valid: false, revision: 0, retryAfter: 30 };
  await expect(verifier().verify(key.token, key, null)).rejects.toMatchObject({
    kind: "rate_limit_exceeded",
    detail: { retryAfter: 30 },
  });
});

test("the master key is itself and nothing near it", () => {
  expect(verifier().isMaster(MASTER)).toBe(true);
  for (const near of ["", MASTER.slice(0, -1), `${MASTER}x`, MASTER.toUpperCase()]) {
    expect(verifier().isMaster(near)).toBe(false);
  }
  const rotated = verifier(["sk-the-next-master-key-0", MASTER]);
  expect(["sk-the-next-master-key-0", MASTER, ""].map(rotated.isMaster)).toEqual([
    true,
    true,
    false,
  ]);
});

test("memory of proofs is bounded", async () => {
  for (let i = 0; i < 10_050; i++) {
    await verifier().verify("12345678901", { orgId: ORG, keyId: String(i) }, null);
  }
  expect(isolate.keyTags.size).toBe(10_000);
  expect(isolate.keyTags.has(`${ORG}/50/12345678901`)).toBe(true);
  expect(isolate.keyTags.has(`${ORG}/49/12345678901`)).toBe(false);
});

test("an issued key proves itself by what its row keeps", async () => {
  const keyCheck = () => ({ verify: async () => answer, hash: async (d: string) => `hashed ${d}` });
  const issued = await issueKey({ peppers, keyCheck }, ORG);
  expect(verifier().parse(issued.token)).toEqual({ orgId: ORG, keyId: issued.keyId });
  expect(issued.pepperVersion).toBe(1);
  await verifier().verify(issued.token, issued, null);
  expect(issued.hash).toBe(`hashed ${asked[0]?.digests[1]}`);
});
