import { describe, expect, it, vi } from "vitest";
import { type Deployment } from "../../worker/core/model.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { streamAnswer } from "../../worker/stages/stream.ts";
import type { Loose } from "../support/loose.ts";
import { text, thinking, tool, tools } from "../support/upstream/index.ts";
import { oneMessage } from "./one-message.ts";
import { answerOf, type Cut } from "./provider.ts";
import { ASK, hanging, ROUTES, SAID, sizes, tell, WIRES, type Story } from "./story.ts";
import { chosen, deployment, world } from "./world.ts";

describe("what the second one is asked, and what becomes of its answer", () => {
  const old = (each: Deployment): Deployment => ({ ...each, model: "claude-3-5-haiku" });
  const route = { client: "openai-chat", first: "openai-chat", second: "anthropic" } as const;
  const story = { ...route, behaviour: text(SAID), cut: { events: 9 } as Cut };
  const native: Story = { ...story, plan: (a, b) => [a, old(b)] };
  const bodyOf = (request: { body?: string } | undefined) =>
    JSON.parse(request?.body ?? "") as Loose;

  it("has the beginning as the target's own where it takes one, without white space at its end", async () => {
    const { sent } = await tell({
      ...native,
      behaviour: text("one two\n\nthree four"),
      cut: { events: 3 },
    });
    const { messages } = bodyOf(sent[1]);
    expect(messages).toEqual([
      { role: "user", content: "tell" },
      { role: "assistant", content: "one two" },
    ]);
  });

  it("is asked in words where it takes none, and once where it refuses one", async () => {
    const asked = await tell(story);
    expect(bodyOf(asked.sent[1]).messages).toMatchObject([
      { role: "user", content: "tell" },
      { role: "assistant" },
      { role: "user", content: expect.stringContaining("exactly at the next character") },
    ]);
    const refused = await tell({
      ...native,
      goesOn: text(SAID, { continuation: { native: "refuse", instruction: "exact" } }),
    });
    expect(oneMessage("openai-chat", refused.stream).told.text).toBe(SAID);
    expect(refused.progress.attempts).toMatchObject([
      { deployment: "a", error: "connection" },
      { deployment: "b", status: 400, error: "caller", cost: 0 },
      { deployment: "b", status: 200 },
    ]);
    const never = await tell({
      ...native,
      goesOn: text(SAID, { continuation: "refuse" }),
      settings: { numRetries: 1 },
    });
    expect(never.sent).toHaveLength(3);
    expect(never.error).toMatchObject({ kind: "no_healthy_deployment" });
    expect(never.error?.message).toMatch(/broke off.*connection.*no deployment could/is);
  });

  it.each(["exact", "echo", "restart", "recap", "respace"] as const)("%s", async (continuation) => {
    for (const each of [story, native]) {
      const { stream, error } = await tell({ ...each, goesOn: text(SAID, { continuation }) });
      expect(error).toBeNull();
      const { told } = oneMessage("openai-chat", stream);
      if (continuation === "respace")
        expect(told.text.replaceAll(/\s+/g, " ")).toBe(SAID.replaceAll(/\s+/g, " "));
      else expect(told.text).toBe(SAID);
    }
  });

  it("drops repeated last words where it was asked in words", async () => {
    const goesOn = text(SAID, { continuation: "repeat" });
    const { stream } = await tell({ ...story, cut: { events: 14 }, goesOn });
    expect(oneMessage("openai-chat", stream).told.text).toBe(SAID);
  });

  it("sends on a preface that can't be told from the answer", async () => {
    const { stream } = await tell({ ...story, goesOn: text(SAID, { continuation: "preface" }) });
    expect(oneMessage("openai-chat", stream).told.text.replace("Sure, continuing:", "")).toBe(SAID);
  });

  it("is left out where it answers differently, and charged", async () => {
    const c = deployment("c", "anthropic");
    const long = text(`${"a long and winding introduction to things, ".repeat(3)}${SAID}`);
    const { stream, error, progress } = await tell({
      ...story,
      behaviour: long,
      cut: { events: 24 },
      plan: (a, b) => [a, b, c],
      goesOn: { ...long, continuation: "differ" },
      settings: { numRetries: 2 },
    });
    expect(error?.message).toMatch(/broke off/);
    expect(stream).not.toContain("something else altogether");
    expect(progress.attempts.map((row) => row.cost > 0)).toEqual([true, true, true]);
  });

  it("has its text held for three seconds at most", async () => {
    vi.useFakeTimers();
    try {
      const a = deployment("a");
      const { deps } = world((request, n) => {
        if (n === 0) return answerOf("openai-chat", request, text(SAID), { events: 16 });
        const begun = answerOf("openai-chat", request, text("quite different words"), {
          events: 3,
        });
        return hanging(begun, request.signal);
      });
      const call = chosen(ASK["openai-chat"], [a, deployment("b")], { deadlineMs: 600_000 });
      const { steps, cancel } = streamAnswer(deps, call, noProgress());
      let stream = "";
      void (async () => {
        for await (const bytes of steps) stream += new TextDecoder().decode(bytes);
      })();
      await vi.advanceTimersByTimeAsync(2_900);
      expect(stream).not.toContain("quite");
      await vi.advanceTimersByTimeAsync(200);
      expect(stream).toContain("quite different");
      cancel();
      await vi.advanceTimersByTimeAsync(10);
    } finally {
      vi.useRealTimers();
    }
  });

  it("ends with stop where only white space was missing", async () => {
    const goesOn = text(SAID, { continuation: "nothing", finish: "length" });
    const { events } = await sizes(story);
    const { stream } = await tell({ ...story, cut: { events: events - 3 }, goesOn });
    const { told } = oneMessage("openai-chat", stream);
    expect(told).toMatchObject({ text: SAID, finish: "stop" });
  });

  it("keeps what is rightly repeated", async () => {
    const laugh = text("ha ".repeat(40).trim());
    for (const each of [story, native]) {
      for (const cut of [3, 8, 20, 30]) {
        const { stream } = await tell({ ...each, behaviour: laugh, cut: { events: cut } });
        expect(oneMessage("openai-chat", stream).told.text).toBe("ha ".repeat(40).trim());
      }
    }
  });

  it("has what is left of the caller's limit, and is not asked where nothing is", async () => {
    const limited = await tell({ ...story, ask: { max_tokens: 500 } });
    const left = bodyOf(limited.sent[1]).max_tokens as number;
    expect(left).toBeLessThan(500);
    expect(left).toBeGreaterThan(460);
    const { stream, sent, error } = await tell({
      ...story,
      behaviour: text("incomprehensibilities notwithstanding, whatever"),
      cut: { events: 2 },
      ask: { max_tokens: 3 },
    });
    expect(error).toBeNull();
    expect(sent).toHaveLength(1);
    expect(oneMessage("openai-chat", stream).told.finish).toBe("length");
  });
});

