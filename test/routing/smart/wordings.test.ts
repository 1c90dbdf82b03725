import { describe, expect, it } from "vitest";
import { classify } from "../../../worker/routing/smart/classify.ts";
import { plainPrompt } from "../../../worker/routing/smart/prompt.ts";
import { rankOf } from "../../../worker/routing/smart/rank.ts";

const of = (text: string) => classify(plainPrompt(text));
const rank = (text: string) => rankOf(of(text).need);

describe("a request behind a greeting", () => {
  it.each([
    ["thanks, now refactor the auth module to be async", "code"],
    ["ok, now fix the failing tests", "code"],
    ["hey can you solve this integral for me", "math"],
    ["Great, now translate it into French", "translate"],
    ["sure, summarize the article above", "summarize"],
    ["cool. write a python script that renames files", "code"],
    ["hi 2+2", "math"],
  ])("is that request: %s", (text, task) => {
    expect(of(text).task).toBe(task);
  });

  it("is none where nothing but small talk follows", () => {
    for (const text of [
      "Hello, how are you doing today?",
      "ok great, thank you so much for your help!",
      "Hallo, wie geht es dir?",
      "hola, ¿qué tal?",
      "你好！",
      "مرحبا كيف حالك",
    ]) {
      const { task, difficulty, unfamiliar } = of(text);
      expect([text, task, difficulty, unfamiliar]).toEqual([text, "chat", "LIGHT", false]);
    }
  });
});

describe("another language", () => {
  it("is unfamiliar, however short and in whatever script", () => {
    for (const text of [
      "Was ist die Hauptstadt von Frankreich?",
      "¿Cuál es la capital de Francia?",
      "Bonjour, peux-tu m'aider à rédiger un e-mail ?",
      "Qual è la differenza tra questi due contratti?",
      "Hoe kan ik dit het beste uitleggen?",
      "法国的首都是哪里?",
      "証明してください：素数は無限に存在する",
      "Докажите, что простых чисел бесконечно много.",
      "किताब कहाँ है",
    ])
      expect([text, of(text).unfamiliar]).toEqual([text, true]);
  });

  it("is not what English with foreign words, names or symbols in it is", () => {
    for (const text of [
      "What does the German word Schadenfreude mean, and how do I use it?",
      "Write a letter in French that begins with 'Je suis'.",
      "Who was Oscar de la Renta, and what is he known for?",
      "Let α and β be the roots of x² − 5x + 6 = 0; find α³ + β³.",
    ])
      expect([text, of(text).unfamiliar]).toEqual([text, false]);
  });

  it("has its plainest tasks named all the same", () => {
    for (const [text, task] of [
      ["Übersetze 'Guten Morgen' ins Englische", "translate"],
      ["请帮我写一个快速排序算法", "code"],
      ["Schreibe eine Funktion in Python, die zwei Zahlen addiert.", "code"],
      ["Résume ce texte en trois phrases : le marché a reculé.", "summarize"],
      ["Докажите, что простых чисел бесконечно много.", "math"],
    ] as const)
      expect([text, of(text).task]).toEqual([text, task]);
  });
});

describe("the length of a text", () => {
  const TEXT =
    "The council met on Tuesday to discuss the new budget for roads and schools. Several members said that it was too costly. ";

  it("does not make it harder to summarize, translate, reword or sort", () => {
    for (const ask of [
      "Summarize this article in three sentences.",
      "Translate the following text into French:",
      "Make this text more formal:",
      "Is the sentiment of this text positive or negative?",
    ]) {
      const ranks = [8, 64, 2_000, 80_000].map((times) => rank(`${ask}\n\n${TEXT.repeat(times)}`));
      expect(Math.max(...ranks), ask).toBeLessThan(0.72);
      expect(Math.max(...ranks) - Math.min(...ranks), ask).toBeLessThan(0.05);
    }
  });
});

it("asks for more where somebody answers for the work, and where care is asked for", () => {
  const trivia = Math.max(
    rank("What is the capital of France?"),
    rank("Who sang that song, and when was it released?"),
  );
  for (const text of [
    "Draft a legal contract clause limiting liability for consequential damages under Delaware law",
    "Analyze the attached financial statements and identify risks",
    "Our Postgres database locks up at night when the batch job runs; find out why and propose a fix",
    "Explain how transformers work in detail, with the mathematics of attention",
  ])
    expect(rank(text), text).toBeGreaterThan(trivia + 0.2);
});

it("takes a proof for hard however short it is told, and a long greeting for talk", () => {
  for (const text of [
    "Prove the Riemann hypothesis for function fields over finite fields.",
    "Let G be a finite group such that every proper subgroup is abelian. Show that G is solvable.",
    "show that every compact metric space is separable",
  ]) {
    expect([text, of(text).task]).toEqual([text, "math"]);
    expect(rank(text), text).toBeGreaterThan(0.45);
  }
  expect(of("show the field names of the table").task).not.toBe("math");
  const greeting = `Hello dear assistant! ${"I hope you had a wonderful day and that everything is going well for you. ".repeat(12)}`;
  expect(of(greeting).task).toBe("chat");
  expect(of(greeting).difficulty).toBe("LIGHT");
  expect(rank(greeting)).toBeLessThan(0.2);
  for (const text of ["", " \n", "?!", "…"]) expect([text, of(text).by]).toEqual([text, "default"]);
});
