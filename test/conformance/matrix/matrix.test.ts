import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GoogleGenAI } from "@google/genai";
import { AzureOpenAI } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGround, type Ground } from "../../gateway/support/ground.ts";
import { anthropicClient } from "./anthropic-client.ts";
import type { Client } from "./asked.ts";
import { FEATURES } from "./features.ts";
import { googleClient } from "./google-client.ts";
import { openaiClient } from "./openai-client.ts";
import { PROVIDERS } from "./providers.ts";
import { responsesClient } from "./responses-client.ts";

const CLIENTS = ["openai-chat", "openai-responses", "anthropic", "gemini", "azure"] as const;
const DOCUMENT = join(import.meta.dirname, "../../../docs/providers.md");

/** Why a cell may fall short: nothing but that a protocol can't express it. */
const REASONS: Readonly<Record<string, string>> = {};

/** Cells that a reason excuses, as `client > provider > feature`. */
const EXCUSED: Readonly<Record<string, keyof typeof REASONS>> = {};

const groupOf = (client: string, provider: string) => `${client} at ${provider}`;

let ground: Ground;
const clients = new Map<string, Client>();
const held = new Map<string, Set<string>>();

beforeAll(async () => {
  ground = await startGround();
  const { gw, up, key } = ground;
  for (const { name, params, info } of PROVIDERS) {
    for (const client of CLIENTS) {
      for (const group of [groupOf(client, name), `${groupOf(client, name)} errors`]) {
        await gw.admin("POST", "/model/new", {
          model_name: group,
          organization_id: gw.tenant.organizationId,
          litellm_params: params(up),
          ...(info && { model_info: info }),
        });
      }
    }
  }
  const google = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: gw.url } });
  const azure = new AzureOpenAI({
    endpoint: gw.url,
    apiKey: key,
    apiVersion: "2024-10-21",
    maxRetries: 0,
  });
  for (const client of [
    openaiClient("openai-chat", ground.openai()),
    openaiClient("azure", azure),
    responsesClient(ground.openai()),
    anthropicClient(ground.anthropic()),
    googleClient(google),
  ]) {
    clients.set(client.name, client);
  }
});
afterAll(() => ground.stop());

describe.each(CLIENTS)("the client of %s", (client) => {
  describe.each(PROVIDERS.map((provider) => [provider.name, provider] as const))(
    "at %s",
    (name, provider) => {
      test.each(FEATURES.map((feature) => [feature.name, feature] as const))(
        "%s",
        async (feature, { check }) => {
          const cell = `${client} > ${name} > ${feature}`;
          ground.up.reset();
          const group = groupOf(client, name);
          const world = { up: ground.up, client: clients.get(client)!, provider, group };
          if (Object.hasOwn(EXCUSED, cell)) {
            await expect(
              check(world),
              "an excused cell works: take its excuse away",
            ).rejects.toThrow();
            return;
          }
          await check(world);
          const row = held.get(`${client} ${name}`) ?? new Set();
          held.set(`${client} ${name}`, row.add(feature));
        },
      );
    },
  );
});

test("not more than one cell in ten is excused, and the document tells the table as it is", () => {
  const cells = CLIENTS.length * PROVIDERS.length * FEATURES.length;
  expect(Object.keys(EXCUSED).length).toBeLessThanOrEqual(cells / 10);
  const table = tableText();
  const [before = "", rest = ""] = readFileSync(DOCUMENT, "utf8").split("<!-- matrix -->\n");
  const [, after = ""] = rest.split("<!-- end of matrix -->");
  const told = `${before}<!-- matrix -->\n${table}\n<!-- end of matrix -->${after}`;
  if (process.env["WRITE_MATRIX"]) writeFileSync(DOCUMENT, told);
  expect(readFileSync(DOCUMENT, "utf8"), "run it with WRITE_MATRIX=1 to write it").toBe(told);
});

/** One line a client, one column a provider: everything, or what is missing and why. */
function tableText(): string {
  const columns = PROVIDERS.map(({ name }) => name);
  const lines = CLIENTS.map((client) => {
    const cells = columns.map((name) => {
      const has = held.get(`${client} ${name}`) ?? new Set<string>();
      const missing = FEATURES.map((feature) => feature.name).filter((each) => !has.has(each));
      return missing.length === 0 ? "all" : `all but ${missing.join(", ")}`;
    });
    return `| **${client}** | ${cells.join(" | ")} |`;
  });
  const head = `| client | ${columns.join(" | ")} |\n| --- |${" --- |".repeat(columns.length)}`;
  return `${head}\n${lines.join("\n")}`;
}
