import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  brokenEvent,
  cutAfter,
  drops,
  endsAfter,
  endsWithoutDone,
  endsWithoutFinish,
  errorAfter,
  fails,
  gated,
  hangs,
  mix,
  notJson,
  text,
  tool,
  tools,
  withoutUsage,
  wrongType,
  type Behaviour,
} from "../support/upstream/index.ts";
import {
  bodyFor,
  DIALECTS,
  MODEL,
  startGround,
  type Dialect,
  type Ground,
} from "./support/ground.ts";
import { requestRow } from "./support/rows.ts";

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  const { organizationId } = ground.gw.tenant;
  for (const dialect of DIALECTS) {
    const target = { upstream: ground.up, provider: dialect, organizationId };
    await ground.gw.newModel(IMPATIENT[dialect], target);
  }
  const impatient = DIALECTS.map((dialect) => [IMPATIENT[dialect], { inter_token_timeout: 0.4 }]);
  await ground.gw.configure(organizationId, {
    model_group_settings: Object.fromEntries(impatient) as Record<string, object>,
  });
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

/** Groups that wait long for a first event and not for those after it. */
const IMPATIENT: Record<Dialect, string> = { openai: "gpt-hangs", anthropic: "claude-hangs" };

const FIVE = "one two three four five";
const MANY = Array.from({ length: 400 }, (_, n) => `w${n}`).join(" ");
const said = (behaviour: Behaviour): Behaviour => mix(text(FIVE), behaviour);

interface Route {
  client: Dialect;
  provider: Dialect;
}
const ROUTES: Route[] = DIALECTS.flatMap((client) =>
  DIALECTS.map((provider) => ({ client, provider })),
);

/** Waits behind the first content until the caller has it: whatever follows can't be read together with it. */
const seenFirst = (behaviour: Behaviour): Behaviour => mix(behaviour, hangs({ content: 1 }));
const goOn = () => ground.up.calls.all.forEach((call) => call.releaseAll());

interface Outcome {
  status: number;
  callId: string;
  headers: Headers;
  body: string;
  /** The connection broke before the body's end. */
  broken: boolean;
}

async function ask(
  { client, provider }: Route,
  stream: boolean,
  more: object = {},
  onPiece = () => {},
): Promise<Outcome> {
  const answer = await ground.post(client, bodyFor(client, { stream, ...more }, MODEL[provider]));
  let body = "";
  let broken = false;
  try {
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
      body += piece;
      onPiece();
    }
  } catch {
    broken = true;
  }
  const callId = answer.headers.get("x-routero-call-id") ?? "";
  return { status: answer.status, callId, headers: answer.headers, body, broken };
}

