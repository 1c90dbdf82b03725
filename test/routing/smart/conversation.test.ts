import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChatRequest, Message } from "../../../worker/core/chat.ts";
import { routeConversation, type RouteFacts } from "../../../worker/routing/smart/conversation.ts";
import { PRESETS } from "../../../worker/routing/smart/dial.ts";
import { OPTIONS } from "./options.ts";

const user = (text: string): Message => ({ role: "user", parts: [{ type: "text", text }] });
const assistant = (text: string): Message => ({
  role: "assistant",
  parts: [{ type: "text", text }],
});
const chat = (messages: Message[]): ChatRequest => ({
  model: "smart/balanced",
  messages,
  stream: false,
  streamUsage: false,
  sampling: {},
  tools: [{ type: "function", name: "run" }],
  extra: {},
  dialect: "openai-chat",
});
const FACTS: RouteFacts = {
  options: OPTIONS,
  able: () => true,
  healthy: () => true,
  dial: { quality: 5, saves: "cost" },
};
const HARD =
  "Now implement a lock-free concurrent skip list in C++ with unit tests and prove that it is linearizable.";

describe("a conversation", () => {
  it("keeps its home model over an agent loop of 50 turns, whatever the tools say", () => {
    const messages: Message[] = [
      user("Fix the failing unit tests in this repository and explain each change."),
    ];
    const home = routeConversation(chat(messages), FACTS).order[0];
    for (let turn = 0; turn < 50; turn++) {
      messages.push(
        {
          role: "assistant",
          parts: [{ type: "toolCall", id: `c${turn}`, name: "run", arguments: `{"n":${turn}}` }],
        },
        {
          role: "tool",
          parts: [
            {
              type: "toolResult",
              callId: `c${turn}`,
              parts: [{ type: "text", text: `${HARD} `.repeat(turn) }],
            },
          ],
        },
      );
      const routed = routeConversation(chat(messages), FACTS);
      expect([routed.order[0], routed.home]).toEqual([home, home]);
    }
  });

  it("keeps its home whatever was measured of latencies, and leaves for the moment what is far slower than the others", () => {
    const fast = PRESETS["fast"]!;
    const measured = (latencies: readonly (number | null)[]) =>
      routeConversation(chat([user("hi"), assistant("Hello!"), user("What is pH?")]), {
        ...FACTS,
        dial: fast,
        options: OPTIONS.map((each, at) => ({ ...each, latency: latencies[at] ?? null })),
      });
    const { home, order } = measured([]);
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(60_000)), { maxLength: OPTIONS.length }), (list) => {
        const again = measured(list);
        expect([again.home, again.order]).toEqual([home, order]);
      }),
    );
    const slow = routeConversation(chat([user("hi")]), {
      ...FACTS,
      dial: fast,
      slow: ({ group }) => group === home,
    });
    expect([slow.home, slow.order.at(-1), slow.reason]).toEqual([home, home, "slow"]);
    expect(slow.order.toSorted()).toEqual(order.toSorted());
  });

  it("begins with a picture alone at what can see, and names nothing else as a candidate", () => {
    const picture: Message = {
      role: "user",
      parts: [{ type: "image", source: { type: "url", url: "https://example.com/a.png" } }],
    };
    const routed = routeConversation(chat([picture]), {
      ...FACTS,
      able: ({ belief }, needs) => !needs.has("images") || belief.vendor === "openai",
    });
    expect(routed.scored.map(({ group }) => group)).toEqual(["openai/gpt-4o-mini", "openai/gpt-5"]);
    expect(routed.home).toBe(routed.order[0]);
    expect(routed.reason).toBe("need");
    // A picture that a tool took, in the middle of a loop: for the moment what can see serves.
    const tool: Message = {
      role: "tool",
      parts: [{ type: "toolResult", callId: "c", parts: picture.parts }],
    };
    const later = routeConversation(chat([user(HARD), assistant("Looking."), tool]), {
      ...FACTS,
      able: ({ belief }, needs) => !needs.has("images") || belief.vendor === "openai",
    });
    expect([later.home, later.reason]).toEqual(["anthropic/claude-opus-5", "ability"]);
    expect(later.order.every((group) => group.startsWith("openai/"))).toBe(true);
  });

  it("prefers who is known to be able to who is only not known to be unable, and keeps those behind", () => {
    const known = ["openai/gpt-5", "anthropic/claude-opus-5"];
    const { order, scored } = routeConversation(chat([user("hi")]), {
      ...FACTS,
      sure: ({ group }) => known.includes(group),
    });
    expect(known).toContain(order[0]);
    expect(scored.map(({ group }) => group).toSorted()).toEqual(known.toSorted());
    expect(order.toSorted()).toEqual(OPTIONS.map(({ group }) => group).toSorted());
    const nobody = routeConversation(chat([user("hi")]), { ...FACTS, sure: () => false });
    expect(nobody.order).toEqual(routeConversation(chat([user("hi")]), FACTS).order);
  });

  it("counts tokens by script, and the tools with them", () => {
    const rooms: number[] = [];
    const room = (messages: Message[], tools: ChatRequest["tools"] = []) => {
      rooms.length = 0;
      routeConversation(
        { ...chat(messages), tools },
        {
          ...FACTS,
          able: (_, __, tokens) => rooms.push(tokens) > 0,
        },
      );
      return Math.max(...rooms);
    };
    const english = room([user("a".repeat(40_000))]);
    expect(room([user("字".repeat(40_000))])).toBeGreaterThan(1.9 * english);
    const described = { type: "function" as const, name: "run", description: "d".repeat(40_000) };
    expect(room([user("hi")], [described])).toBeGreaterThan(9_000);
  });

  it("never comes down: small talk after hard work stays where the work was", () => {
    const messages: Message[] = [user(HARD)];
    const first = routeConversation(chat(messages), FACTS).order[0];
    for (let turn = 0; turn < 20; turn++) {
      messages.push(assistant("Done."), user("thanks"));
      expect(routeConversation(chat(messages), FACTS).order[0]).toBe(first);
    }
  });

  it("rises where the gain is worth the lost prefix, stays up, and does not where the prefix is too dear", () => {
    const short: Message[] = [user("hi"), assistant("Hello!"), user(HARD)];
    const rich: RouteFacts = { ...FACTS, dial: { quality: 5, saves: "cost" } };
    const low = routeConversation(chat(short.slice(0, 1)), rich);
    const rose = routeConversation(chat(short), rich);
    expect(rose.reason).toBe("rose");
    expect(rose.order[0]).not.toBe(low.order[0]);
    const after = routeConversation(
      chat([...short, assistant("int main() {}"), user("thanks")]),
      rich,
    );
    expect(after.order[0]).toBe(rose.order[0]);
    const long: Message[] = [user("hi"), assistant("word ".repeat(4_000_000 / 5)), user(HARD)];
    expect(routeConversation(chat(long), rich).order[0]).toBe(low.order[0]);
  });

  it("does not leave a model whose signed thinking stands in its history", () => {
    const rich: RouteFacts = { ...FACTS, dial: { quality: 5, saves: "cost" } };
    const signed: Message = {
      role: "assistant",
      parts: [
        { type: "thinking", text: "", signature: "s" },
        { type: "text", text: "Hello!" },
      ],
    };
    const routed = routeConversation(chat([user("hi"), signed, user(HARD)]), rich);
    expect(routed.order[0]).toBe(routed.home);
    const unsigned = routeConversation(chat([user("hi"), assistant("Hello!"), user(HARD)]), rich);
    expect(unsigned.order[0]).not.toBe(unsigned.home);
  });

  it("yields to health for the moment and is at home again afterwards", () => {
    const messages = [user("hi"), assistant("Hello!"), user("how are you?")];
    const { home } = routeConversation(chat(messages), FACTS);
    const sick = routeConversation(chat(messages), {
      ...FACTS,
      healthy: ({ group }) => group !== home,
    });
    expect(sick.order).not.toContain(home);
    expect(sick.order.length).toBe(OPTIONS.length - 1);
    expect(routeConversation(chat(messages), FACTS).order[0]).toBe(home);
  });

  it("never chooses what is not able, whatever else is true", () => {
    const anyTexts = fc.array(fc.constantFrom("hi", HARD, "Translate this: tea", "Solve $x^2=4$"), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(anyTexts, fc.nat(10), fc.subarray([...OPTIONS]), (texts, quality, able) => {
        const routed = routeConversation(
          chat(texts.flatMap((text) => [user(text), assistant("ok")])),
          {
            ...FACTS,
            dial: { quality, saves: "cost" },
            able: (each) => able.includes(each),
          },
        );
        expect(routed.order.toSorted()).toEqual(able.map(({ group }) => group).toSorted());
      }),
    );
  });
});
