import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { errorAfter, mix, slow, text } from "../support/upstream/index.ts";
import { startGround, type Ground } from "./support/ground.ts";

/* What Google's client does not show of Google's dialect: the bytes. */

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  await ground.gw.admin("POST", "/model/new", {
    model_name: "gemini-test",
    organization_id: ground.gw.tenant.organizationId,
    litellm_params: { model: "gemini/gemini-up", api_base: ground.up.url, api_key: "k" },
  });
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const BODY = { contents: [{ role: "user", parts: [{ text: "hi" }] }] };

const post = (path: string, body: unknown = BODY, headers: Record<string, string> = {}) =>
  fetch(ground.gw.url + path, {
    method: "POST",
    headers: { "x-goog-api-key": ground.key, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

const STREAMS = "streamGenerateContent";

describe.each([
  ["at its own protocol", "gemini-test", "gemini-up"],
  ["at another", "gpt-test", "gpt-test"],
])("%s", (_, model, upstream) => {
  test("a stream without alt=sse is one JSON array, with it server-sent events", async () => {
    ground.up.model(upstream, text("one two three"));
    const array = await post(`/v1beta/models/${model}:${STREAMS}`);
    expect(array.headers.get("content-type")).toContain("application/json");
    type Chunk = { candidates: { content?: { parts: { text?: string }[] } }[] };
    const chunks = JSON.parse(await array.text()) as Chunk[];
    const said = chunks.flatMap((chunk) => chunk.candidates[0]?.content?.parts ?? []);
    expect(said.map((part) => part.text ?? "").join("")).toBe("one two three");
    expect(chunks.length).toBeGreaterThan(2);

    const events = await post(`/v1beta/models/${model}:${STREAMS}?alt=sse`);
    expect(events.headers.get("content-type")).toContain("text/event-stream");
    expect(await events.text()).toMatch(/^data: \{/);
  });

  test("a stream that fails ends in a bare error and its event, or in an array that never closes", async () => {
    const breaks = mix(text("one two three"), slow(25), errorAfter({ content: 2 }));
    ground.up.model(upstream, breaks);
    const array = await (await post(`/v1beta/models/${model}:${STREAMS}`)).text();
    expect(() => JSON.parse(array) as unknown).toThrow();
    const last = (JSON.parse(`${array}]`) as { error?: { code: number; status: string } }[]).at(-1);
    expect(last?.error?.code).toBeGreaterThanOrEqual(500);
    const events = await (await post(`/v1beta/models/${model}:${STREAMS}?alt=sse`)).text();
    expect(events).toMatch(/\n(\{"error":\{"code":5\d\d,.*\})\n\ndata: \1\r\n\r\n$/);
  });
});

test("bytes pass through unchanged at its own protocol, in every form", async () => {
  ground.up.model("gemini-up", text("one two three"));
  for (const call of ["generateContent", STREAMS, `${STREAMS}?alt=sse`]) {
    const body = `{ "contents" : [{"parts":[{"text":"hi é"}]}],  "safetySettings":[], "tags":["x"] }`;
    const received = await (await post(`/v1beta/models/gemini-test:${call}`, body)).text();
    const reached = ground.up.calls.of("gemini-up").at(-1)!;
    await reached.ended;
    expect(received).toBe(reached.sent.toString());
    expect(reached.raw.toString()).toBe(
      `{ "contents" : [{"parts":[{"text":"hi é"}]}],  "safetySettings":[] }`,
    );
    expect(reached.path).toBe(`/v1beta/models/gemini-up:${call.split("?")[0]}`);
  }
});

describe("refusals speak Google's words", () => {
  type Refusal = { error: { code: number; status: string; message: string } };
  const refusal = async (answer: Response) => {
    const body = (await answer.json()) as Refusal;
    expect(body.error.code).toBe(answer.status);
    return [answer.status, body.error.status, body.error.message] as const;
  };
  const at = "/v1beta/models/gemini-test:generateContent";

  test.each([
    ["no JSON", at, "{", 400, "INVALID_ARGUMENT", /not valid JSON/],
    ["no contents", at, "{}", 400, "INVALID_ARGUMENT", /contents/],
    [
      "an unknown model",
      "/v1beta/models/nobody:generateContent",
      BODY,
      404,
      "NOT_FOUND",
      /does not exist/,
    ],
    ["a key in the URL", `${at}?key=abc`, BODY, 401, "UNAUTHENTICATED", /URL/],
  ])("%s", async (_, path, body, status, name, message) => {
    const [code, told, said] = await refusal(await post(path, body));
    expect([code, told]).toEqual([status, name]);
    expect(said).toMatch(message);
  });

  test("no key, and a method that is none", async () => {
    expect((await refusal(await post(at, BODY, { "x-goog-api-key": "sk-nobody" })))[0]).toBe(401);
    const got = await fetch(ground.gw.url + at, { headers: { "x-goog-api-key": ground.key } });
    expect(got.status).toBe(405);
    expect(got.headers.get("allow")).toBe("POST");
  });
});
