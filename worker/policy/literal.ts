import {
  fingerprint,
  isLeaf,
  type Comparison,
  type Predicate,
  type Term,
  type Tree,
} from "./condition.ts";
import { linkTree, NO, YES } from "./evaluate.ts";

/** A predicate or its opposite. */
export interface Literal {
  predicate: Predicate;
  print: string;
  negated: boolean;
}

/** A way in which a condition holds: all of these literals. */
export type Branch = Literal[];

/** Values of one document's conditions that are compared with one another: some tenths of a second. */
const MOST_COMPARED = 500_000;

/** What the checks across conditions may still cost; beyond it everything is taken for possible and reachable. */
export class Effort {
  left = MOST_COMPARED;

  allows(cost: number): boolean {
    this.left -= cost;
    return this.left > 0;
  }
}

/** Conditions with more ways to hold are left unexamined: the checks would cost more than they tell. */
const MOST_BRANCHES = 32;

/** The disjunctive form of a tree; null where it has too many branches. */
export function split(tree: Tree<Predicate>, negated = false): Branch[] | null {
  if (isLeaf(tree)) return [[literal(tree, negated)]];
  if ("not" in tree) return split(tree.not, !negated);
  const parts = "all" in tree ? tree.all : tree.any;
  const parted = parts.map((each) => split(each, negated));
  if (parted.includes(null)) return null;
  const of = parted as Branch[][];
  const together = "all" in tree !== negated;
  if (!together) return of.flat().length > MOST_BRANCHES ? null : of.flat();
  let out: Branch[] = [[]];
  for (const branches of of) {
    out = out.flatMap((left) => branches.map((right) => [...left, ...right]));
    if (out.length > MOST_BRANCHES) return null;
  }
  return out;
}

export function literal(predicate: Predicate, negated = false): Literal {
  return { predicate, print: fingerprint(predicate), negated };
}

/** True when whatever meets `given` meets `wanted`. */
export function implies(given: Literal, wanted: Literal, effort: Effort): boolean {
  if (!effort.allows(weightOf(given) + weightOf(wanted))) return false;
  if (given.print === wanted.print) return given.negated === wanted.negated;
  const signal = onlySignal(given.predicate);
  if (signal === null || signal !== onlySignal(wanted.predicate)) return false;
  const values = finite(given);
  if (values !== null) return values.every(holdsFor(wanted, signal));
  if (wanted.predicate.is === "exists" && !wanted.negated) return !given.negated;
  const excluded = given.negated ? finite({ ...given, negated: false }) : null;
  if (excluded !== null && wanted.negated) {
    const known = new Set(excluded);
    return finite({ ...wanted, negated: false })?.every((value) => known.has(value)) === true;
  }
  const [tight, loose] = [boundOf(given), boundOf(wanted)];
  if (tight === null || loose === null || tight.up !== loose.up) return false;
  if (tight.at === loose.at) return loose.closed || !tight.closed;
  return tight.up ? tight.at < loose.at : tight.at > loose.at;
}

/** True when nothing meets both. */
export function excludes(a: Literal, b: Literal, effort: Effort): boolean {
  if (!effort.allows(weightOf(a) + weightOf(b))) return false;
  if (a.print === b.print) return a.negated !== b.negated;
  const signal = onlySignal(a.predicate);
  if (signal === null || signal !== onlySignal(b.predicate)) return false;
  const values = finite(a);
  const held = holdsFor(b, signal);
  if (values !== null) return values.every((value) => !held(value));
  const [low, high] = [boundOf(a), boundOf(b)];
  if (low === null || high === null || low.up || !high.up) return false;
  return low.at > high.at || (low.at === high.at && !(low.closed && high.closed));
}

/** The signal that a predicate is about, where it is one signal against constants. */
export function onlySignal(predicate: Predicate): string | null {
  if (predicate.is === "within" || "where" in predicate) return null;
  const terms = Array.isArray(predicate.of) ? predicate.of : [predicate.of];
  const [first, ...rest] = terms;
  if (first === undefined || !("signal" in first)) return null;
  return rest.every((each) => "value" in each) ? first.signal : null;
}

/** The values that a literal leaves to its signal, where they are few and known. */
function finite({ predicate, negated }: Literal): (string | number | boolean)[] | null {
  if (negated) return null;
  if (predicate.is === "true" && "signal" in predicate.of) return [true];
  if (predicate.is !== "eq" && predicate.is !== "in") return null;
  const value: Term = predicate.of[1];
  if (!("value" in value)) return null;
  return [value.value].flat() as (string | number | boolean)[];
}

/** Whether a literal holds where its one signal has a value. */
export function holdsFor(
  { predicate, negated }: Literal,
  signal: string,
): (value: string | number | boolean) => boolean {
  const ask = linkTree(predicate);
  return (value) => ask((name) => (name === signal ? value : undefined)) === (negated ? NO : YES);
}

/** Values that looking at a literal touches. */
function weightOf({ predicate }: Literal): number {
  const value = predicate.is === "in" ? predicate.of[1] : null;
  return value !== null && "value" in value && Array.isArray(value.value) ? value.value.length : 1;
}

/** An end of a number line: `up` for "at most". A negated bound is the other side of it, and holds for absence too. */
function boundOf({
  predicate,
  negated,
}: Literal): { up: boolean; at: number; closed: boolean } | null {
  if (negated || !["lt", "lte", "gt", "gte"].includes(predicate.is)) return null;
  const { is, of } = predicate as { is: Comparison; of: [Term, Term] };
  const value: Term = of[1];
  if (!("value" in value) || typeof value.value !== "number") return null;
  const name: string = is;
  return { up: name.startsWith("l"), at: value.value, closed: name.endsWith("e") };
}
