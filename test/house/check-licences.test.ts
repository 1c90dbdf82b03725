import { join } from "node:path";
import { expect, test } from "vitest";
import { checkLicences, isPermissive } from "../../scripts/check-licences.ts";

test("what the Worker ships is permissive, all the way down", () => {
  const { looked, refused } = checkLicences(join(import.meta.dirname, "../.."));
  expect(refused).toEqual([]);
  expect(looked).toBeGreaterThanOrEqual(8);
});

test.each([
  ["MIT", true],
  ["(MIT OR GPL-3.0-only)", true],
  ["MIT AND GPL-3.0-only", false],
  ["AGPL-3.0-or-later", false],
  ["none given", false],
])("%s: %s", (expression, passes) => {
  expect(isPermissive(expression)).toBe(passes);
});
