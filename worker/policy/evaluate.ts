import type { SignalValue } from "../core/policy.ts";
import { Clock } from "./calendar.ts";
import { fingerprint, isLeaf, signalsOf } from "./condition.ts";
import type { Condition, Constant, Predicate, Term, Tree } from "./condition.ts";
import { readPattern, type Pattern } from "./pattern.ts";
import type { Plan, Rule } from "./plan.ts";
import { signalFacts } from "./signals.ts";

/** Reads a signal by its full name: null is absent, undefined unknown. */
export type ReadSignal = (name: string) => SignalValue | undefined;

/** What a decision stands on: signals, the time for schedules, or outcomes that were recorded instead of values. */
export interface Facts {
  /** Called at most once per signal, and only for those that the plan comes to. */
  read: ReadSignal;
  /** Unix milliseconds. */
  now: number;
  /**
   * Recorded answers by fingerprint; undefined for a predicate that has none. `hidden` ones have no values on record.
   */
  recorded?: (print: string, hidden: boolean) => Answer | undefined;
}

/** No, yes, unknown (a signal without a value), failed (arithmetic that has no result). */
export const NO = 0;
export const YES = 1;
export const UNKNOWN = 2;
export const FAILED = 3;
export type Answer = 0 | 1 | 2 | 3;

/** What a plan makes of one request. */
export interface Evaluation {
  /** Index of the first rule that matches, -1 where none does. */
  rule: number;
  /** Indexes of all constraints that apply. */
  constraints: number[];
  /** Rules and constraints whose condition failed: the former do not match, the latter apply. */
  failed: string[];
  /** Everything that was looked at. */
  trace: Trace;
}

/** The answers of one evaluation so far. */
export interface Trace {
  /** By predicate; 255 = not asked. */
  answers: Uint8Array;
  values: Map<string, SignalValue | undefined>;
}

type Test = (facts: Facts, values: Trace["values"], item: string | null) => Answer;
type Ask = (facts: Facts, trace: Trace) => Answer;
type Value = SignalValue | readonly number[] | undefined;

const NOT_ASKED = 255;

/** A plan made ready to decide: built once per isolate, it allocates little per request and keeps nothing of it. */
export interface Linked {
  plan: Plan;
  evaluate(facts: Facts): Evaluation;
  /** Every rule up to the first match, and every constraint, with its answer. */
  answers(facts: Facts): { rules: Answer[]; constraints: Answer[]; evaluation: Evaluation };
  predicates: readonly LinkedPredicate[];
}

export interface LinkedPredicate {
  predicate: Predicate;
  print: string;
  signals: readonly string[];
  /** Records keep its outcome instead of the values that it read. */
  private: boolean;
}

export function link(plan: Plan): Linked {
  const clock = new Clock();
  const predicates = plan.predicates.map((predicate): LinkedPredicate => {
    const signals = signalsOf(predicate);
    const hidden = signals.some((name) => signalFacts(name).private === true);
    return {
      predicate,
      print: fingerprint(predicate),
      signals,
      private: hidden || predicate.is === "within",
    };
  });
  const tests = plan.predicates.map((predicate) => testOf(predicate, clock));
  const ask = (index: number, facts: Facts, trace: Trace): Answer => {
    const known = trace.answers[index] as number;
    if (known !== NOT_ASKED) return known as Answer;
    const { print = "", private: hidden = false } = predicates[index] ?? {};
    const recorded = facts.recorded?.(print, hidden);
    const answer = recorded ?? (tests[index] as Test)(facts, trace.values, null);
    trace.answers[index] = answer;
    return answer;
  };
  const always: Ask = () => YES;
  const compiled = (when: Condition | null): Ask => (when === null ? always : combined(when, ask));
  const rules = plan.rules.map((rule) => ({ rule, ask: compiled(rule.when) }));
  const constraints = plan.constraints.map(({ when }) => compiled(when));
  const begin = (): Trace => ({
    answers: new Uint8Array(tests.length).fill(NOT_ASKED),
    values: new Map(),
  });
  const evaluate = (
    facts: Facts,
    seen?: { rules: Answer[]; constraints: Answer[] },
  ): Evaluation => {
    const trace = begin();
    const failed: string[] = [];
    const applying: number[] = [];
    for (let i = 0; i < constraints.length; i++) {
      const answer = (constraints[i] as Ask)(facts, trace);
      seen?.constraints.push(answer);
      if (answer !== NO) applying.push(i);
      if (answer === FAILED) failed.push(plan.constraints[i]?.id ?? "");
    }
    let rule = -1;
    for (let i = 0; i < rules.length && rule < 0; i++) {
      const each = rules[i] as { rule: Rule; ask: Ask };
      const answer = each.ask(facts, trace);
      seen?.rules.push(answer);
      if (answer === FAILED) failed.push(each.rule.id);
      if (answer === YES || (answer === UNKNOWN && each.rule.onUnknown === "match")) rule = i;
    }
    return { rule, constraints: applying, failed, trace };
  };
  return {
    plan,
    predicates,
    evaluate: (facts) => evaluate(facts),
    answers(facts) {
      const seen = { rules: [] as Answer[], constraints: [] as Answer[] };
      const evaluation = evaluate(facts, seen);
      return { ...seen, evaluation };
    },
  };
}

