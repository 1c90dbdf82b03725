import { describe, expect, it } from "vitest";
import { noProgress } from "../../worker/stages/progress.ts";
import { streamAnswer } from "../../worker/stages/stream.ts";
import type { Loose } from "../support/loose.ts";
import { toldByChunks } from "../conformance/told.ts";
import { text } from "../support/upstream/index.ts";
import { eventsOf, oneMessage } from "./one-message.ts";
import { answerOf } from "./provider.ts";
import { ASK, ROUTES, SAID, sizes, tell } from "./story.ts";
import { chosen, chunked, deployment, world } from "./world.ts";

describe.each(ROUTES)("to $client, from $first, cut, then $second", (route) => {
  const story = { ...route, behaviour: text(SAID) };

  it("is one whole message wherever between two events the first one broke", async () => {
    const { events } = await sizes(story);
    const whole = await tell({ ...story, cut: null });
    const { told, id, model } = oneMessage(route.client, whole.stream);
    expect(told.text).toBe(SAID);
    for (let cut = 0; cut <= events; cut++) {
      for (const after of ["end", "break"] as const) {
        const { stream, error, progress } = await tell({ ...story, cut: { events: cut }, after });
        expect(error, `cut after ${cut}`).toBeNull();
        if (!stream.includes("[DONE]") && route.client === "openai-chat") continue;
        const got = oneMessage(route.client, stream);
        expect(got.told.text, `cut after ${cut}`).toBe(SAID);
        expect(got.told.finish).toBe("stop");
        if (progress.attempts.length > 1) expect(got.told.usage?.completion).toBeGreaterThan(0);
        if (progress.attempts[0]!.usage.output > 0) expect(got).toMatchObject({ id, model });
      }
    }
  });
});

it("is one whole message at whatever byte the first one broke", { timeout: 90_000 }, async () => {
  const said = "One, “two”, 大🙂 3.";
  for (const { client, first, second } of [
    { client: "openai-chat", first: "openai-chat", second: "anthropic" },
    { client: "anthropic", first: "anthropic", second: "openai-chat" },
  ] as const) {
    const story = { client, first, second, behaviour: text(said) };
    const { bytes } = await sizes(story);
    for (let cut = 0; cut < bytes; cut++) {
      const after = cut % 2 === 0 ? "end" : "break";
      const { stream, error } = await tell({ ...story, cut: { bytes: cut }, after });
      expect(error, `cut at ${cut}`).toBeNull();
      // A finish reason suffices at a clean end.
      if (!stream.includes("[DONE]") && client === "openai-chat") continue;
      expect(oneMessage(client, stream).told.text, `cut at ${cut}`).toBe(said);
    }
  }
});

it("ends a text in whole characters when it is cut within one", async () => {
  const chunk = (content: string) =>
    `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"${content}"},"finish_reason":null}]}\n\n`;
  const { deps, sent } = world((request, n) =>
    n === 0
      ? chunked([chunk("well "), chunk("\\ud83d")], "break")
      : answerOf("openai-chat", request, text("well 🙂 done", { continuation: "exact" })),
  );
  const plan = [deployment("a"), deployment("b")];
  let stream = "";
  const decoder = new TextDecoder();
  for await (const bytes of streamAnswer(deps, chosen(ASK["openai-chat"], plan), noProgress())
    .steps) {
    stream += decoder.decode(bytes, { stream: true });
  }
  expect(JSON.parse(sent[1]?.body ?? "").messages[1].content).toBe("well ");
  expect(stream).not.toContain('ud83d"');
  expect(stream.match(/"id":"[^"]*"/g)?.every((id) => id === '"id":"c1"')).toBe(true);
  expect(
    toldByChunks(
      eventsOf(stream)
        .slice(0, -1)
        .map((each) => JSON.parse(each)),
    ),
  ).toMatchObject({
    text: "well 🙂 done",
    finish: "stop",
  });
});

it("is one JSON array where Google's client takes it so, at whatever byte it broke", async () => {
  const said = "One, “two”, 大🙂 3.";
  for (const first of ["gemini", "openai-chat"] as const) {
    const story = {
      client: "gemini",
      first,
      second: "anthropic",
      behaviour: text(said),
      array: true,
    } as const;
    const { bytes } = await sizes(story);
    for (let cut = 0; cut <= bytes; cut += 3) {
      const after = cut % 2 === 0 ? "end" : "break";
      const { stream, error } = await tell({ ...story, cut: { bytes: cut }, after });
      expect(error, `cut at ${cut}`).toBeNull();
      const chunks = JSON.parse(stream) as Loose[];
      const candidates = chunks.flatMap((chunk) => chunk["candidates"] as Loose[]);
      const parts = candidates.flatMap((each) => each["content"]["parts"] as Loose[]);
      expect(parts.map((part) => part["text"] as string).join(""), `cut at ${cut}`).toBe(said);
      expect(candidates.filter((each) => each["finishReason"] !== undefined)).toHaveLength(1);
      expect(new Set(chunks.map((chunk) => chunk["responseId"])).size).toBe(1);
    }
  }
});
