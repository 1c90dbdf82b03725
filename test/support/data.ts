import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

/** The files of one data folder, read when asked for. */
export interface DataFolder {
  path: string;
  /** Paths below the folder, sorted. */
  files: string[];
  text(file: string): string;
}

/**
 * Describes tests of the data folder `folder` below `ROUTERO_TEST_DATA`. Without that variable they are skipped and
 * say so; with it a missing folder is a failure.
 */
export function describeWithData(
  name: string,
  folder: string,
  fn: (data: DataFolder) => void,
): void {
  const root = process.env["ROUTERO_TEST_DATA"];
  if (!root) {
    describe.skip(`${name} (skipped: ROUTERO_TEST_DATA is not set)`, () => {
      test("needs the test data", () => undefined);
    });
    return;
  }
  describe(name, () => {
    const path = join(root, folder);
    if (!existsSync(path)) {
      test(`finds ${path}`, () => expect.fail(`ROUTERO_TEST_DATA has no folder ${folder}`));
      return;
    }
    const files = readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
      .toSorted();
    fn({ path, files, text: (file) => readFileSync(join(path, file), "utf8") });
  });
}