describe("what does not go on", () => {
  const route = { client: "openai-chat", first: "openai-chat", second: "openai-chat" } as const;
  const plain: Story = { ...route, behaviour: text("one two three four"), cut: { events: 4 } };
  const call = tools([tool("weather", { city: "Oslo, the capital" })]);
  const weather = {
    type: "function",
    function: { name: "weather", parameters: { type: "object" } },
  };
  const stories: Record<string, [Story, RegExp]> = {
    "JSON mode": [
      { ...plain, ask: { response_format: { type: "json_object" } } },
      /structured output/,
    ],
    "several choices": [{ ...plain, ask: { n: 2 } }, /several choices/],
    "log probabilities": [{ ...plain, ask: { logprobs: true } }, /log probabilities/],
    "a begun tool call": [{ ...plain, behaviour: call, ask: { tools: [weather] } }, /tool call/],
    "a text that a tool call follows": [
      {
        ...plain,
        behaviour: tools(call.parts!, "Let me see."),
        cut: { events: 6 },
        ask: { tools: [weather] },
      },
      /tool call/,
    ],
    "a tool that has to be called": [
      { ...plain, ask: { tools: [weather], tool_choice: "required" } },
      /call a tool/,
    ],
    "a refusal": [
      { ...plain, behaviour: { parts: [{ kind: "refusal", text: "I would rather not" }] } },
      /refuses/,
    ],
  };
  it.each(Object.entries(stories))("%s", async (_, [story, why]) => {
    for (const client of WIRES) {
      if (client !== "openai-chat" && !/tool call|refuses/.test(String(why))) continue;
      const ask = client === "openai-chat" ? story.ask : {};
      const { error, sent, stream } = await tell({ ...story, client, ...(ask && { ask }) });
      expect(sent).toHaveLength(1);
      expect(error?.message).toMatch(why);
      expect(stream).not.toMatch(/"finish_reason":"|"stop_reason":"|\[DONE\]|message_stop/);
    }
  });

  it("where the settings forbid it", async () => {
    for (const settings of [{ midStream: "error" }, { numRetries: 0 }] as const) {
      const { error, sent } = await tell({ ...plain, settings });
      expect(sent).toHaveLength(1);
      expect(error?.message).toMatch(/broke off/);
    }
  });

  it("goes on with tools on offer as long as only text came", async () => {
    const { stream, sent } = await tell({ ...plain, ask: { tools: [weather] } });
    expect(JSON.parse(sent[1]?.body ?? "")).toMatchObject({ tools: [weather] });
    expect(oneMessage("openai-chat", stream).told.text).toBe("one two three four");
  });
});

