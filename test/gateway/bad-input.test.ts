import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  bodyFor,
  DIALECTS,
  MODEL,
  PATH,
  startGround,
  type Dialect,
  type Ground,
} from "./support/ground.ts";
import { recorded, requestRow } from "./support/rows.ts";
import { CANARY, COMMON, OWN } from "./support/wrong-members.ts";

let ground: Ground;
let before: Awaited<ReturnType<typeof recorded>>;
beforeAll(async () => {
  ground = await startGround();
});
beforeEach(async () => {
  ground.up.reset();
  before = await recorded(ground.gw);
});
afterAll(() => ground.stop());

interface Refused {
  status: number;
  /** Anthropic's own word where its clients ask. */
  type: string;
  code?: string;
  param?: string | null;
  message: RegExp;
}

const WORDS: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  404: "not_found_error",
  405: "invalid_request_error",
  413: "request_too_large",
};

/** Checks a refusal in the dialect of its endpoint; its message. */
async function refused(
  answer: Response,
  dialect: Dialect,
  expected: Partial<Refused>,
): Promise<string> {
  const text = await answer.text();
  expect({ status: answer.status, text }).toMatchObject({ status: expected.status });
  expect(answer.headers.get("content-type")).toContain("application/json");
  expect(answer.headers.get("x-should-retry")).toBe("false");
  const body = JSON.parse(text) as { type?: string; error: Record<string, unknown> };
  if (dialect === "anthropic") {
    expect(body).toMatchObject({ type: "error", error: { type: WORDS[answer.status] } });
  } else {
    expect(Object.keys(body.error)).toEqual(
      expect.arrayContaining(["message", "type", "param", "code"]),
    );
    if (expected.type !== undefined) expect(body.error["type"]).toBe(expected.type);
    if (expected.code !== undefined) expect(body.error["code"]).toBe(expected.code);
    if (expected.param !== undefined) expect(body.error["param"]).toBe(expected.param);
  }
  const message = String(body.error["message"]);
  expect(message.length).toBeLessThan(600);
  if (expected.message !== undefined) expect(message).toMatch(expected.message);
  expect(text).not.toContain(CANARY);
  return message;
}

/** Checks that a request was served, and waits for its settlement: the next test counts what is on record. */
async function served(answer: Response): Promise<void> {
  expect(answer.status).toBe(200);
  await requestRow(ground.gw, answer.headers.get("x-routero-call-id") ?? "");
}

/** Nothing reached the provider, the record or the log. */
async function leftNoTrace() {
  expect(ground.up.calls.all).toEqual([]);
  expect(await recorded(ground.gw)).toEqual(before);
  expect(JSON.stringify(ground.gw.logs)).not.toContain(CANARY);
}

