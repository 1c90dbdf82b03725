// Requests of our own for every kind of task, written for this project: wordings/<category>.txt holds one a line, with "\\n"
// for a new line and {prose}, {mail}, {code} … for a text of wordings/materials.txt.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CATEGORIES, type Category } from "../../worker/routing/smart/categories.ts";

/** A request, and what it weighs beside others: a wording counts once, however many texts it is filled with. */
export interface Example {
  category: Category;
  prompt: string;
  weight: number;
}

const FILLED = 4;

const linesOf = (name: string) =>
  readFileSync(join(import.meta.dirname, "wordings", `${name}.txt`), "utf8")
    .split("\n")
    .filter((line) => line !== "");

/** Texts by the heading that they stand under. */
function materials(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let under: string[] = [];
  for (const line of linesOf("materials")) {
    if (line.startsWith("# ")) {
      under = found.get(line.slice(2)) ?? [];
      found.set(line.slice(2), under);
    } else under.push(unescaped(line));
  }
  return found;
}

function unescaped(line: string): string {
  return line.replaceAll(/\\([n\\])/g, (_, escaped: string) => (escaped === "n" ? "\n" : "\\"));
}

export function ownExamples(): Example[] {
  const texts = materials();
  const slot = new RegExp(`\\{(${[...texts.keys()].join("|")})\\}`, "g");
  let turn = 0;
  const filled = (line: string) =>
    line.replaceAll(slot, (_, name: string) => {
      const some = texts.get(name) ?? [];
      return some[turn++ % some.length] ?? "";
    });
  return CATEGORIES.flatMap((category) =>
    linesOf(category).flatMap((raw) => {
      const line = unescaped(raw);
      const times = line.search(slot) < 0 ? 1 : FILLED;
      return Array.from({ length: times }, () => ({
        category,
        prompt: filled(line),
        weight: 1 / Math.sqrt(times),
      }));
    }),
  );
}
