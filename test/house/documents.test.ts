import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const filesOf = (...patterns: string[]) =>
  globSync(patterns, { cwd: root, exclude: (name) => name === "node_modules" });

const DOCUMENTS = filesOf("*.md", "docs/**/*.md", "bench/*.md");
const SOURCES = filesOf("{worker,durable-objects,cli,scripts,bench,test}/**/*.ts");

/** The rules that comments cite by number, and the document that numbers them. */
const RULES = { PLATFORM: "docs/design/platform.md", PROTOCOLS: "docs/design/protocols.md" };

/** A link's target, or an anchor within the document; what leads elsewhere is not looked at. */
function brokenLinks(file: string): string[] {
  return [...read(file).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
    .map(([, target = ""]) => normalize(join(dirname(file), target)))
    .filter((target) => globSync(target, { cwd: root }).length === 0)
    .map((target) => `${file} -> ${target}`);
}

test("every link of the documents leads to a file", () => {
  expect(DOCUMENTS.flatMap(brokenLinks)).toEqual([]);
});

test("the index of the documents names each of them", () => {
  const index = read("docs/README.md");
  const missing = filesOf("docs/*.md", "docs/design/*.md")
    .map((file) => file.replace("docs/", ""))
    .filter((file) => file !== "README.md" && !index.includes(`](${file})`));
  expect(missing).toEqual([]);
});

test("every rule that a comment cites by number exists", () => {
  const known = new Set(
    Object.entries(RULES).flatMap(([name, file]) =>
      [...read(file).matchAll(/^(\d+)\. /gm)].map(([, number]) => `${name} ${number}`),
    ),
  );
  const unknown = [...SOURCES, ...DOCUMENTS].flatMap((file) =>
    [...read(file).matchAll(/\b(PLATFORM|PROTOCOLS) (\d+)((?:(?:, | to |–| and )\d+)*)/g)].flatMap(
      ([, name, first, more = ""]) =>
        [first, ...(more.match(/\d+/g) ?? [])]
          .map((number) => `${name} ${number}`)
          .filter((rule) => !known.has(rule))
          .map((rule) => `${file}: ${rule}`),
    ),
  );
  expect(unknown).toEqual([]);
});
