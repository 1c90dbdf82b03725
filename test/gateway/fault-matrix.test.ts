import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  brokenEvent,
  cutAfter,
  drops,
  endsAfter,
  errorAfter,
  fails,
  mix,
  notJson,
  slow,
  text,
  tool,
  tools,
  wrongType,
  type Behaviour,
} from "../support/upstream/index.ts";
import { bodyFor, DIALECTS, startGround, type Dialect, type Ground } from "./support/ground.ts";

// Every fault of a provider × buffered and streamed × both clients × one, two and three deployments of which the last
// alone is well. The table in docs/faults.md is what came out; UPDATE_DOCS=1 writes it anew.

const FILE = join(import.meta.dirname, "../../docs/faults.md");
const SAYS = "one two three four five";
const said = (behaviour: Behaviour): Behaviour => mix(text(SAYS), behaviour, slow(2));

const FAULTS: Record<string, Behaviour> = {
  "400, the caller's fault": fails("bad_request"),
  "401, credential refused": fails("invalid_key"),
  "403": fails("forbidden"),
  "404, no such model": fails("model_not_found"),
  "prompt too long": fails("context_window"),
  "content filter": fails("content_filter"),
  "429, asks for 20 ms": fails("rate_limit", { retryAfterMs: 20 }),
  "quota spent": fails("quota"),
  "500": fails("server_error"),
  "503": fails("unavailable"),
  "529": fails("overloaded"),
  "a web page under 502": fails("html"),
  "no JSON under 200": notJson(),
  "a web page under 200": wrongType(),
  "connection dropped": drops(),
  "cut in the first bytes": said(cutAfter({ bytes: 20 })),
  "error event before content": said(errorAfter({ content: 0 })),
  "error event between contents": said(errorAfter({ content: 2 })),
  "broken event between contents": said(brokenEvent({ content: 2 })),
  "cut between contents": said(cutAfter({ content: 2 })),
  "clean end between contents": said(endsAfter({ content: 2 })),
  "cut in tool arguments": mix(
    tools([tool("weather", { city: "Tromsø, Norway" })]),
    cutAfter({ content: 3 }),
    slow(2),
  ),
};

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  const target = { upstream: ground.up, organizationId: ground.gw.tenant.organizationId };
  for (const [n, group] of ["one", "two", "three"].entries()) {
    for (let order = 0; order <= n; order++) {
      const model = order < n || n === 0 ? "ill" : "well";
      const api_key = `sk-of-${group}-${order}`;
      await ground.gw.newModel(
        group,
        { ...target, model: `${model}-${order}` },
        { order, api_key },
      );
    }
  }
  await ground.gw.configure(ground.gw.tenant.organizationId, {
    disable_cooldowns: true,
    num_retries: 2,
    retry_after: 0.001,
  });
});
afterAll(() => ground.stop());

async function outcome(client: Dialect, stream: boolean, model: string): Promise<string> {
  const headers = { "x-litellm-num-retries": "2" };
  const answer = await ground.post(client, bodyFor(client, { stream }, model), { headers });
  const body = await answer.text();
  if (answer.status !== 200) {
    const { error } = JSON.parse(body) as { error: { code?: string; type?: string } };
    return `${answer.status} ${error.code ?? error.type ?? ""}`;
  }
  const told = contentOf(client, stream, body);
  const times = told.split("one two three").length - 1;
  if (/"error":/.test(body)) return told === "" ? "error event" : "part, then error event";
  if (told === SAYS) return "full answer";
  return times > 1 ? "doubled" : `other: ${told.slice(0, 40)}`;
}

function contentOf(client: Dialect, stream: boolean, body: string): string {
  const pieces = stream
    ? body
        .split("\n")
        .filter((line) => line.startsWith("data: {"))
        .map((line) => JSON.parse(line.slice(6)) as Record<string, never>)
    : [JSON.parse(body) as Record<string, never>];
  return pieces.map((piece) => pieceOf(client, piece)).join("");
}

interface Piece {
  choices?: {
    delta?: { content?: string; tool_calls?: unknown };
    message?: { content?: string };
  }[];
  delta?: { text?: string; partial_json?: string };
  content?: { text?: string }[];
}

function pieceOf(client: Dialect, piece: Piece): string {
  if (client === "anthropic") {
    return piece.delta?.text ?? piece.delta?.partial_json ?? piece.content?.[0]?.text ?? "";
  }
  const [choice] = piece.choices ?? [];
  if (choice?.delta?.tool_calls !== undefined) return JSON.stringify(choice.delta.tool_calls);
  return choice?.delta?.content ?? choice?.message?.content ?? "";
}

test("every fault of a provider ends in the full answer once, or in an explicit error when nothing is left", async () => {
  for (const order of [0, 1, 2])
    ground.up.model(`well-${order}`, mix(text(SAYS), { continuation: "exact" }));
  const rows: string[] = [];
  const told = new Map<string, string>();
  for (const [name, behaviour] of Object.entries(FAULTS)) {
    for (const order of [0, 1]) ground.up.model(`ill-${order}`, behaviour);
    for (const stream of [false, true]) {
      const cells = await Promise.all(
        ["one", "two", "three"].map(async (group) => {
          const both = await Promise.all(DIALECTS.map((client) => outcome(client, stream, group)));
          const [first, second] = both;
          for (const cell of both) told.set(`${name} ${stream} ${group} ${cell}`, cell);
          return first === second ? String(first) : `OpenAI: ${first}; Anthropic: ${second}`;
        }),
      );
      rows.push(`| ${name} | ${stream ? "streamed" : "buffered"} | ${cells.join(" | ")} |`);
    }
  }
  for (const [where, cell] of told) {
    expect(cell, where).toMatch(/^(full answer|(part, then )?error event|[45]\d\d \w+)$/);
  }
  const page = `${HEAD}${rows.join("\n")}\n`;
  if (process.env["UPDATE_DOCS"] === "1") await writeFile(FILE, page);
  expect(await readFile(FILE, "utf8")).toBe(page);
}, 120_000);

const HEAD = `# What callers see of providers' faults

Written by \`test/gateway/fault-matrix.test.ts\` (\`UPDATE_DOCS=1\`) from what OpenAI's and Anthropic's clients were answered;
CI fails where it differs. Of one deployment that one has the fault, of two the first, of three the first two; two retries.
Where the clients' answers differ in form alone, both are named.

| fault | answer | 1 deployment | 2 deployments | 3 deployments |
| --- | --- | --- | --- | --- |
`;