/** Three-valued logic over a tree: what is certain wins over what is unknown, and that over what failed. */
function combined<Leaf>(
  tree: Tree<Leaf>,
  ask: (leaf: Leaf, facts: Facts, trace: Trace) => Answer,
): Ask {
  if (isLeaf(tree)) return (facts, trace) => ask(tree, facts, trace);
  if ("not" in tree) {
    const inner = combined(tree.not, ask);
    return (facts, trace) => opposite(inner(facts, trace));
  }
  const [parts, certain] = "all" in tree ? [tree.all, NO as Answer] : [tree.any, YES as Answer];
  const asks = parts.map((each) => combined(each, ask));
  return (facts, trace) => {
    let out: Answer = certain === NO ? YES : NO;
    for (const each of asks) {
      const answer = each(facts, trace);
      if (answer === certain) return certain;
      if (answer === UNKNOWN || (answer === FAILED && out !== UNKNOWN)) out = answer;
    }
    return out;
  };
}

function opposite(answer: Answer): Answer {
  return answer === YES ? NO : answer === NO ? YES : answer;
}

/** Decides a tree of predicates that stand in it themselves: of an element, or of a target. */
export function linkTree(tree: Tree<Predicate>): (read: ReadSignal) => Answer {
  const clock = new Clock();
  const asks = treeOf(tree, clock);
  return (read) => asks({ read, now: 0 }, new Map(), null);
}

function treeOf(tree: Tree<Predicate>, clock: Clock): Test {
  if (isLeaf(tree)) return testOf(tree, clock);
  if ("not" in tree) {
    const inner = treeOf(tree.not, clock);
    return (facts, values, item) => opposite(inner(facts, values, item));
  }
  const [parts, certain] = "all" in tree ? [tree.all, NO as Answer] : [tree.any, YES as Answer];
  const tests = parts.map((each) => treeOf(each, clock));
  return (facts, values, item) => {
    let out: Answer = certain === NO ? YES : NO;
    for (const each of tests) {
      const answer = each(facts, values, item);
      if (answer === certain) return certain;
      if (answer === UNKNOWN || (answer === FAILED && out !== UNKNOWN)) out = answer;
    }
    return out;
  };
}

class Failed extends Error {}

function testOf(predicate: Predicate, clock: Clock): Test {
  if (predicate.is === "within") {
    const { window } = predicate;
    return (facts) => (clock.within(facts.now, window) ? YES : NO);
  }
  const test = bare(predicate, clock);
  return (facts, values, item) => {
    try {
      return test(facts, values, item);
    } catch (cause) {
      if (cause instanceof Failed) return FAILED;
      throw cause;
    }
  };
}

type Get = (facts: Facts, values: Trace["values"], item: string | null) => Value;

