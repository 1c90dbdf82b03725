import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  cutAfter,
  endsAfter,
  errorAfter,
  hangs,
  mix,
  text,
  thinking,
  tool,
  tools,
  type Behaviour,
} from "../support/upstream/index.ts";
import {
  bodyFor,
  DIALECTS,
  PRICE,
  startGround,
  type Dialect,
  type Ground,
} from "./support/ground.ts";
import { requestRow } from "./support/rows.ts";

/** What the two deployments of a group are called at their providers. */
const FIRST = "dies-early";
const SECOND = "goes-on";
const WORDS = "One two,  three\n\nfour 大🙂 five and six.";
const COUNT = 8;

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  const { organizationId } = ground.gw.tenant;
  await ground.gw.newModel("lonely", { upstream: ground.up, model: FIRST, organizationId });
  for (const first of DIALECTS) {
    for (const second of DIALECTS) {
      const prices = { input_cost_per_token: PRICE.input, output_cost_per_token: PRICE.output };
      const at = { upstream: ground.up, organizationId };
      const group = groupOf(first, second);
      await ground.gw.newModel(
        group,
        { ...at, provider: first, model: FIRST },
        { ...prices, order: 1 },
      );
      await ground.gw.newModel(
        group,
        { ...at, provider: second, model: SECOND },
        { ...prices, order: 2 },
      );
    }
  }
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const groupOf = (first: Dialect, second: Dialect) => `story-${first}-${second}`;
const ROUTES = DIALECTS.flatMap((client) =>
  DIALECTS.flatMap((first) => DIALECTS.map((second) => ({ client, first, second }))),
);
type Route = (typeof ROUTES)[number];

interface Heard {
  text: string;
  finish: string | null;
  ids: Set<string>;
  completion: number;
  callId: string;
}

/** The story as an official client hears it; throws what the client throws, with what it heard before. */
async function listen({ client, first, second }: Route, more: object = {}): Promise<Heard> {
  const headers = { "x-litellm-num-retries": "3" };
  const body = bodyFor(client, more, groupOf(first, second));
  const heard: Heard = { text: "", finish: null, ids: new Set(), completion: 0, callId: "" };
  try {
    if (client === "openai") {
      const { data, response } = await ground
        .openai({ defaultHeaders: headers })
        .chat.completions.create({
          ...(body as OpenAI.ChatCompletionCreateParamsStreaming),
          stream: true,
          stream_options: { include_usage: true },
        })
        .withResponse();
      heard.callId = response.headers.get("x-routero-call-id") ?? "";
      for await (const chunk of data) {
        heard.ids.add(chunk.id);
        heard.text += chunk.choices[0]?.delta.content ?? "";
        heard.finish = chunk.choices[0]?.finish_reason ?? heard.finish;
        heard.completion = chunk.usage?.completion_tokens ?? heard.completion;
      }
    } else {
      const stream = ground
        .anthropic({ defaultHeaders: headers })
        .messages.stream(body as Anthropic.MessageStreamParams);
      stream.on("text", (piece) => (heard.text += piece));
      const { response } = await stream.withResponse();
      heard.callId = response.headers.get("x-routero-call-id") ?? "";
      const message = await stream.finalMessage();
      heard.ids.add(message.id);
      heard.finish = message.stop_reason;
      heard.completion = message.usage.output_tokens;
      // What the client put together is what it heard.
      const whole = message.content.map((block) => (block.type === "text" ? block.text : ""));
      expect(whole.join("")).toBe(heard.text);
    }
  } catch (cause) {
    throw Object.assign(cause as Error, { heard });
  }
  return heard;
}

const plain = (behaviour: Behaviour, second: Behaviour = {}) => {
  ground.up.model(FIRST, mix(text(WORDS), behaviour));
  ground.up.model(SECOND, mix(text(WORDS), { continuation: "exact" }, second));
};

