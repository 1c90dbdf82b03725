import type { SignalValue } from "../core/policy.ts";
import type { Weekday } from "./signals.ts";

/**
 * The one form that both ways of writing a condition compile to: plain JSON, so that a bundle holds it. A tree of `all`,
 * `any` and `not` over leaves; in a plan the leaves are indexes into its table of predicates, so that a predicate that
 * many rules share is decided once per request.
 */
export type Tree<Leaf> = Leaf | { all: Tree<Leaf>[] } | { any: Tree<Leaf>[] } | { not: Tree<Leaf> };

export type Condition = Tree<number>;

/** A value inside a predicate. `item` is the element that `some` and `every` look at. */
export type Term =
  | { value: Constant }
  | { signal: string }
  | { size: Term }
  | { math: "+" | "-" | "*" | "/" | "%"; of: [Term, Term] }
  | { item: true };

export type Constant = Exclude<SignalValue, null> | readonly number[];

export type Comparison = "eq" | "lt" | "lte" | "gt" | "gte";
export type TextTest = "contains" | "starts_with" | "ends_with";

/** A yes-or-no question about signals. An absent value equals nothing, is in nothing and compares with nothing. */
export type Predicate =
  | { is: Comparison; of: [Term, Term] }
  /** The first is an element of the second. */
  | { is: "in"; of: [Term, Term] }
  | { is: TextTest; of: [Term, Term] }
  | { is: "matches"; of: Term; pattern: string }
  | { is: "exists"; of: Term }
  | { is: "true"; of: Term }
  | { is: "some" | "every"; of: Term; where: Tree<Predicate> }
  /** Local time in a zone: on these days, from minute to minute of the day; `to` before `from` runs over midnight. */
  | { is: "within"; window: Window };

export interface Window {
  zone: string;
  days: readonly Weekday[];
  /** Minutes since midnight. */
  from: number;
  to: number;
}

/** True for a leaf of a tree. */
export function isLeaf<Leaf>(tree: Tree<Leaf>): tree is Leaf {
  return (
    typeof tree !== "object" || tree === null || !("all" in tree || "any" in tree || "not" in tree)
  );
}

/** The same tree over other leaves. */
export function mapTree<From, To>(tree: Tree<From>, leaf: (from: From) => Tree<To>): Tree<To> {
  if (isLeaf(tree)) return leaf(tree);
  if ("all" in tree) return { all: tree.all.map((each) => mapTree(each, leaf)) };
  if ("any" in tree) return { any: tree.any.map((each) => mapTree(each, leaf)) };
  return { not: mapTree(tree.not, leaf) };
}

/** Every leaf of a tree, in order. */
export function leavesOf<Leaf>(tree: Tree<Leaf>): Leaf[] {
  if (isLeaf(tree)) return [tree];
  if ("all" in tree) return tree.all.flatMap((each) => leavesOf(each));
  if ("any" in tree) return tree.any.flatMap((each) => leavesOf(each));
  return leavesOf(tree.not);
}

/** Full names of the signals that a predicate reads. */
export function signalsOf(predicate: Predicate): string[] {
  const names = new Set<string>();
  const ofTerm = (term: Term): void => {
    if ("signal" in term) names.add(term.signal);
    else if ("size" in term) ofTerm(term.size);
    else if ("math" in term) term.of.forEach(ofTerm);
  };
  const visit = (each: Predicate): void => {
    if (each.is === "within") return;
    if (Array.isArray(each.of)) each.of.forEach(ofTerm);
    else ofTerm(each.of);
    if ("where" in each) leavesOf(each.where).forEach(visit);
  };
  visit(predicate);
  return [...names];
}

/** A short text that two predicates share only if they ask the same: records name predicates by it. */
export function fingerprint(predicate: Predicate): string {
  const text = JSON.stringify(predicate);
  // cyrb53: 53 bits, enough to tell the few thousand predicates of a policy apart.
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36).padStart(11, "0");
}