function bare(predicate: Exclude<Predicate, { is: "within" }>, clock: Clock): Test {
  switch (predicate.is) {
    case "exists": {
      const get = termOf(predicate.of);
      return (facts, values, item) => {
        const value = get(facts, values, item);
        return value === undefined ? UNKNOWN : value === null ? NO : YES;
      };
    }
    case "true": {
      const get = termOf(predicate.of);
      return (facts, values, item) => {
        const value = get(facts, values, item);
        return value === undefined ? UNKNOWN : value === true ? YES : NO;
      };
    }
    case "matches": {
      const get = termOf(predicate.of);
      const pattern: Pattern = readPattern(predicate.pattern);
      return (facts, values, item) => {
        const value = get(facts, values, item);
        if (value === undefined) return UNKNOWN;
        return typeof value === "string" && pattern.occursIn(value) ? YES : NO;
      };
    }
    case "some":
    case "every": {
      const get = termOf(predicate.of);
      const where = treeOf(predicate.where, clock);
      const certain: Answer = predicate.is === "some" ? YES : NO;
      return (facts, values, item) => {
        const list = get(facts, values, item);
        if (list === undefined) return UNKNOWN;
        let out = opposite(certain);
        if (!Array.isArray(list)) return predicate.is === "some" ? NO : list === null ? YES : NO;
        for (const each of list as readonly string[]) {
          const answer = where(facts, values, each);
          if (answer === certain) return certain;
          if (answer !== opposite(certain)) out = answer;
        }
        return out;
      };
    }
    default:
      return pairTest(predicate);
  }
}

function pairTest(predicate: Extract<Predicate, { of: [Term, Term] }>): Test {
  const [first, second] = predicate.of;
  const left = termOf(first);
  const right = termOf(second);
  const holds = PAIRS[predicate.is];
  // A long constant list is looked up, not walked.
  if (predicate.is === "in" && "value" in second && Array.isArray(second.value)) {
    const known = new Set<unknown>(second.value);
    return (facts, values, item) => {
      const value = left(facts, values, item);
      return value === undefined ? UNKNOWN : known.has(value) ? YES : NO;
    };
  }
  return (facts, values, item) => {
    const a = left(facts, values, item);
    const b = right(facts, values, item);
    if (a === undefined || b === undefined) return UNKNOWN;
    return holds(a, b) ? YES : NO;
  };
}

type Known = Exclude<Value, undefined>;

/** Values of unlike types are unequal and not in order. */
const PAIRS: Record<
  Extract<Predicate, { of: [Term, Term] }>["is"],
  (a: Known, b: Known) => boolean
> = {
  eq: (a, b) => a !== null && a === b,
  lt: (a, b) => typeof a === "number" && typeof b === "number" && a < b,
  lte: (a, b) => typeof a === "number" && typeof b === "number" && a <= b,
  gt: (a, b) => typeof a === "number" && typeof b === "number" && a > b,
  gte: (a, b) => typeof a === "number" && typeof b === "number" && a >= b,
  in: (a, b) => Array.isArray(b) && (b as readonly unknown[]).includes(a),
  contains: (a, b) => typeof a === "string" && typeof b === "string" && a.includes(b),
  starts_with: (a, b) => typeof a === "string" && typeof b === "string" && a.startsWith(b),
  ends_with: (a, b) => typeof a === "string" && typeof b === "string" && a.endsWith(b),
};

function termOf(term: Term): Get {
  if ("value" in term) {
    const value: Constant = term.value;
    return () => value;
  }
  if ("item" in term) return (_facts, _values, item) => item;
  if ("signal" in term) {
    const name = term.signal;
    return (facts, values) => {
      const known = values.get(name);
      if (known !== undefined || values.has(name)) return known;
      const value = facts.read(name);
      values.set(name, value);
      return value;
    };
  }
  if ("size" in term) {
    const get = termOf(term.size);
    return (facts, values, item) => {
      const value = get(facts, values, item);
      if (value === undefined) return undefined;
      return typeof value === "string" || Array.isArray(value) ? value.length : 0;
    };
  }
  const [left, right] = [termOf(term.of[0]), termOf(term.of[1])];
  const { math } = term;
  return (facts, values, item) => {
    const a = left(facts, values, item);
    const b = right(facts, values, item);
    if (a === undefined || b === undefined) return undefined;
    if (typeof a !== "number" || typeof b !== "number") throw new Failed();
    const out =
      math === "+"
        ? a + b
        : math === "-"
          ? a - b
          : math === "*"
            ? a * b
            : math === "/"
              ? a / b
              : a % b;
    if (!Number.isFinite(out)) throw new Failed();
    return out;
  };
}
