import { afterAll, beforeAll, expect, test } from "vitest";
import { fails, text, tool, tools } from "../support/upstream/index.ts";
import { startGround, type Ground } from "./support/ground.ts";
import { requestRow } from "./support/rows.ts";

// Anthropic's protocol has no audio, so that a deployment that speaks it can't be asked about some.
let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  const { gw, up } = ground;
  const target = { upstream: up, organizationId: gw.tenant.organizationId };
  await gw.newModel("mixed", { ...target, provider: "anthropic", model: "deaf" });
  await gw.newModel("mixed", { ...target, model: "hears" }, { order: 1 });
  await gw.newModel("deaf-only", { ...target, provider: "anthropic", model: "deaf" });
  await gw.configure(gw.tenant.organizationId, {
    disable_cooldowns: true,
    fallbacks: [{ "deaf-only": ["mixed"] }],
  });
});
afterAll(() => ground?.stop());

const spoken = (model: string, more: object = {}) => ({
  model,
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "What is said?" },
        { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } },
      ],
    },
  ],
  ...more,
});

async function ask(model: string, more: object = {}) {
  const { post, up, gw } = ground;
  up.calls.clear();
  const answer = await post("openai", spoken(model, more));
  const body = await answer.text();
  const row = await requestRow(gw, answer.headers.get("x-litellm-call-id") ?? "");
  return { answer, body, row, asked: up.calls.all.map((call) => call.model) };
}

for (const stream of [false, true]) {
  const how = stream ? "streamed" : "buffered";

  test(`a target that has no words for a request is passed over, without a call or a retry: ${how}`, async () => {
    ground.up.model("hears", text("It says hello."));
    const { answer, body, row, asked } = await ask("mixed", { stream });
    expect(answer.status, body).toBe(200);
    expect(body.replaceAll(/[^]*?"content":"([^"]*)"|[^]/g, "$1")).toBe("It says hello.");
    expect(asked).toEqual(["hears"]);
    expect(row.attempts.map(({ error }) => error)).toEqual(["unsupported", undefined]);
    expect(answer.headers.get("x-routero-attempted-retries")).toBe("0");
  });

  test(`so is a whole group: ${how}`, async () => {
    ground.up.model("hears", text("It says hello."));
    const { answer, asked } = await ask("deaf-only", { stream });
    expect(answer.status).toBe(200);
    expect(asked).toEqual(["hears"]);
    expect(answer.headers.get("x-routero-attempted-fallbacks")).toBe("1");
  });

  test(`where nobody is left the caller is told what and who could: ${how}`, async () => {
    const { answer, body, row, asked } = await ask("deaf-only", {
      stream,
      disable_fallbacks: true,
    });
    expect(answer.status).toBe(400);
    const { error } = JSON.parse(body) as { error: Record<string, string> };
    expect(error).toMatchObject({
      code: "capability_not_supported",
      param: "messages[0]",
    });
    expect(error["message"]).toMatch(/^Audio cannot be sent .* 'gpt-test', 'mixed' can take it\.$/);
    expect(asked).toEqual([]);
    expect(row.costNano).toBe(0);
  });

  test(`a failure of who was asked is told before one of who was not: ${how}`, async () => {
    ground.up.model("hears", fails("server_error"));
    const { answer, body, asked } = await ask("mixed", { stream });
    expect(answer.status, body).toBe(503);
    expect(asked).toEqual(["hears"]);
  });
}

test("what a target has no place for is named in the answer's head, wherever it stands", async () => {
  const { up, post } = ground;
  up.model("gpt-test", text("It says hello."));
  const cache_control = { type: "ephemeral" };
  const answer = await post("anthropic", {
    model: "gpt-test",
    max_tokens: 9,
    messages: [{ role: "user", content: "hi" }],
    tools: [{ name: "f", input_schema: { type: "object" }, cache_control }],
  });
  expect(answer.status, await answer.text()).toBe(200);
  expect(answer.headers.get("x-routero-degraded")).toBe("cache_control");
});

test("tools of names that the target refuses are called otherwise there, and nobody learns of it", async () => {
  const { up, post } = ground;
  const long = `mcp__${"a_very_".repeat(12)}long_server__read`;
  const names = [`${long}_file`, `${long}_mail`, "short"];
  const offered = names.map((name) => ({ name, input_schema: { type: "object" } }));
  const turns = [
    { role: "user", content: "hi" },
    { role: "assistant", content: [{ type: "tool_use", id: "t1", name: names[1], input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "none" }] },
  ];
  const ask = (stream: boolean) => {
    const tool_choice = { type: "tool", name: names[0] };
    const body = {
      model: "gpt-test",
      max_tokens: 99,
      messages: turns,
      tools: offered,
      tool_choice,
    };
    return post("anthropic", { ...body, stream });
  };
  up.model("gpt-test", text("hi"));
  await (await ask(false)).text();
  type Named = { function: { name: string } };
  const {
    tools: sent,
    messages,
    tool_choice,
  } = up.calls.of("gpt-test").at(-1)!.body as {
    tools: Named[];
    messages: { tool_calls?: Named[] }[];
    tool_choice: Named;
  };
  const given = sent.map(({ function: { name } }) => name);
  expect(new Set(given).size).toBe(3);
  for (const name of given) expect(name).toMatch(/^[\w-]{1,64}$/);
  expect(given[2]).toBe("short");
  expect(messages[1]!.tool_calls![0]!.function.name).toBe(given[1]);
  expect(tool_choice.function.name).toBe(given[0]);

  for (const stream of [false, true]) {
    up.model("gpt-test", tools(given.map((name) => tool(name, {}))));
    const answer = await ask(stream);
    expect(answer.headers.get("x-routero-degraded")).toBeNull();
    const said = await answer.text();
    const told = [...said.matchAll(/"type":"tool_use".*?"name":"([^"]+)"/g)].map(
      ([, name]) => name,
    );
    expect(told).toEqual(names);
  }
});
