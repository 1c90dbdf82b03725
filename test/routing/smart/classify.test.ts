import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CATEGORIES } from "../../../worker/routing/smart/categories.ts";
import { classify, TIERS } from "../../../worker/routing/smart/classify.ts";
import { rankOf } from "../../../worker/routing/smart/rank.ts";
import { plainPrompt, promptOf } from "../../../worker/routing/smart/prompt.ts";
import type { ChatRequest, Message } from "../../../worker/core/chat.ts";

const of = (text: string) => classify(plainPrompt(text));

/** Wordings of our own, none of them in the training data. */
const WORDINGS: readonly [string, string][] = [
  ["translate", "Could you translate this into Norwegian: the shop closes at six"],
  ["translate", "How would you say 'I miss you' in Portuguese?"],
  ["chat", "hey there, how's it going?"],
  ["chat", "Thank you, bye!"],
  ["code", "My React component throws TypeError: x is undefined, what is wrong?"],
  ["code", "Implement an LRU cache class in Rust with unit tests."],
  [
    "summarize",
    `Give me the key takeaways of this memo.\n\n${"Sales rose in the north. ".repeat(30)}`,
  ],
  ["rewrite", "Make the following sentence more formal: gimme the report asap"],
  ["writing", "Write a short story about a lighthouse keeper who collects letters."],
  ["classify_extract", "Is the sentiment of this tweet positive or negative? 'Worst flight ever.'"],
  ["math", "What is the remainder when $7^{100}$ is divided by 13?"],
  ["reasoning", "Is the following argument valid? All cats sleep. Tom sleeps. So Tom is a cat."],
  [
    "reading",
    `Passage: ${"The river floods in spring. ".repeat(20)}\nQuestion: When does the river flood?`,
  ],
  ["knowledge", "What is the chemical symbol of potassium?"],
];

describe("the classifier", () => {
  it.each(WORDINGS)("names the task %s of a wording it was not made from", (task, text) => {
    expect(of(text).task).toBe(task);
  });

  it("puts code that is hard to get right above what fits on a line, both known as code", () => {
    const rank = (text: string) => {
      const { task, need } = of(text);
      expect([text, task]).toEqual([text, "code"]);
      return rankOf(need);
    };
    const hard = [
      "Debug this race condition in our payment worker: two consumers sometimes charge the same invoice.",
      "Refactor this monolith into services without downtime and keep transactions consistent.",
      "Our tests are flaky only in CI; find the ordering dependency.",
      "Why does this mutex deadlock when two goroutines enter the handler at once?",
    ].map(rank);
    const easy = [
      "SQL query that counts rows",
      "Write a SQL query that counts rows in a table.",
      "How do I reverse a string in JavaScript?",
      "git command to undo last commit",
      "Print hello world in Rust",
    ].map(rank);
    expect(Math.min(...hard)).toBeGreaterThan(0.85);
    expect(Math.max(...easy)).toBeLessThan(0.6);
    // Words of software alone do not make code of other things, and what is guessed of nonsense moves no score.
    for (const text of [
      "What is the dress code at a wedding in Italy?",
      "How do I convert miles to kilometres?",
    ])
      expect([text, of(text).task]).not.toEqual([text, "code"]);
    const nonsense = of("The waiters queued at the tables and the class took its tests.");
    expect(nonsense.by).not.toBe("rule");
    expect(rankOf(nonsense.need)).toBeLessThan(0.6);
  });

  it("takes any text: known names, chances within 0 and 1 that rise with the tier, the same twice", () => {
    const anyText = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.string({ maxLength: 600 }),
      fc.constantFrom(
        "",
        "\0",
        "\ud800",
        "a".repeat(100_000),
        "$".repeat(5000),
        "(A) ".repeat(3000),
      ),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const said = of(text);
        expect(CATEGORIES).toContain(said.task);
        expect(TIERS).toContain(said.difficulty);
        expect(said.need).toBeGreaterThanOrEqual(0);
        expect(said.need).toBeLessThanOrEqual(1);
        const chances = TIERS.map((tier) => said.solves[tier]);
        expect(chances).toEqual(chances.toSorted((a, b) => a - b));
        expect(of(text)).toEqual(said);
      }),
      { numRuns: 100 },
    );
  });

  it("does not look at letter case, nor at how answer options are labelled", () => {
    const question = (labels: string[]) =>
      `Which metal is liquid at room temperature?\n${["Iron", "Mercury", "Zinc", "Tin"].map((each, at) => `${labels[at]} ${each}`).join("\n")}\nAnswer:`;
    const { need } = of(question(["A.", "B.", "C.", "D."]));
    expect(of(question(["1)", "2)", "3)", "4)"]).toUpperCase()).need).toBeCloseTo(need, 2);
    expect(of(question(["(w)", "(x)", "(y)", "(z)"])).need).toBeCloseTo(need, 2);
  });

  it("says of other languages and of noise that they are unfamiliar, and not of plain English", () => {
    expect(of("Напиши мне, пожалуйста, короткий отчёт о продажах").unfamiliar).toBe(true);
    expect(of("qwpz vbnm xxcv lkjh zzxq").unfamiliar).toBe(true);
    expect(of("Please compare the two plans and tell me which one is cheaper.").unfamiliar).toBe(
      false,
    );
  });

  it("asks for more where the work is harder", () => {
    const easy = of("hi").need;
    const middle = of("Write a poem about autumn").need;
    const hard = of("Implement a lock-free queue in C++ and prove that it is linearizable.").need;
    expect(easy).toBeLessThan(middle);
    expect(middle).toBeLessThan(hard);
  });
});

it("ranks easy code below hard code", () => {
  const add = of("Write a Python function that adds two numbers.").need;
  const loop = of("Write a for loop in C that prints 1 to 10.").need;
  const raft = "Implement the Raft consensus algorithm in Java with log compaction.";
  const list =
    "Implement a lock-free concurrent skip list in C++ and prove that it is linearizable.";
  for (const hard of [raft, list]) expect(of(hard).need).toBeGreaterThan(Math.max(add, loop));
});

const user = (text: string): Message => ({ role: "user", parts: [{ type: "text", text }] });
const chat = (messages: Message[]): ChatRequest => ({
  model: "smart/balanced",
  messages,
  stream: false,
  streamUsage: false,
  sampling: {},
  tools: [],
  extra: {},
  dialect: "openai-chat",
});

describe("the prompt of a request", () => {
  const messages: Message[] = [
    { role: "system", parts: [{ type: "text", text: "secret rules" }] },
    user("first question"),
    { role: "assistant", parts: [{ type: "toolCall", id: "1", name: "f", arguments: "{}" }] },
    {
      role: "tool",
      parts: [{ type: "toolResult", callId: "1", parts: [{ type: "text", text: "42" }] }],
    },
    user("last question"),
  ];

  it("is the last user turn, never the system's words or a tool's", () => {
    expect(promptOf(chat(messages)).text).toBe("last question");
    expect(promptOf(chat(messages.slice(0, 4))).text).toBe("first question");
  });

  it("is the same for a turn whatever came after it", () => {
    const first = promptOf(chat(messages), 1);
    expect(first).toEqual(promptOf(chat(messages.slice(0, 2))));
    expect(promptOf(chat(messages.slice(0, 4)))).toEqual(first);
    expect(first.text).toBe("first question");
  });
});
