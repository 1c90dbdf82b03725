import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import type { TestProjectInlineConfiguration } from "vitest/config";

// Two projects. `node` is plain Node: pure code, and stories that talk HTTP to a running gateway.
// `workers` runs inside workerd: what only exists there (objects, bindings, request contexts).
const node: TestProjectInlineConfiguration = {
  resolve: {
    alias: [
      {
        find: /^fast-check$/,
        replacement: resolve(import.meta.dirname, "test/support/fast-check.ts"),
      },
    ],
  },
  test: {
    name: "node",
    environment: "node",
    include: ["test/**/*.test.ts"],
    exclude: ["test/workers/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What happens behind an answer is waited for; one second, the default, is no promise of ours.
    expect: { poll: { timeout: 5_000 } },
  },
};

const workers: TestProjectInlineConfiguration = {
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          TEST_MIGRATIONS: existsSync("d1-migrations")
            ? await readD1Migrations("d1-migrations")
            : [],
          BCRYPT_COST: "4",
          MASTER_KEY: "sk-test-master-key-000000",
          KEY_PEPPER: `1:${Buffer.alloc(32, 1).toString("base64")}`,
          KEK: `1:${Buffer.alloc(32, 2).toString("base64")}`,
          AUDIT_SIGNING_KEY: `1:${Buffer.alloc(32, 3).toString("base64")}`,
        },
      },
    })),
  ],
  test: {
    name: "workers",
    include: ["test/workers/**/*.test.ts"],
    testTimeout: 30_000,
  },
};

const inWorkerd = existsSync("test/workers")
  ? readdirSync("test/workers", { recursive: true, encoding: "utf8" })
  : [];

export default defineConfig({
  test: {
    maxWorkers: 2,
    passWithNoTests: true,
    // Starting workerd costs a second: only when there is a test for it.
    projects: inWorkerd.some((file) => file.endsWith(".test.ts")) ? [node, workers] : [node],
  },
});
