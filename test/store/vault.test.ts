import { expect, test } from "vitest";
import type { CredentialRecord } from "../../worker/core/records.ts";
import { makeVault } from "../../worker/store/vault.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";

const kek = (version: number) => `${version}:${Buffer.alloc(32, version + 7).toString("base64")}`;
const SECRET = "sk-provider-canary-Zq81";
const keks = parseVersionedSecrets("KEK", kek(1));
const vaultOf = (text: string) => makeVault(parseVersionedSecrets("KEK", text), new Map());

async function sealedCredential(): Promise<CredentialRecord> {
  const sealed = await makeVault(keks, new Map()).seal("gorg", "openai", "c1", 1, SECRET);
  return { id: "c1", provider: "openai", host: "h", version: 1, sealed, lastFour: "Zq81" };
}

test("what was sealed opens, also under a rotated key, and no two sealings look alike", async () => {
  const credential = await sealedCredential();
  expect(credential.sealed).not.toContain(SECRET);
  expect((await sealedCredential()).sealed).not.toBe(credential.sealed);
  expect(await vaultOf(kek(1)).open("gorg", credential)).toBe(SECRET);
  const rotated = vaultOf(`${kek(1)},${kek(2)}`);
  expect(await rotated.open("gorg", credential)).toBe(SECRET);
  expect(await rotated.seal("gorg", "openai", "c1", 1, "x")).toMatch(/^2\./);
});

test("a sealed text opens in no other place", async () => {
  const credential = await sealedCredential();
  const opened = new Map<string, string>();
  const vault = makeVault(keks, opened);
  await vault.open("gorg", credential);
  const elsewhere: [string, Partial<CredentialRecord>][] = [
    ["gother", {}],
    ["gorg", { provider: "anthropic" }],
    ["gorg", { id: "c2" }],
    ["gorg", { version: 2 }],
    ["gorg|openai", { provider: "c1", id: "1" }],
  ];
  for (const [orgId, change] of elsewhere) {
    await expect(vault.open(orgId, { ...credential, ...change })).rejects.toThrow(
      "A stored provider credential can't be opened.",
    );
  }
  await expect(vaultOf(kek(2)).open("gorg", credential)).rejects.toThrow("can't be opened");
  const moved = { ...credential, sealed: credential.sealed.replace(/^1/, "2") };
  await expect(vaultOf(`${kek(1)},${kek(2)}`).open("gorg", moved)).rejects.toThrow(
    "can't be opened",
  );
});

test("every changed character of a sealed text is noticed, and the error names nothing", async () => {
  const credential = await sealedCredential();
  const { sealed } = credential;
  for (let at = 0; at < sealed.length; at++) {
    const other = sealed[at] === "A" ? "B" : "A";
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
    const error = await vaultOf(kek(1))
      .open("gorg", { ...credential, sealed: changed })
      .then(() => null, String);
    expect(error).toBe("Error: A stored provider credential can't be opened.");
  }
});

test("a rewrapped credential opens with the new key alone, and only where it belongs", async () => {
  const credential = await sealedCredential();
  const both = vaultOf(`${kek(1)},${kek(2)}`);
  const sealed = await both.rewrap("gorg", credential);
  const moved = { ...credential, sealed };
  expect(sealed).toMatch(/^2\./);
  expect(sealed.split(".").slice(3)).toEqual(credential.sealed.split(".").slice(3));
  expect(await vaultOf(kek(2)).open("gorg", moved)).toBe(SECRET);
  await expect(vaultOf(kek(1)).open("gorg", moved)).rejects.toThrow("can't be opened");
  await expect(both.rewrap("gother", credential)).rejects.toThrow("can't be opened");
  await expect(vaultOf(kek(2)).rewrap("gorg", credential)).rejects.toThrow("can't be opened");
});
