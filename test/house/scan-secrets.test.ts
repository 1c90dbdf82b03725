import { join } from "node:path";
import { expect, test } from "vitest";
import { scanText, scanTree } from "../../scripts/scan-secrets.ts";

// Planted secrets are put together here, so that this file holds none.
const letters = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC";
const plant = (...parts: string[]): string => parts.join("");
const planted: [kind: string, text: string][] = [
  ["private key", plant("-----BEGIN ", "PRIVATE KEY-----")],
  ["private key", plant("-----BEGIN RSA ", "PRIVATE KEY-----")],
  ["virtual key", plant("sk-", "rt-g4Zk1x9QmT7ab-k7Qm2x-", letters, letters, "-Zz9")],
  ["OpenAI key", plant("sk-", "proj-", letters, letters)],
  ["Anthropic key", plant("sk-", "ant-api03-", letters, letters)],
  ["AWS key", plant("AK", "IAQ3EGT7YWZ2NBPLMK")],
  ["GitHub token", plant("gh", "p_", letters, "abcdef")],
  ["random value", plant("MASTER_", "KEY = '", letters, "'")],
];

test.each(planted)("a planted %s is found at its line", (kind, secret) => {
  expect(scanText(`one\ntwo ${secret}\nthree`)).toEqual([{ line: 2, kind }]);
});

test.each([
  'const apiKey = "sk-upstream-canary";',
  'token: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"',
  "credential: ReadonlyMap<string, string>",
  "secret = environment.SOME_LONG_VARIABLE_NAME_OF_A_SECRET",
])("what only talks about a secret passes: %s", (text) => {
  expect(scanText(text)).toEqual([]);
});

test("the repository itself holds none", () => {
  expect(scanTree(join(import.meta.dirname, "../.."))).toEqual([]);
});
