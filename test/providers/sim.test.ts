import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { simulate } from "../../worker/providers/sim.ts";

/** The official client, its fetch answered by the simulated provider. */
const client = new OpenAI({
  apiKey: "none",
  baseURL: "http://sim",
  maxRetries: 0,
  fetch: async (url, init) =>
    simulate({
      url: String(url).replace("http://sim", "sim:"),
      method: "POST",
      headers: {},
      body: String(init?.body),
      signal: AbortSignal.timeout(5000),
    }),
});

const ask = (text: string) => [{ role: "user" as const, content: text }];

describe("the simulated provider", () => {
  it("echoes, whole and streamed alike, with the same usage", async () => {
    const text = "Grüße 👩‍👩‍👧 from a text that is longer than one piece";
    const whole = await client.chat.completions.create({ model: "echo", messages: ask(text) });
    const stream = client.chat.completions.stream({
      model: "echo",
      messages: ask(text),
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    expect(whole.choices[0]?.message.content).toBe(text);
    expect(final.choices[0]?.message.content).toBe(text);
    expect(await stream.totalUsage()).toMatchObject({ total_tokens: whole.usage?.total_tokens });
  });

  it("stops at max_tokens and says so", async () => {
    const answer = await client.chat.completions.create({
      model: "text",
      messages: ask("1000 words"),
      max_tokens: 5,
    });
    expect(answer.choices[0]).toMatchObject({ finish_reason: "length" });
    expect(answer.usage?.completion_tokens).toBe(5);
  });

  it("calls every offered tool with arguments that fit its schema, in streams too", async () => {
    const tools = ["a", "b"].map((name) => ({
      type: "function" as const,
      function: {
        name,
        parameters: {
          type: "object",
          properties: { n: { type: "integer" }, s: { enum: ["x"] } },
          required: ["n", "s"],
        },
      },
    }));
    const final = await client.chat.completions
      .stream({ model: "tools", messages: ask("go"), tools })
      .finalChatCompletion();
    expect(final.choices[0]?.finish_reason).toBe("tool_calls");
    expect(
      final.choices[0]?.message.tool_calls?.map(
        (call) => call.type === "function" && [call.function.name, call.function.arguments],
      ),
    ).toEqual([
      ["a", '{"n":1,"s":"x"}'],
      ["b", '{"n":1,"s":"x"}'],
    ]);
  });

  it("refuses a model it does not have", async () => {
    await expect(
      client.chat.completions.create({ model: "gpt", messages: ask("x") }),
    ).rejects.toMatchObject({ status: 404 });
  });
});