/** The error event that ends a failed stream in a dialect, and what must not stand beside it. */
const LAST_EVENT: Record<Dialect, RegExp> = {
  openai: /\n\ndata: \{"error":\{"message":"[^"]+","type":"upstream_error"[^\n]*\}\n\n$/,
  anthropic:
    /\n\nevent: error\ndata: \{"type":"error","error":\{"type":"\w+","message":"[^"]+"[^\n]*\}\n\n$/,
};
const CLEAN_END = /\[DONE\]|message_stop|"finish_reason":"|"stop_reason":"/;

function errorOf(client: Dialect, body: string): Record<string, unknown> {
  const parsed = JSON.parse(body) as { type?: string; error: Record<string, unknown> };
  if (client === "anthropic") expect(parsed.type).toBe("error");
  return parsed.error;
}

/** How a fault shows: `status` before content; `during` = the head is out, the stream ends with an error event. */
interface Fault {
  name: string;
  behaviour: Behaviour;
  whole: number;
  /** A status, or `during`; absent = not for streams. */
  stream?: number | "during";
  code?: string;
}

const FAULTS: Fault[] = [
  {
    name: "400",
    behaviour: fails("bad_request"),
    whole: 400,
    stream: 400,
    code: "upstream_rejected",
  },
  { name: "401", behaviour: fails("invalid_key"), whole: 502, stream: 502, code: "upstream_auth" },
  { name: "429", behaviour: fails("rate_limit", { retryAfter: 7 }), whole: 503, stream: 503 },
  { name: "500", behaviour: fails("server_error"), whole: 503, stream: 503 },
  { name: "529 or 503", behaviour: fails("overloaded"), whole: 503, stream: 503 },
  { name: "an HTML page under 502", behaviour: fails("html"), whole: 503, stream: 503 },
  {
    name: "a redirect",
    behaviour: { body: { text: "", status: 302 }, headers: { location: "http://127.0.0.1:1/" } },
    whole: 502,
    stream: 502,
    code: "upstream_bad_response",
  },
  {
    name: "no JSON under 200",
    behaviour: notJson(),
    whole: 502,
    stream: 502,
    code: "upstream_bad_response",
  },
  {
    name: "a web page under 200",
    behaviour: wrongType(),
    whole: 502,
    stream: 502,
    code: "upstream_bad_response",
  },
  {
    name: "JSON of another kind under 200",
    behaviour: { body: { text: '{"ok":true}' } },
    whole: 502,
    stream: 502,
    code: "upstream_bad_response",
  },
  {
    name: "an error under 200",
    behaviour: { body: { text: '{"type":"error","error":{"type":"x","message":"no"}}' } },
    whole: 502,
    stream: 502,
    code: "upstream_bad_response",
  },
  {
    name: "an empty body",
    behaviour: { body: { text: "", type: "text/event-stream" } },
    whole: 502,
    stream: 503,
  },
  {
    name: "a dropped connection",
    behaviour: drops(),
    whole: 503,
    stream: 503,
    code: "no_healthy_deployment",
  },
  {
    name: "a body cut in its first bytes",
    behaviour: said(cutAfter({ bytes: 20 })),
    whole: 503,
    stream: 503,
  },
  {
    name: "a body cut between contents",
    behaviour: said(cutAfter({ content: 2 })),
    whole: 503,
    stream: "during",
  },
  {
    name: "a clean end between contents",
    behaviour: said(endsAfter({ content: 2 })),
    whole: 503,
    stream: "during",
  },
  {
    name: "a clean end without a finish",
    behaviour: said(endsWithoutFinish()),
    whole: 200,
    stream: "during",
  },
  {
    name: "an error event before any content",
    behaviour: said(errorAfter({ content: 0 })),
    whole: 200,
    stream: 503,
  },
  {
    name: "an error event between contents",
    behaviour: said(errorAfter({ content: 2 })),
    whole: 200,
    stream: "during",
  },
  {
    name: "a broken event between contents",
    behaviour: said(brokenEvent({ content: 2 })),
    whole: 200,
    stream: "during",
  },
  {
    name: "tool arguments that are cut",
    behaviour: mix(tools([tool("weather", { city: "Tromsø, Norway" })]), cutAfter({ content: 3 })),
    whole: 503,
    stream: "during",
  },
];

describe.each(ROUTES)("$client client, $provider provider", (route) => {
  const { client, provider } = route;

  test.each(FAULTS.filter(({ whole }) => whole !== 200))(
    "buffered: $name is a $whole, settled once",
    async ({ behaviour, whole, code }) => {
      ground.up.model(MODEL[provider], behaviour);
      const { status, body, callId } = await ask(route, false);
      expect(status).toBe(whole);
      const error = errorOf(client, body);
      expect(error["message"]).toMatch(/\w+ \w+/);
      if (code !== undefined && client === "openai") expect(error["code"]).toBe(code);
      const row = await requestRow(ground.gw, callId);
      expect(row).toMatchObject({ outcome: "failure", status: whole, costNano: 0 });
      expect(row.attempts).toHaveLength(1);
      expect(row.attempts[0]?.error).toMatch(/\w/);
      expect(ground.up.calls.all).toHaveLength(1);
    },
  );

  test.each(FAULTS.filter(({ stream }) => typeof stream === "number"))(
    "streamed: $name is a $stream before anything was sent, settled once",
    async ({ behaviour, stream, code }) => {
      ground.up.model(MODEL[provider], behaviour);
      const { status, body, callId, headers } = await ask(route, true);
      expect(status).toBe(stream);
      expect(headers.get("content-type")).toContain("application/json");
      const error = errorOf(client, body);
      if (code !== undefined && client === "openai") expect(error["code"]).toBe(code);
      const row = await requestRow(ground.gw, callId);
      expect(row).toMatchObject({ outcome: "failure", status: stream, costNano: 0, stream: true });
      expect(row.attempts).toHaveLength(1);
    },
  );

  test.each(FAULTS.filter(({ stream }) => stream === "during"))(
    "streamed: $name ends with an error event, never silently; what was produced is charged",
    async ({ behaviour }) => {
      ground.up.model(MODEL[provider], seenFirst(behaviour));
      const { status, body, broken, callId } = await ask(route, true, {}, goOn);
      expect({ status, broken }).toEqual({ status: 200, broken: false });
      expect(body).toMatch(LAST_EVENT[client]);
      expect(body).not.toMatch(CLEAN_END);
      expect(body.match(/"error":\{/g)).toHaveLength(1);
      const row = await requestRow(ground.gw, callId);
      expect(row).toMatchObject({ outcome: "failure", stream: true, estimated: true });
      expect(row.status).toBeGreaterThanOrEqual(500);
      expect(row.output).toBeGreaterThan(0);
      expect(row.costNano).toBeGreaterThan(0);
      expect(row.attempts).toHaveLength(1);
    },
  );

  test("what came before a fault in the stream was delivered, and both clients throw", async () => {
    ground.up.model(MODEL[provider], seenFirst(said(errorAfter({ content: 3 }))));
    const content: string[] = [];
    const reading =
      client === "openai"
        ? async () => {
            const body = bodyFor("openai", { stream: true }, MODEL[provider]);
            const stream = await ground
              .openai()
              .chat.completions.create(body as OpenAI.ChatCompletionCreateParamsStreaming);
            for await (const chunk of stream) {
              content.push(chunk.choices[0]?.delta.content ?? "");
              goOn();
            }
          }
        : async () => {
            const body = bodyFor("anthropic", { stream: true }, MODEL[provider]);
            const stream = await ground
              .anthropic()
              .messages.create(body as Anthropic.MessageCreateParamsStreaming);
            for await (const event of stream) {
              if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
                content.push(event.delta.text);
                goOn();
              }
            }
          };
    const error = await reading().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(client === "openai" ? OpenAI.APIError : Anthropic.APIError);
    expect(content.join("")).toBe("one two three");
  });

  test("a long answer that is cut is charged by its length, whatever count the stream began with", async () => {
    ground.up.model(MODEL[provider], mix(text(MANY), endsAfter({ content: 300 })));
    const { body, callId } = await ask(route, true);
    expect(body).toMatch(LAST_EVENT[client]);
    const { input, output, estimated } = await requestRow(ground.gw, callId);
    expect(estimated).toBe(true);
    expect(input).toBeGreaterThan(0);
    expect(output).toBeGreaterThan(250);
    expect(output).toBeLessThan(1000);
  });

  test("a finished answer without its terminal event", async () => {
    ground.up.model(MODEL[provider], said(endsWithoutDone()));
    const { body, callId } = await ask(route, true);
    const row = await requestRow(ground.gw, callId);
    // The finish is known and nothing is missing but the protocol's last words: the gateway says them.
    expect(body).not.toContain('"error"');
    expect(body).toMatch(
      client === "openai" ? /\ndata: \[DONE\]\n\n$/ : /\nevent: message_stop\n[^\n]+\n\n$/,
    );
    expect(row.outcome).toBe("success");
  });

  test.each([false, true])("an answer without usage is estimated, stream %s", async (stream) => {
    ground.up.model(MODEL[provider], said(withoutUsage()));
    const { callId, status } = await ask(route, stream);
    expect(status).toBe(200);
    const row = await requestRow(ground.gw, callId);
    expect(row).toMatchObject({ outcome: "success", estimated: true });
    expect(row.input).toBeGreaterThan(0);
    expect(row.output).toBeGreaterThan(0);
  });

  test.each([false, true])(
    "a provider that hangs is left at the caller's timeout, stream %s",
    async (stream) => {
      ground.up.model(MODEL[provider], hangs());
      const { status, body, callId } = await ask(route, stream, { timeout: 0.3 });
      await ground.up.calls.all[0]?.aborted;
      expect(status).toBe(504);
      const error = errorOf(client, body);
      if (client === "openai") expect(error).toMatchObject({ code: "upstream_timeout" });
      else expect(error).toMatchObject({ type: "timeout_error" });
      const row = await requestRow(ground.gw, callId);
      expect(row).toMatchObject({ outcome: "failure", status: 504, costNano: 0 });
    },
  );

  test("a stream that hangs between contents ends with an error event", async () => {
    ground.up.model(IMPATIENT[provider], said(hangs({ content: 2 })));
    const { status, body, callId } = await ask(route, true, { model: IMPATIENT[provider] });
    await ground.up.calls.all[0]?.aborted;
    expect(status).toBe(200);
    expect(body).toMatch(LAST_EVENT[client]);
    expect(await requestRow(ground.gw, callId)).toMatchObject({ outcome: "failure", status: 504 });
  });

  test("a caller that leaves ends the provider's work and pays for what was produced", async () => {
    ground.up.model(MODEL[provider], mix(text(MANY), gated()));
    const leave = new AbortController();
    const body = bodyFor(client, { stream: true }, MODEL[provider]);
    const asked = ground.post(client, body, { signal: leave.signal });
    const call = await ground.up.nextCall();
    call.release(2);
    const answer = await asked;
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let seen = "";
    while (!seen.includes("w1")) seen += (await reader.read()).value ?? "";
    leave.abort();
    // A disconnect shows at the next write (PLATFORM 2).
    const pushing = setInterval(() => call.release(), 5);
    await call.aborted.finally(() => clearInterval(pushing));
    const row = await requestRow(ground.gw, answer.headers.get("x-routero-call-id") ?? "");
    expect(row).toMatchObject({ outcome: "cancelled", status: 499, estimated: true });
    expect(row.attempts).toHaveLength(1);
    expect(row.output).toBeGreaterThan(0);
    expect(row.output).toBeLessThan(200);
    expect(row.costNano).toBeGreaterThan(0);
  });
});
