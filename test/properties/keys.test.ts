import fc from "fast-check";
import { expect, test } from "vitest";
import { newOrgId } from "../../worker/core/ids.ts";
import {
  keyDigest,
  keyHandle,
  mintKey,
  parseKey,
  remintKey,
} from "../../worker/store/key-token.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";

const pepper = (version: number) => `${version}:${Buffer.alloc(32, version).toString("base64")}`;
const peppers = parseVersionedSecrets("KEY_PEPPER", pepper(1));
const rotated = parseVersionedSecrets("KEY_PEPPER", `${pepper(1)},${pepper(2)}`);

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.~ é";
const minted = fc
  .constantFrom("global" as const, "eu" as const, "fedramp" as const)
  .map((region) => mintKey(peppers, newOrgId(region)));

test("a minted key parses to its own places, also after the pepper was rotated", () => {
  fc.assert(
    fc.property(minted, (key) => {
      expect(key.token).toMatch(/^sk-rt-[gef][0-9A-Za-z]{12}(-[0-9A-Za-z]+){3}$/);
      const place = { orgId: key.orgId, keyId: key.keyId };
      expect(parseKey(peppers, key.token)).toEqual(place);
      expect(parseKey(rotated, key.token)).toEqual(place);
      const young = remintKey(rotated, place);
      expect(young.handle).toBe(key.handle);
      expect(young.token).not.toBe(key.token);
      expect(parseKey(rotated, young.token)).toEqual(place);
      expect(parseKey(peppers, young.token)).toBeNull();
    }),
  );
});

test("no key survives the change, loss or gain of one character", () => {
  const edit = fc.record({
    key: minted,
    at: fc.nat(87),
    with: fc.constantFrom(...ALPHABET.split("")),
    how: fc.constantFrom("replace", "remove", "insert", "swap"),
  });
  fc.assert(
    fc.property(edit, ({ key, at, with: character, how }) => {
      const { token } = key;
      const next = token[at + 1] ?? "";
      const changed = {
        replace: token.slice(0, at) + character + token.slice(at + 1),
        remove: token.slice(0, at) + token.slice(at + 1),
        insert: token.slice(0, at) + character + token.slice(at),
        swap: token.slice(0, at) + next + (token[at] ?? "") + token.slice(at + 2),
      }[how];
      fc.pre(changed !== token);
      expect(parseKey(rotated, changed ?? "")).toBeNull();
    }),
    { numRuns: 1_000 },
  );
});

test("a key of one organization can't be carried over to another", () => {
  fc.assert(
    fc.property(minted, minted, (one, other) => {
      expect(parseKey(peppers, one.token.replace(one.orgId, other.orgId))).toBeNull();
      expect(parseKey(peppers, one.token.replace(one.keyId, other.keyId))).toBeNull();
    }),
  );
});

test("hostile text never throws and never parses", () => {
  const shaped = fc
    .tuple(fc.base64String({ maxLength: 60 }), fc.string({ maxLength: 40 }))
    .map(([a, b]) => `sk-rt-g${a}-${b}-${a}-${b}`);
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    shaped,
    fc.constantFrom("", "sk-", "sk-rt-----", "\0".repeat(88), "é".repeat(88), "s".repeat(1e6)),
  );
  fc.assert(fc.property(hostile, (text) => parseKey(rotated, text) === null));
});

test("handle and digest tell nothing of each other, and the handle nothing of the secret", () => {
  const key = mintKey(peppers, newOrgId("global"));
  expect(keyHandle(key)).toBe(key.handle);
  expect(key.handle).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(key.name).toBe(`sk-…${key.token.slice(-4)}`);
  const digests = [...rotated.byVersion.values()].map((secret) => keyDigest(secret, key.token));
  expect(new Set(digests).size).toBe(2);
  // bcrypt reads 72 bytes.
  for (const digest of digests) expect(digest).toHaveLength(43);
});

test.each(["", "1", "1:", "0:AAAA", "1:AAAA", `${pepper(1)},${pepper(1)}`, "x:y"])(
  "the setting %j is refused by name without being shown",
  (text) => {
    expect(() => parseVersionedSecrets("KEY_PEPPER", text)).toThrow(/^KEY_PEPPER/);
  },
);
