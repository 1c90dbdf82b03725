import { expect, it } from "vitest";
import type { Message } from "../../../worker/core/chat.ts";
import { turnOf } from "../../../worker/routing/smart/asked.ts";

const says = (role: Message["role"], text: string): Message => ({
  role,
  parts: [{ type: "text", text }],
});
const TALK = [says("user", "hi"), says("assistant", "Hello!"), says("user", "What is pH?")];

it("knows a question that is asked again in its conversation, and one of somebody who is named", () => {
  const turn = turnOf({ messages: TALK }, null);
  expect(turn).toEqual(expect.any(Number));
  expect(turnOf({ messages: structuredClone(TALK) }, null)).toBe(turn);
  const [hi] = TALK;
  const alone = turnOf({ messages: [hi!] }, "ann");
  expect(alone).toEqual(expect.any(Number));
  expect(turnOf({ messages: [hi!] }, "ann")).toBe(alone);
  expect(turnOf({ messages: [hi!] }, "ben")).not.toBe(alone);
});

it("does not take what monitors, batches and many users of one key send for a question asked again", () => {
  expect(
    turnOf({ messages: [says("system", "Be brief."), says("user", "ping")] }, null),
  ).toBeNull();
  // A template and what it is filled with at its end, or in its middle.
  const long = (fill: string) => [says("user", `${"rules ".repeat(2_000)}${fill}`)];
  expect(turnOf({ messages: long("one") }, "app")).not.toBe(
    turnOf({ messages: long("two") }, "app"),
  );
});

it("tells every step of an agent's loop from the one before", () => {
  const messages: Message[] = [says("user", "Fix the tests.")];
  const turns = new Set<number | null>();
  for (let at = 0; at < 50; at++) {
    messages.push(
      { role: "assistant", parts: [{ type: "toolCall", id: "c", name: "run", arguments: "{}" }] },
      {
        role: "tool",
        parts: [{ type: "toolResult", callId: "c", parts: [{ type: "text", text: "ok" }] }],
      },
    );
    turns.add(turnOf({ messages }, null));
  }
  expect(turns.size).toBe(50);
});