describe("an answer cut while the model thinks", () => {
  it.each(ROUTES)(
    "to $client, from $first, then $second: begins elsewhere, its thinking unseen",
    async (route) => {
      const behaviour = thinking("let me think about this", "The answer is four.");
      const goesOn = thinking("other thoughts altogether", "The answer is four.");
      const { stream, error } = await tell({
        ...route,
        behaviour,
        cut: { events: route.first === "openai-responses" ? 6 : 4 },
        goesOn,
      });
      expect(error).toBeNull();
      const { told } = oneMessage(route.client, stream);
      expect(told).toMatchObject({ text: "The answer is four.", finish: "stop" });
      expect(told.reasoning).toMatch(/^let/);
      expect("let me think about this".startsWith(told.reasoning)).toBe(true);
    },
  );

  it("leaves out the thinking of who goes on with a text", async () => {
    for (const client of WIRES) {
      for (const second of WIRES) {
        const { stream } = await tell({
          client,
          first: client,
          second,
          behaviour: text(SAID),
          cut: { events: 9 },
          goesOn: { ...thinking("what was it about", SAID), continuation: "exact" },
        });
        expect(oneMessage(client, stream).told).toMatchObject({ text: SAID, reasoning: "" });
      }
    }
  });

  it("may still become a tool call", async () => {
    const route = { client: "anthropic", first: "anthropic", second: "openai-chat" } as const;
    const behaviour = thinking("let me think about this", "unsaid");
    const { stream, error } = await tell({
      ...route,
      behaviour,
      cut: { events: 4 },
      goesOn: tools([tool("weather", { city: "Oslo" })]),
      ask: { tools: [{ name: "weather", input_schema: { type: "object" } }] },
    });
    expect(error).toBeNull();
    expect(oneMessage("anthropic", stream).told).toMatchObject({
      calls: [{ name: "weather", input: { city: "Oslo" } }],
      finish: "tool_calls",
    });
  });
});

describe("its money", () => {
  it("shows the first one's input and what the caller got, and charges every attempt that said something", async () => {
    const story: Story = {
      client: "openai-chat",
      first: "anthropic",
      second: "openai-chat",
      behaviour: text(SAID),
      cut: { events: 9 },
    };
    for (const continuation of ["exact", "echo"] as const) {
      const { stream, progress } = await tell({ ...story, goesOn: text(SAID, { continuation }) });
      const [a, b] = progress.attempts;
      expect(a!.usage).toMatchObject({ estimated: true, input: 2 });
      expect(b!.usage).toMatchObject({ estimated: false });
      expect(progress.usage.input).toBe(a!.usage.input);
      const got = oneMessage("openai-chat", stream);
      expect(got.told.usage?.completion).toBe(progress.usage.output);
      if (continuation === "exact") {
        expect(progress.usage.output).toBe(a!.usage.output + b!.usage.output);
      } else expect(progress.usage.output).toBeLessThan(a!.usage.output + b!.usage.output);
      expect(got.meta).toMatchObject({
        cost: ((a!.cost + b!.cost) / 1e9).toFixed(9).replace(/0+$/, ""),
        model: "model-of-b",
        fallbacks: 0,
      });
    }
  });
});
