import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type Anthropic from "@anthropic-ai/sdk";
import { APIError as AnthropicError } from "@anthropic-ai/sdk";
import type OpenAI from "openai";
import { APIError as OpenAIError } from "openai";
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
// alone is well, read by the official clients, which repeat nothing. The table in docs/faults.md is what came out; UPDATE_DOCS=1 writes it anew.

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

/** What a client's user holds in the end: the content, whether it came to its finish, and what the client threw. */
interface Read {
  content: string;
  finish: string | null;
  thrown: unknown;
}

const HEADERS = { defaultHeaders: { "x-litellm-num-retries": "2" } };

async function outcome(client: Dialect, stream: boolean, model: string): Promise<string> {
  const read = await READERS[client](stream, model);
  const { content, finish, thrown } = read;
  if (content.split("one two three").length > 2) return "doubled";
  if (thrown === null) {
    const whole = content === SAYS && finish === FINISH[client];
    return whole ? "full answer" : `other: ${content.slice(0, 40)}, ${String(finish)}`;
  }
  if (thrown instanceof OpenAIError || thrown instanceof AnthropicError) {
    if (thrown.status !== undefined) return `${thrown.status} ${nameOf(thrown)}`;
    // Only the error event of the dialect is read into an error that has a type and no status.
    if (typeof thrown.type === "string")
      return content === "" ? "error event" : "part, then error event";
  }
  return `threw ${String(thrown)}`;
}

function nameOf(error: OpenAIError | AnthropicError): string {
  const code = "code" in error ? error.code : undefined;
  return String(code ?? error.type);
}

const FINISH: Record<Dialect, string> = { openai: "stop", anthropic: "end_turn" };

const READERS: Record<Dialect, (stream: boolean, model: string) => Promise<Read>> = {
  openai: (stream, model) =>
    reading(async (read) => {
      const completions = ground.openai(HEADERS).chat.completions;
      const body = bodyFor("openai", {}, model) as OpenAI.ChatCompletionCreateParamsNonStreaming;
      if (!stream) {
        const [choice] = (await completions.create(body)).choices;
        read.content = choice?.message.content ?? "";
        read.finish = choice?.finish_reason ?? null;
        return;
      }
      for await (const { choices } of await completions.create({ ...body, stream: true })) {
        const [choice] = choices;
        read.content += choice?.delta.content ?? "";
        for (const call of choice?.delta.tool_calls ?? []) read.content += JSON.stringify(call);
        read.finish = choice?.finish_reason ?? read.finish;
      }
    }),
  anthropic: (stream, model) =>
    reading(async (read) => {
      const { messages } = ground.anthropic(HEADERS);
      const body = bodyFor("anthropic", {}, model) as Anthropic.MessageCreateParamsNonStreaming;
      if (!stream) {
        const answer = await messages.create(body);
        for (const block of answer.content) read.content += block.type === "text" ? block.text : "";
        read.finish = answer.stop_reason;
        return;
      }
      for await (const event of await messages.create({ ...body, stream: true })) {
        if (event.type === "content_block_delta") {
          const { delta } = event;
          if (delta.type === "text_delta") read.content += delta.text;
          if (delta.type === "input_json_delta") read.content += delta.partial_json;
        }
        if (event.type === "message_delta") read.finish = event.delta.stop_reason;
      }
    }),
};

async function reading(work: (read: Read) => Promise<void>): Promise<Read> {
  const read: Read = { content: "", finish: null, thrown: null };
  await work(read).catch((cause: unknown) => (read.thrown = cause));
  return read;
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

Written by \`test/gateway/fault-matrix.test.ts\` (\`UPDATE_DOCS=1\`) from what the official clients of OpenAI and Anthropic
read, which repeat nothing themselves;
CI fails where it differs. Of one deployment that one has the fault, of two the first, of three the first two; two retries.
Where the clients' answers differ in form alone, both are named.

| fault | answer | 1 deployment | 2 deployments | 3 deployments |
| --- | --- | --- | --- | --- |
`;
