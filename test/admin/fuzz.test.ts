import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OPERATIONS } from "../../worker/admin/operations/index.ts";
import { MASTER, openWorld } from "./world.ts";

const CANARY = "canary-7f3a9c";
const hostile = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "'; drop table keys; --",
    "../../etc/passwd",
    "\u0000",
    "\ud800",
    "a".repeat(100_000),
    "%s%n",
    "${7*7}",
    "org_gAAAAAAAAAAAA",
    "sk-rt-x",
    "sha256:00",
    "key:1",
    "__proto__",
    "<script>",
    "os.environ/KEK",
    "http://169.254.169.254/",
    `sk-${CANARY}`,
    -1,
    0,
    1e308,
    1e-308,
    2 ** 53,
    true,
    null,
    [],
    {},
    [[]],
    { __proto__: null, a: 1 },
    [CANARY],
  ),
  fc.string({ unit: "binary" }),
  fc.jsonValue({ maxDepth: 3 }),
);
const deep = (levels: number) => `{"metadata":${"[".repeat(levels)}${"]".repeat(levels)}}`;

describe("hostile input", () => {
  it("is refused with a 4xx that says what is wrong, or is served; never a 500, and a refusal writes nothing", async () => {
    const world = openWorld();
    await world.make("/organization/new", { organization_alias: "acme" });
    const { key } = await world.make("/user/new", { user_id: "boss", user_role: "org_admin" });
    const cases = OPERATIONS.map((operation) =>
      fc
        .record(
          Object.fromEntries([
            ...Object.keys(operation.input.shape).map((name) => [name, hostile]),
            ["__proto__", hostile],
            ["constructor", hostile],
          ]) as Record<string, fc.Arbitrary<unknown>>,
          { requiredKeys: [] },
        )
        .map((input) => ({ operation, input })),
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(...cases), fc.boolean(), async ({ operation, input }, master) => {
        const [route] = operation.http;
        if (!route) return;
        const before = world.rows();
        const answer = await world.ask(master ? MASTER : key!, route, input);
        expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(500);
        if (answer.status === 200) return;
        const { error } = answer.body as unknown as { error: Record<string, string> };
        // That a document was refused is on record: the event, and that it is to be delivered.
        expect(world.rows()).toBe(before + (error["faults"] === undefined ? 0 : 2));
        expect(error["message"]).not.toBe("");
        expect(JSON.stringify(answer.body)).not.toContain(CANARY);
      }),
      {
        numRuns: 500,
        examples: OPERATIONS.filter(({ id }) => id === "config.update").map(
          (operation): [{ operation: typeof operation; input: { policy: string } }, boolean] => [
            { operation, input: { policy: "" } },
            true,
          ],
        ),
      },
    );
    expect(JSON.stringify(world.logs)).not.toContain(CANARY);
  }, 60_000);

  it("that is no JSON object, too deep or too large gets its own refusal", async () => {
    const world = openWorld();
    await world.make("/organization/new", { organization_alias: "acme" });
    const post = (text: string, headers = {}) =>
      world.call(MASTER, "POST", "/team/new", text, headers);
    for (const text of [
      "{",
      "[]",
      "1",
      '"x"',
      "null",
      '{"a":}',
      '{"\\q":1}',
      deep(129),
      deep(10_000),
    ]) {
      expect(await post(text), text.slice(0, 20)).toMatchObject({
        status: 400,
        body: { error: { type: "invalid_request_error", code: "invalid_request" } },
      });
    }
    expect(await post(`{"a":"${"x".repeat(1_100_000)}"}`)).toMatchObject({
      status: 413,
      body: { error: { code: "request_too_large" } },
    });
    expect((await post("{}", { "content-encoding": "gzip" })).status).toBe(400);
    expect((await post(`{"metadata":{"a":"${"x".repeat(20_000)}"}}`)).status).toBe(422);
  });
});