describe.each(ROUTES)("$client client, $first provider dies, $second goes on", (route) => {
  // Which way it dies changes with the word, and with the route.
  const breaks = [cutAfter, endsAfter, errorAfter];
  const shift = ROUTES.indexOf(route);

  test("at every word: one message, whole", async () => {
    for (let content = 0; content <= COUNT; content++) {
      ground.up.reset();
      plain(breaks[(content + shift) % breaks.length]!({ content }));
      const heard = await listen(route);
      expect(heard.text, `after ${content}`).toBe(WORDS);
      expect(["stop", "end_turn"]).toContain(heard.finish);
      expect(heard.ids.size).toBe(1);
      expect(heard.completion).toBeGreaterThan(4);
    }
  });

  test("each attempt that said something is charged once, in one row", async () => {
    plain(cutAfter({ content: 4 }));
    const heard = await listen(route);
    const row = await requestRow(ground.gw, heard.callId);
    expect(row).toMatchObject({ outcome: "success", status: 200 });
    expect(row.attempts).toHaveLength(2);
    expect(row.attempts.every((each) => each.cost > 0)).toBe(true);
    expect(row.costNano).toBe(row.attempts[0]!.cost + row.attempts[1]!.cost);
    expect(row.output).toBe(heard.completion);
  });

  test("a cut tool call is an error, not prose and not a clean end", async () => {
    const weather = { type: "object", properties: { city: { type: "string" } } };
    const offered =
      route.client === "openai"
        ? [{ type: "function", function: { name: "weather", parameters: weather } }]
        : [{ name: "weather", input_schema: weather }];
    const call = tools([tool("weather", { city: "Oslo, the capital of Norway" })], "Let me look.");
    ground.up.model(FIRST, mix(call, cutAfter({ content: 6 })));
    ground.up.model(SECOND, text("never asked"));
    const error = await listen(route, { tools: offered }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(route.client === "openai" ? OpenAI.APIError : Anthropic.APIError);
    expect((error as Error).message).toMatch(/a tool call has begun/);
    expect((error as { heard: Heard }).heard.finish).toBeNull();
    expect(ground.up.calls.of(SECOND)).toHaveLength(0);
  });

  test("thinking that is cut begins elsewhere", async () => {
    ground.up.model(
      FIRST,
      mix(thinking("well let me see now", "unsaid"), cutAfter({ content: 3 })),
    );
    ground.up.model(SECOND, thinking("quite other thoughts", WORDS));
    const heard = await listen(route);
    expect(heard.text).toBe(WORDS);
    expect(JSON.stringify(ground.up.calls.of(SECOND)[0]?.body)).not.toContain("let me see");
  });
});

describe("who goes on, and who is told", () => {
  const route = { client: "openai", first: "openai", second: "anthropic" } as const;

  test("nobody: what came, then the failure that cut it, naming every attempt", async () => {
    plain(cutAfter({ content: 3 }), { failure: { kind: "unavailable" } });
    const error = await listen(route).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    const { message, heard } = error as Error & { heard: Heard };
    expect(message).toMatch(/broke off and is not whole.*no deployment could/s);
    expect(heard.text).toBe("One two,  three");
    const row = await requestRow(ground.gw, heard.callId);
    expect(row).toMatchObject({ outcome: "failure", status: 503 });
    expect(row.attempts[0]?.cost).toBeGreaterThan(0);
    expect(row.attempts.slice(1).every((each) => each.cost === 0)).toBe(true);
  });

  test("the same deployment again, where there is no other", async () => {
    ground.up.script(FIRST, [mix(text(WORDS), cutAfter({ content: 3 }))]);
    ground.up.model(FIRST, mix(text(WORDS), { continuation: "exact" }));
    const answer = await ground.post("openai", bodyFor("openai", { stream: true }, "lonely"), {
      headers: { "x-litellm-num-retries": "1" },
    });
    const body = await answer.text();
    expect(body).toMatch(/\[DONE\]\n\n$/);
    expect(ground.up.calls.of(FIRST)).toHaveLength(2);
  });

  test("nobody where retries are off", async () => {
    plain(cutAfter({ content: 3 }));
    const body = bodyFor("openai", { stream: true }, groupOf("openai", "openai"));
    const answer = await ground.post("openai", body, { headers: { "x-litellm-num-retries": "0" } });
    expect(await answer.text()).toMatch(/\n\ndata: \{"error":/);
    expect(ground.up.calls.of(SECOND)).toHaveLength(0);
  });

  test("nobody where the caller says so, and the provider never hears of it", async () => {
    plain(cutAfter({ content: 3 }));
    const more = { stream: true, mid_stream: "error" };
    const body = bodyFor("openai", more, groupOf("openai", "openai"));
    const answer = await ground.post("openai", body, { headers: { "x-litellm-num-retries": "3" } });
    expect(await answer.text()).toMatch(/or request forbid it/);
    expect(ground.up.calls.of(FIRST)[0]?.body).not.toHaveProperty("mid_stream");
    expect(ground.up.calls.of(SECOND)).toHaveLength(0);
  });

  test("as the settings of the organization say: no continuation, or another one beside a late first", async () => {
    const { organizationId: organization_id } = ground.gw.tenant;
    const set = (router_settings: object) =>
      ground.gw.admin("POST", "/config/update", { organization_id, router_settings });
    const ask = async () => {
      const body = bodyFor("openai", { stream: true }, groupOf("openai", "anthropic"));
      const headers = { "x-litellm-num-retries": "3" };
      return (await ground.post("openai", body, { headers })).text();
    };
    await set({ mid_stream: "error", hedge_after: 0.2 });
    plain(cutAfter({ content: 3 }));
    await expect
      .poll(ask, { timeout: 6_000 })
      .toMatch(/the settings of this group, key or request forbid it/);
    ground.up.reset();
    plain(hangs({ content: 0 }));
    const told = await ask();
    expect(told).toMatch(/\[DONE\]\n\n$/);
    const [first] = ground.up.calls.of(FIRST);
    await first?.aborted;
    expect(ground.up.calls.of(SECOND)).toHaveLength(1);
  });
});
