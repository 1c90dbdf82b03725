import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GoogleGenAI } from "@google/genai";
import { AzureOpenAI } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ONCE, startGround, type Ground } from "../../gateway/support/ground.ts";
import { anthropicClient } from "./anthropic-client.ts";
import type { Client } from "./asked.ts";
import { FEATURES } from "./features.ts";
import { googleClient } from "./google-client.ts";
import { openaiClient } from "./openai-client.ts";
import { modelFor, PROVIDERS, type Provider } from "./providers.ts";
import { responsesClient } from "./responses-client.ts";

const CLIENTS = ["openai-chat", "openai-responses", "anthropic", "gemini", "azure"] as const;
const DOCUMENT = join(import.meta.dirname, "../../../docs/providers.md");

/** Cells that are set up at a time. */
const AT_ONCE = 6;

/** Why a cell may fall short: nothing but that a protocol can't express it. */
const REASONS: Readonly<Record<string, string>> = {};

/** Cells that a reason excuses, as `client > provider > feature`. */
const EXCUSED: Readonly<Record<string, keyof typeof REASONS>> = {};

/** Without the client's name in it, which could look like a provider's. */
const modelOf = (client: (typeof CLIENTS)[number], provider: Provider) =>
  modelFor(provider, String(CLIENTS.indexOf(client)));
const groupOf = (client: string, provider: string) => `${client} at ${provider}`;

let ground: Ground;
const clients = new Map<string, Client>();
const held = new Map<string, Set<string>>();

beforeAll(async () => {
  ground = await startGround();
  const { gw, up, key } = ground;
  const cells = CLIENTS.flatMap((client) => PROVIDERS.map((provider) => ({ client, provider })));
  const add = ({ client, provider }: (typeof cells)[number]) =>
    gw.admin("POST", "/model/new", {
      model_name: groupOf(client, provider.name),
      organization_id: gw.tenant.organizationId,
      litellm_params: provider.params(up, modelOf(client, provider)),
      ...(provider.info && { model_info: provider.info }),
    });
  while (cells.length > 0) await Promise.all(cells.splice(0, AT_ONCE).map(add));
  const google = new GoogleGenAI({
    apiKey: key,
    httpOptions: { baseUrl: gw.url, headers: ONCE },
  });
  const azure = new AzureOpenAI({
    endpoint: gw.url,
    apiKey: key,
    apiVersion: "2024-10-21",
    maxRetries: 0,
    defaultHeaders: ONCE,
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

// Cells know nothing of each other, so that they run side by side; what a cell asks comes in its order.
describe.concurrent.each(CLIENTS)("the client of %s", (client) => {
  test.each(PROVIDERS.map((provider) => [provider.name, provider] as const))(
    "at %s",
    async (name, provider) => {
      const model = modelOf(client, provider);
      const { up } = ground;
      const world = {
        up,
        client: clients.get(client)!,
        provider,
        group: groupOf(client, name),
        model,
      };
      const failed: unknown[] = [];
      for (const { name: feature, check } of FEATURES) {
        const cell = `${client} > ${name} > ${feature}`;
        up.reset(model);
        const fault = await check(world).then(
          () => null,
          (cause: unknown) => new Error(`${cell}: ${String(cause)}`, { cause }),
        );
        const excused = Object.hasOwn(EXCUSED, cell);
        if (fault === null && excused)
          failed.push(new Error(`${cell} works: take its excuse away`));
        if (fault !== null && !excused) failed.push(fault);
        if (fault !== null) continue;
        const row = held.get(`${client} ${name}`) ?? new Set();
        held.set(`${client} ${name}`, row.add(feature));
      }
      if (failed.length > 1) throw new AggregateError(failed, failed.map(String).join("\n"));
      if (failed.length === 1) throw failed[0];
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
