import { clockText } from "./calendar.ts";
import { isLeaf, type Predicate, type Term, type Tree } from "./condition.ts";

/**
 * A condition as CEL, the way a person would write it: explanations show it, and reading it again gives a condition that
 * decides alike. A schedule, which CEL has no word for, stands as a comment-like call.
 */
export function celText(tree: Tree<Predicate>): string {
  if (isLeaf(tree)) return predicateText(tree);
  if ("not" in tree) return `!(${celText(tree.not)})`;
  const [parts, join] = "all" in tree ? [tree.all, " && "] : [tree.any, " || "];
  return parts.map((each) => (isLeaf(each) ? celText(each) : `(${celText(each)})`)).join(join);
}

const SIGNS = { eq: "==", lt: "<", lte: "<=", gt: ">", gte: ">=" } as const;
const METHODS = { contains: "contains", starts_with: "startsWith", ends_with: "endsWith" } as const;

function predicateText(predicate: Predicate): string {
  switch (predicate.is) {
    case "within": {
      const { zone, days, from, to } = predicate.window;
      return `within(${days.join(",")} ${clockText(from)}-${clockText(to)} ${zone})`;
    }
    case "exists":
      return `${termText(predicate.of)} != null`;
    case "true":
      return termText(predicate.of);
    case "matches":
      return `${termText(predicate.of)}.matches(${JSON.stringify(predicate.pattern)})`;
    case "some":
    case "every":
      return `${termText(predicate.of)}.${predicate.is === "some" ? "exists" : "all"}(x, ${celText(predicate.where)})`;
    case "in":
      return `${termText(predicate.of[0])} in ${termText(predicate.of[1])}`;
    case "contains":
    case "starts_with":
    case "ends_with": {
      const [text, part] = predicate.of;
      return `${termText(text)}.${METHODS[predicate.is]}(${termText(part)})`;
    }
    default: {
      const [left, right] = predicate.of;
      return `${termText(left)} ${SIGNS[predicate.is]} ${termText(right)}`;
    }
  }
}

function termText(term: Term): string {
  if ("value" in term) return JSON.stringify(term.value);
  if ("item" in term) return "x";
  if ("size" in term) return `size(${termText(term.size)})`;
  if ("math" in term) return `(${termText(term.of[0])} ${term.math} ${termText(term.of[1])})`;
  const { signal } = term;
  if (/^[a-z_]+(\.[a-z_]\w*)+$/i.test(signal)) return signal;
  const dot = signal.indexOf(".");
  return `${signal.slice(0, dot)}[${JSON.stringify(signal.slice(dot + 1))}]`;
}
