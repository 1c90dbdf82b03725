import { join } from "node:path";
import { expect, test } from "vitest";
import { checkSource, checkTree } from "../../scripts/check-imports.ts";

const says = (file: string, text: string) => checkSource(file, text).map((each) => each.says);

test("the house itself holds its rules", async () => {
  expect(await checkTree(join(import.meta.dirname, "../.."))).toEqual([]);
});

test("an import into the wrong room is found at its line, however it is written", () => {
  const text = [
    'import { a } from "../core/a.ts";',
    'import type { b } from "../store/b.ts";',
    'export { c } from "../stages/c.ts";',
    'const d = await import("../admin/d.ts");',
    'import { z } from "hono";',
  ].join("\n");
  expect(checkSource("worker/protocols/x.ts", text)).toEqual([
    {
      file: "worker/protocols/x.ts",
      line: 2,
      says: "protocols may not import store (../store/b.ts)",
    },
    {
      file: "worker/protocols/x.ts",
      line: 3,
      says: "protocols may not import stages (../stages/c.ts)",
    },
    {
      file: "worker/protocols/x.ts",
      line: 4,
      says: "protocols may not import admin (../admin/d.ts)",
    },
  ]);
});

test.each([
  ["worker/core/x.ts", 'import "../protocols/sse.ts";'],
  ["worker/dashboard/pages/x.tsx", 'import { row } from "../../store/orgs.ts";'],
  ["worker/gateway.ts", 'import { openDb } from "./store/database.ts";'],
  ["worker/stages/x.ts", 'import { OrgControl } from "../../durable-objects/org-control.ts";'],
  ["durable-objects/x.ts", 'import { choose } from "../worker/stages/choose.ts";'],
  ["worker/store/x.ts", 'import { root } from "../../scripts/bundle.ts";'],
])("%s may not say %s", (file, text) => {
  expect(says(file, text)).toHaveLength(1);
});

test("a folder without a row of its own is no way around the table", () => {
  expect(says("worker/anywhere/x.ts", "export {};")).toEqual([
    "anywhere has no row in scripts/check-imports.ts",
  ]);
});

test("bindings are seen where the world is composed and nowhere else", () => {
  const text = "// env.DB is a binding\nfunction f(env: Env) {\n  return env.DB;\n}";
  expect(checkSource("worker/store/x.ts", text).map((each) => each.line)).toEqual([2, 3]);
  expect(says("worker/deps.ts", text)).toEqual([]);
  expect(says("durable-objects/x.ts", text)).toEqual([]);
});

test("zod comes as a namespace", () => {
  expect(says("worker/core/x.ts", 'import { z } from "zod";')).toHaveLength(1);
  expect(says("worker/core/x.ts", 'import z from "zod";')).toHaveLength(1);
  expect(says("worker/core/x.ts", 'import * as z from "zod";')).toEqual([]);
  expect(says("worker/core/x.ts", 'import type * as z from "zod";')).toEqual([]);
});

test("a rule is switched off with a reason", () => {
  const off = ["oxlint", "disable-next-line no-console"].join("-");
  expect(says("worker/core/x.ts", `// ${off}`)).toHaveLength(1);
  expect(says("worker/core/x.ts", `// ${off} -- this is the log`)).toEqual([]);
});
