import { expect } from "vitest";
import {
  describesImages,
  errorAfter,
  fails,
  mix,
  slow,
  text,
  thinking,
  tool,
  tools,
  type Upstream,
} from "../../support/upstream/index.ts";
import type { Asked, Client } from "./asked.ts";
import type { Provider } from "./providers.ts";

/** What every client must get done at every provider: a row of checks behind one cell. Throws what is wrong. */
export interface Feature {
  name: string;
  check(world: World): Promise<void>;
}

export interface World {
  up: Upstream;
  client: Client;
  provider: Provider;
  /** The model group of this client at this provider. */
  group: string;
  /** What the provider knows its model by: nobody else's. */
  model: string;
}

const PNG = Buffer.from("12345").toString("base64");
const FIVE = "one two three four five";
const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const TOOLS = ["weather", "clock"].map((name) => ({
  name,
  description: `${name} of a city`,
  schema: CITY,
}));

const user = (said: string) => ({ role: "user", text: said }) as const;

/** Asks; the answer, and the body that reached the provider for it. */
async function asks(
  { up, client, model, group }: World,
  asked: Omit<Asked, "model" | "stream">,
  stream: boolean,
) {
  const answer = await client.ask({ model: group, stream, ...asked });
  const call = up.calls.of(model).at(-1);
  if (call === undefined) throw new Error("nothing reached the provider");
  await call.ended;
  return { answer, call, sent: call.raw.toString() };
}

async function plain(world: World, stream: boolean): Promise<void> {
  world.up.script(world.model, [text(FIVE)]);
  const asked = { system: "Be brief.", turns: [user("Say it in five words")] };
  const { answer, call, sent } = await asks(world, asked, stream);
  expect(answer.told).toMatchObject({ text: FIVE, reasoning: "", calls: [], finish: "stop" });
  const { input, output } = call.billed;
  expect(answer.told.usage).toMatchObject({ prompt: input, completion: output });
  expect(sent).toContain("Be brief.");
  if (stream) expect(answer.pieces).toBeGreaterThan(3);
}

async function calls(world: World, stream: boolean): Promise<void> {
  const { up, model } = world;
  const wanted = [tool("weather", { city: "Oslo" }), tool("clock", { city: "Bergen" })];
  up.script(model, [tools(wanted), text("Cold at noon.")]);
  const turns: Asked["turns"] = [user("How is it in Oslo, and what time in Bergen?")];
  const first = await asks(world, { turns, tools: TOOLS }, stream);
  expect(first.answer.told).toMatchObject({
    calls: [
      { name: "weather", input: { city: "Oslo" } },
      { name: "clock", input: { city: "Bergen" } },
    ],
    finish: "tool_calls",
  });
  expect(first.sent).toContain("clock of a city");
  const { answer } = first;
  // Google's own calls may come without ids, and pass through so.
  const ids = answer.callIds.filter((id) => id !== undefined);
  expect(new Set(ids).size).toBe(ids.length);
  turns.push(
    { role: "answer", answer },
    {
      role: "results",
      results: answer.told.calls.map(({ name }, index) => ({
        id: answer.callIds[index],
        name,
        value: { said: `result of ${name}` },
      })),
    },
  );
  const second = await asks(world, { turns, tools: TOOLS }, stream);
  expect(second.answer.told.text).toBe("Cold at noon.");
  expect(second.sent).toContain("result of weather");
  expect(second.sent).toContain("result of clock");
}

async function thinks(world: World, stream: boolean): Promise<void> {
  const { up, model } = world;
  const cities = ["Oslo", "Bergen"];
  const withCalls = cities.map((city, turn) => ({
    parts: [
      { kind: "thinking", text: `of ${city}`, signature: `c2lnbmF0dXJl${turn}` } as const,
      tool("weather", { city }),
    ],
  }));
  up.script(model, [thinking("because of that", "it is so"), ...withCalls, text("done")]);
  const turns: Asked["turns"] = [user("Why?")];
  const first = await asks(world, { turns, reasoning: true }, stream);
  expect(first.answer.told).toMatchObject({ text: "it is so", reasoning: "because of that" });
  // Over several turns: the thinking behind each call is with the provider again when its result comes.
  const states: string[] = [];
  for (const city of cities) {
    const { answer, call } = await asks(world, { turns, reasoning: true, tools: TOOLS }, stream);
    expect(answer.told).toMatchObject({ reasoning: `of ${city}`, finish: "tool_calls" });
    states.push(...statesIn(call.sent.toString()));
    const results = [{ id: answer.callIds[0], name: "weather", value: { sky: "blue" } }];
    turns.push({ role: "answer", answer }, { role: "results", results });
  }
  const last = await asks(world, { turns, reasoning: true, tools: TOOLS }, stream);
  expect(last.answer.told.text).toBe("done");
  for (const state of new Set(states)) expect(last.sent).toContain(state);
}

/** Proofs in an answer that its provider wants back: signatures and encrypted reasoning. */
function statesIn(served: string): string[] {
  const form = /"(?:signature|thoughtSignature|encrypted_content)": ?"([^"]{4,})"/g;
  return [...new Set([...served.matchAll(form)].map(([, state]) => state!))];
}

export const FEATURES: readonly Feature[] = [
  { name: "text", check: (world) => plain(world, false) },
  { name: "stream", check: (world) => plain(world, true) },
  {
    name: "tools",
    async check(world) {
      await calls(world, false);
      await calls(world, true);
    },
  },
  {
    name: "images",
    async check(world) {
      world.up.script(world.model, [describesImages()]);
      const turns = [{ ...user("What is it?"), image: { mediaType: "image/png", base64: PNG } }];
      const { answer } = await asks(world, { turns }, false);
      expect(answer.told.text).toBe("I see 1 images: image/png of 5 bytes.");
    },
  },
  {
    name: "json schema",
    async check(world) {
      world.up.script(world.model, [text('{"city":"Oslo"}')]);
      const { answer, sent } = await asks(world, { turns: [user("Where?")], schema: CITY }, false);
      expect(JSON.parse(answer.told.text)).toEqual({ city: "Oslo" });
      // Bedrock takes the schema as a text.
      expect(sent.replaceAll("\\", "")).toMatch(/"required": ?\["city"\]/);
    },
  },
  {
    name: "reasoning",
    async check(world) {
      await thinks(world, false);
      await thinks(world, true);
    },
  },
  {
    name: "errors",
    async check({ up, client, model, group }) {
      const asked: Asked = { model: group, stream: false, turns: [user("hi")] };
      const refused = async (stream: boolean) =>
        client.thrown(await client.ask({ ...asked, stream }).catch((error: unknown) => error));
      up.script(model, [fails("bad_request", { message: "Wrong shoe size." })]);
      expect(await refused(false)).toMatchObject({
        status: 400,
        message: expect.stringContaining("Wrong shoe size."),
      });
      // After content the stream ends with an error that the client throws; so does every try to go on with it.
      const breaks = errorAfter({ content: 2 }, "overloaded", "Out of breath.");
      up.model(model, mix(text(FIVE), slow(25), breaks));
      expect((await refused(true)).message).toMatch(
        /Out of breath|No deployment could answer|broke off/,
      );
      up.model(model, fails("server_error"));
      expect((await refused(true)).status).toBe(503);
    },
  },
];
