import { describe, expect, it } from "vitest";
import { text } from "../support/upstream/index.ts";
import { oneMessage } from "./one-message.ts";
import { OTHERS, SAID, sizes, tell, WIRES } from "./story.ts";

/* Providers whose protocol no caller speaks: lines of JSON, AWS's binary events, Cohere's own. */

const ROUTES = WIRES.flatMap((client) =>
  OTHERS.flatMap((other, n) => [
    { client, first: other, second: client },
    { client, first: client, second: other },
    { client, first: other, second: OTHERS[(n + 1) % OTHERS.length]! },
  ]),
);

describe.each(ROUTES)("to $client, from $first, cut, then $second", (route) => {
  it("is one whole message wherever between two events the first one broke", async () => {
    const story = { ...route, behaviour: text(SAID) };
    const { events } = await sizes(story);
    expect(events).toBeGreaterThan(15);
    for (let cut = 0; cut <= events; cut++) {
      const after = cut % 2 === 0 ? "end" : "break";
      const { stream, error, progress } = await tell({ ...story, cut: { events: cut }, after });
      expect(error, `cut after ${cut}`).toBeNull();
      // A finish reason suffices at a clean end.
      if (!stream.includes("[DONE]") && route.client === "openai-chat") continue;
      const { told } = oneMessage(route.client, stream);
      expect(told, `cut after ${cut}`).toMatchObject({ text: SAID, finish: "stop" });
      if (progress.attempts.length > 1) expect(told.usage?.completion).toBeGreaterThan(0);
    }
  });
});

it.each(OTHERS)("from %s it is one whole message at whatever byte that broke", async (first) => {
  const said = "One, “two”, 大🙂 3.";
  const story = {
    client: "anthropic",
    first,
    second: "openai-chat",
    behaviour: text(said),
  } as const;
  const { bytes } = await sizes(story);
  for (let cut = 0; cut < bytes; cut += 5) {
    const after = cut % 2 === 0 ? "end" : "break";
    const { stream, error } = await tell({ ...story, cut: { bytes: cut }, after });
    expect(error, `cut at ${cut}`).toBeNull();
    expect(oneMessage("anthropic", stream).told.text, `cut at ${cut}`).toBe(said);
  }
});