describe.each(DIALECTS)("a body that is no request, %s", (dialect) => {
  const good = JSON.stringify(bodyFor(dialect));
  const texts: [string, string | Uint8Array, RegExp][] = [
    ["nothing", "", /empty/],
    ["half a body", `${good.slice(0, 40)}${CANARY}`, /not valid JSON/],
    ["prose", `${CANARY} is no JSON`, /not valid JSON/],
    ["a trailing comma", `{"model":"${CANARY}",}`, /not valid JSON/],
    ["an escape that is none, in a name", `{"\\q${CANARY}":1}`, /not valid JSON/],
    ["a string that never ends", `{"model":"${CANARY}`, /not valid JSON/],
    ["more brackets closed than opened", `{"a":"${CANARY}"}]}`, /not valid JSON/],
    ["a list", `["${CANARY}"]`, /JSON object/],
    ["a string", `"${CANARY}"`, /JSON object/],
    ["null", "null", /JSON object/],
    ["text in another encoding", Buffer.from(good.replace("five", "fünf"), "latin1"), /UTF-8/],
    [
      "half a character",
      Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xf0, 0x9f])]),
      /UTF-8/,
    ],
    [
      "nesting of 10,000 lists",
      `{"model":"m","messages":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
      /nested deeper than \d+/,
    ],
    [
      "nesting of 10,000 objects",
      '{"a":'.repeat(10_000) + "1" + "}".repeat(10_000),
      /nested deeper/,
    ],
    ["brackets that never close", "[".repeat(10_000), /nested deeper/],
  ];
  test.each(texts)("%s", async (_, body, message) => {
    const answer = await ground.post(dialect, body);
    await refused(answer, dialect, {
      status: 400,
      type: "invalid_request_error",
      code: "invalid_request",
      message,
    });
    await leftNoTrace();
  });

  test("compressed bodies are refused by name", async () => {
    const answer = await ground.post(dialect, gzipSync(good), {
      headers: { "content-encoding": "gzip" },
    });
    await refused(answer, dialect, {
      status: 400,
      code: "invalid_request",
      message: /content-encoding/,
    });
    await leftNoTrace();
  });

  test("10 MB are served, 33 MB are not, whether their size is declared or not", async () => {
    const body = (bytes: number) =>
      JSON.stringify(
        bodyFor(dialect, { messages: [{ role: "user", content: "x".repeat(bytes) }] }),
      );
    await served(await ground.post(dialect, body(10 * 1024 * 1024)));
    expect(ground.up.calls.all[0]?.raw.length).toBeGreaterThan(10 * 1024 * 1024);
    before = await recorded(ground.gw);
    ground.up.reset();

    const large = Buffer.from(body(33 * 1024 * 1024));
    const expected = { status: 413, code: "request_too_large", message: /larger than \d+ bytes/ };
    await refused(await ground.post(dialect, large), dialect, expected);
    const chunks = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < large.length; at += 1 << 20) {
          controller.enqueue(large.subarray(at, at + (1 << 20)));
        }
        controller.close();
      },
    });
    const undeclared = await fetch(ground.gw.url + PATH[dialect], {
      method: "POST",
      headers: { authorization: `Bearer ${ground.key}` },
      body: chunks,
      duplex: "half",
    } as RequestInit);
    await refused(undeclared, dialect, expected);
    await leftNoTrace();
    // What was held while reading was given back, whyever the body was refused.
    const broken = `${body(10 * 1024 * 1024).slice(0, -1)}]`;
    for (let n = 0; n < 5; n += 1) {
      await refused(await ground.post(dialect, broken), dialect, { status: 400 });
    }
    for (let n = 0; n < 2; n += 1)
      await refused(await ground.post(dialect, large), dialect, expected);
    await served(await ground.post(dialect, body(1)));
  });
});

describe.each(DIALECTS)("a member of the wrong type is named, %s", (dialect) => {
  test.each([...COMMON, ...OWN[dialect]])("%s: %j", async (param, more) => {
    const message = await refused(await ground.post(dialect, bodyFor(dialect, more)), dialect, {
      status: 400,
      type: "invalid_request_error",
      code: "invalid_request",
      param,
    });
    expect(message).toContain(param);
    expect(message).toMatch(/must be|is required/);
    await leftNoTrace();
  });
});

describe.each(DIALECTS)("names that could do harm, %s", (dialect) => {
  const names = [
    "none",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "openai/",
    "/",
    "openai/gpt-4o",
    "../../admin",
    "http://169.254.169.254/x",
    "a".repeat(10_000),
    "line\r\nx-evil: 1",
    "\u0000\u0007\u001b[31m",
    "größe 🙂",
    "\ud800",
  ];
  test.each(names.map((name) => [JSON.stringify(name).slice(0, 40), name]))(
    "model %s is not found",
    async (_, name) => {
      const answer = await ground.post(dialect, bodyFor(dialect, {}, name));
      const callId = answer.headers.get("x-routero-call-id");
      expect(answer.headers.get("x-evil")).toBeNull();
      await refused(answer, dialect, { status: 404, code: "model_not_found", param: "model" });
      expect(callId).toMatch(/^req_\w+$/);
      expect(ground.up.calls.all).toEqual([]);
    },
  );

  test("members named like built-ins are ordinary members", async () => {
    const text = JSON.stringify(bodyFor(dialect)).replace(
      /^\{/,
      '{"__proto__":{"stream":true},"constructor":1,',
    );
    for (const provider of DIALECTS) {
      const answer = await ground.post(dialect, text.replace(MODEL[dialect], MODEL[provider]));
      await served(answer);
      expect(answer.headers.get("content-type")).toContain("application/json");
    }
  });

  test("unknown members whose names fit into no header are served all the same", async () => {
    const odd = { "größe 🙂": 1, "a\r\nx-evil: 1": 2, ["x".repeat(5000)]: 3, "\ud800": 4 };
    for (const provider of DIALECTS) {
      const answer = await ground.post(dialect, bodyFor(dialect, odd, MODEL[provider]));
      await served(answer);
      expect(answer.headers.get("x-evil")).toBeNull();
      expect((answer.headers.get("x-routero-degraded") ?? "").length).toBeLessThan(2000);
    }
  });

  test("of duplicate members the last one counts, here and at the provider", async () => {
    const one = { role: "user", content: "first" };
    const two = { role: "user", content: "second" };
    const text = JSON.stringify(bodyFor(dialect))
      .replace(/^\{/, `{"model":"none","messages":${JSON.stringify([one])},`)
      .replace(/\}$/, `,"messages":${JSON.stringify([two])}}`);
    for (const provider of DIALECTS) {
      const answer = await ground.post(dialect, text.replace(MODEL[dialect], MODEL[provider]));
      await served(answer);
      const call = ground.up.calls.all.at(-1);
      expect(call?.model).toBe(MODEL[provider]);
      expect(call?.body["messages"]).toEqual([two]);
      expect(call?.raw.toString()).not.toContain('"none"');
    }
  });
});

describe.each(DIALECTS)("who is not let in, %s", (dialect) => {
  const ask = (headers: Record<string, string>, path = PATH[dialect]) =>
    fetch(ground.gw.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(bodyFor(dialect, { messages: [{ role: "user", content: CANARY }] })),
    });
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const flipped = (text: string, at: number) =>
    text.slice(0, at) + (text.at(at) === "a" ? "b" : "a") + text.slice(at + 1);

  const bad: [string, () => Record<string, string>][] = [
    ["no key", () => ({})],
    ["an empty key", () => bearer("")],
    ["another scheme", () => ({ authorization: `Basic ${ground.key}` })],
    ["a malformed key", () => bearer("sk-nobody")],
    ["noise", () => bearer("x".repeat(4000))],
    ["a wrong checksum", () => bearer(flipped(ground.key, ground.key.length - 3))],
    ["a wrong secret", () => bearer(flipped(ground.key, ground.key.length - 20))],
    ["another organization's id", () => bearer(flipped(ground.key, 10))],
    ["a cut key", () => bearer(ground.key.slice(0, -1))],
    ["a wrong key beside a right one", () => ({ ...bearer("sk-nobody"), "x-api-key": ground.key })],
  ];
  test.each(bad)("%s", async (_, headers) => {
    const answer = await ask(headers());
    await refused(answer, dialect, {
      status: 401,
      type: "auth_error",
      code: "invalid_api_key",
      message: /key/i,
    });
    await leftNoTrace();
  });

  test("a key in the URL, even a good one", async () => {
    for (const headers of [{}, bearer(ground.key)]) {
      const answer = await ask(headers, `${PATH[dialect]}?key=${ground.key}`);
      await refused(answer, dialect, { status: 401, code: "invalid_api_key", message: /URL/ });
    }
    expect(JSON.stringify(ground.gw.logs)).not.toContain(ground.key.slice(-20));
    await leftNoTrace();
  });

  const newKey = async (more: object) => {
    const { organizationId, teamId } = ground.gw.tenant;
    const body = { organization_id: organizationId, team_id: teamId, ...more };
    return (await ground.gw.admin<{ key: string }>("POST", "/key/generate", body)).key;
  };

  test("an expired key is told so", async () => {
    const key = await newKey({ duration: "1s" });
    const status = async () => {
      const answer = await ask(bearer(key));
      if (answer.status === 200) await served(answer);
      return answer.status;
    };
    await expect.poll(status, { timeout: 5000 }).toBe(401);
    before = await recorded(ground.gw);
    ground.up.reset();
    const expected = { status: 401, type: "expired_key", code: "expired_key" };
    await refused(await ask(bearer(key)), dialect, { ...expected, message: /expired at 2/ });
    await leftNoTrace();
  });

  test("a blocked key is not told from an unknown one", async () => {
    const alias = `blocked ${dialect}`;
    const key = await newKey({ key_alias: alias });
    await ground.gw.sql("update keys set blocked = 1 where alias = ?", alias);
    before = await recorded(ground.gw);
    const answers = [await ask(bearer(key)), await ask(bearer("sk-nobody"))];
    const expected = { status: 401, type: "auth_error", code: "invalid_api_key" };
    const said = await Promise.all(answers.map((answer) => refused(answer, dialect, expected)));
    expect(said[0]).toBe(said[1]);
    await leftNoTrace();
  });
});

describe("paths and methods", () => {
  test.each(DIALECTS)("another method is 405 and says which one, %s", async (dialect) => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const answer = await fetch(ground.gw.url + PATH[dialect], {
        method,
        headers: { authorization: `Bearer ${ground.key}` },
      });
      expect(answer.headers.get("allow")).toBe("POST");
      await refused(answer, dialect, { status: 405, code: "method_not_allowed", message: /POST/ });
    }
    await leftNoTrace();
  });

  test.each(["/v1/models", "/v1/models/gpt-test"])("a POST to %s is 405", async (path) => {
    const answer = await fetch(ground.gw.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${ground.key}` },
    });
    await refused(answer, "openai", { status: 405, code: "method_not_allowed", message: /GET/ });
  });

  test.each(["/v1/nothing", "/v1/chat/completions/more", "/", "/v1//chat/completions", "/..%2f"])(
    "unknown path %s is 404",
    async (path) => {
      const answer = await fetch(ground.gw.url + path, { method: "POST", body: CANARY });
      await refused(answer, "openai", { status: 404, code: "not_found", message: /no POST/ });
      await leftNoTrace();
    },
  );

  test.each(["%E0%A4%A", "%", "%00", "%25", "a%2Fb", "__proto__", "none"])(
    "model id %s in a path is a 404",
    async (id) => {
      const answer = await fetch(`${ground.gw.url}/v1/models/${id}`, {
        headers: { authorization: `Bearer ${ground.key}` },
      });
      await refused(answer, "openai", { status: 404, code: "model_not_found", message: /model/ });
    },
  );

  test("the list of models needs a key as well", async () => {
    await refused(await fetch(`${ground.gw.url}/v1/models`), "openai", {
      status: 401,
      code: "invalid_api_key",
    });
    const inUrl = await fetch(`${ground.gw.url}/v1/models?key=${ground.key}`);
    await refused(inUrl, "openai", { status: 401, code: "invalid_api_key", message: /URL/ });
  });
});
