import { isMap, isSeq } from "yaml";
import type { Node } from "yaml";
import type { Constant, Predicate, Term, Tree } from "./condition.ts";
import { saw, short, type Member, type Source } from "./document.ts";
import { misplacedInWhen } from "./misplaced.ts";
import { hint } from "./nearest.ts";
import {
  kindOf,
  MOST_LISTED,
  patternFor,
  signalNamed,
  textOf,
  typeName,
  unequal,
  unordered,
} from "./operands.ts";
import { PatternFault } from "./pattern.ts";
import { asRead, FAMILIES, SIGNAL_NAMES, type SignalFacts } from "./signals.ts";

/** Names that a document gave to values, under `constants:`. */
export type Constants = ReadonlyMap<string, Constant>;

const OPERATORS = [
  "eq",
  "ne",
  "gt",
  "gte",
  "lt",
  "lte",
  "between",
  "in",
  "not_in",
  "contains",
  "starts_with",
  "matches",
  "exists",
] as const;
type Operator = (typeof OPERATORS)[number];

const GROUPS = ["all", "any", "not"] as const;
/** What stands before the dot in the name of a signal. */
const CLASSES: readonly string[] = [
  ...new Set([...SIGNAL_NAMES, ...Object.keys(FAMILIES)].map((name) => name.split(".")[0] ?? "")),
];
const MOST_DEPTH = 8;

/**
 * Reads the map form of a condition: every member has to hold. Null, with faults at the source, where it can't be read.
 */
export function readWhenMap(
  source: Source,
  node: Node | null,
  constants: Constants,
  depth = 0,
): Tree<Predicate> | null {
  if (depth > MOST_DEPTH) {
    source.error(node, "too_large", `conditions are nested deeper than ${MOST_DEPTH} levels`);
    return null;
  }
  const members = source.members(node, "when");
  if (members === null) return null;
  if (members.length === 0) {
    source.error(node, "wrong_type", "an empty 'when' says nothing; leave it out to match always");
    return null;
  }
  const trees = members.map((member) => readMember(source, member, constants, depth));
  if (trees.includes(null)) return null;
  const all = trees as Tree<Predicate>[];
  return all.length === 1 ? (all[0] as Tree<Predicate>) : { all };
}

function readMember(
  source: Source,
  member: Member,
  constants: Constants,
  depth: number,
): Tree<Predicate> | null {
  const { name, key, value } = member;
  if (name === "not") {
    const inner = readWhenMap(source, value, constants, depth + 1);
    return inner && { not: inner };
  }
  if (name === "all" || name === "any") {
    const list = source.list(value, `'${name}'`, 64);
    if (list === null) return null;
    if (list.length === 0) {
      source.error(value, "wrong_type", `'${name}' needs at least one condition`);
      return null;
    }
    const trees = list.map((each) => readWhenMap(source, each, constants, depth + 1));
    if (trees.includes(null)) return null;
    const of = trees as Tree<Predicate>[];
    return name === "all" ? { all: of } : { any: of };
  }
  const found = signalNamed(name);
  if ("fault" in found) {
    const group = hint(name, GROUPS);
    const fault = group === "" || name.includes(".") ? found.fault : `${found.fault}${group}`;
    const [first] = isMap(value) ? value.items : [];
    const inner = first === undefined ? undefined : source.scalar(first.key as Node);
    source.error(
      key,
      "unknown_signal",
      misplacedInWhen(name) ??
        (typeof inner === "string" && CLASSES.includes(name)
          ? `'${name}' is a class of signals: write a signal's whole name, as ${name}.${short(inner)}`
          : fault),
    );
    return null;
  }
  return readTest(source, found, member, constants);
}

/** One member, of what has these facts: `signal: value`, `signal: [values]`, or `signal: {operator: value, …}`. */
export function readTest(
  source: Source,
  signal: { name: string; facts: SignalFacts },
  { key, value }: Member,
  constants: Constants,
): Tree<Predicate> | null {
  if (isMap(value)) {
    const members = source.members(value, signal.name);
    if (members === null) return null;
    if (members.length === 0) {
      source.error(value, "wrong_type", `${signal.name} needs an operator, as {eq: value}`);
      return null;
    }
    const trees = members.map((each) => {
      if (!OPERATORS.includes(each.name as Operator)) {
        source.error(
          each.key,
          "unknown_operator",
          `there is no operator '${short(each.name)}'${hint(each.name, OPERATORS)} (known: ${OPERATORS.join(", ")})`,
        );
        return null;
      }
      return readOperator(source, signal, each.name as Operator, each.value, constants);
    });
    if (trees.includes(null)) return null;
    const all = trees as Tree<Predicate>[];
    return all.length === 1 ? (all[0] as Tree<Predicate>) : { all };
  }
  return readOperator(
    source,
    signal,
    isSeq(value) ? "in" : "eq",
    value,
    constants,
    value === null ? key : value,
  );
}

function readOperator(
  source: Source,
  signal: { name: string; facts: SignalFacts },
  operator: Operator,
  node: Node | null,
  constants: Constants,
  place: Node | null = node,
): Tree<Predicate> | null {
  const { name, facts } = signal;
  const of: Term = { signal: name };
  const wrong = (message: string, code = "type_error"): null => {
    source.error(place, code, message);
    return null;
  };
  if (operator === "exists") {
    const wanted = source.flag(node, "exists");
    if (wanted === null) return null;
    return wanted ? { is: "exists", of } : { not: { is: "exists", of } };
  }
  const written = readConstant(source, node, constants, place);
  if (written === null) return null;
  const value = operator === "matches" ? written : asRead(facts, written);
  switch (operator) {
    case "eq":
    case "ne": {
      if (Array.isArray(value)) return readIn(source, signal, value, place, operator === "ne");
      const fault = unequal(name, facts, value);
      if (fault !== null) return wrong(fault);
      const test = equal(facts, of, value);
      return operator === "eq" ? test : { not: test };
    }
    case "in":
    case "not_in": {
      if (!Array.isArray(value)) return wrong(`${operator} takes a list, as [a, b]`);
      return readIn(
        source,
        signal,
        value as readonly (string | number)[],
        place,
        operator === "not_in",
      );
    }
    case "between": {
      const [low, high] = Array.isArray(value) ? (value as readonly number[]) : [];
      if (
        !Array.isArray(value) ||
        value.length !== 2 ||
        typeof low !== "number" ||
        typeof high !== "number"
      ) {
        return wrong("between takes two numbers, as [1, 10]");
      }
      if (facts.type !== "number" && facts.type !== "any") return wrong(notOrdered(signal));
      if (low > high) return wrong(`this is never true: ${low} is more than ${high}`, "never_true");
      const [least, most] = facts.range ?? [-Infinity, Infinity];
      if (high < least || low > most) {
        return wrong(unequal(name, facts, low) ?? "this is never true", "never_true");
      }
      // An end that the signal never passes says nothing.
      const ends = (
        [
          ["gte", low],
          ["lte", high],
        ] as const
      )
        .filter(([is, end]) => unordered(name, facts, is, end) === null)
        .map(([is, end]): Predicate => ({ is, of: [of, { value: end }] }));
      if (ends.length === 0) return wrong(`this is always true: say exists: true`, "always_true");
      return ends.length === 1 ? (ends[0] as Predicate) : { all: ends };
    }
    case "lt":
    case "lte":
    case "gt":
    case "gte": {
      if (typeof value !== "number") {
        return wrong(`${operator} takes a number, and ${textOf(value)} is ${kindOf(value)}`);
      }
      if (facts.type !== "number" && facts.type !== "any") return wrong(notOrdered(signal));
      const fault = unordered(name, facts, operator, value);
      if (fault !== null)
        return wrong(fault, fault.includes("never") ? "never_true" : "always_true");
      return { is: operator, of: [of, { value }] };
    }
    case "contains":
    case "starts_with": {
      if (typeof value !== "string") return wrong(`${operator} takes a text${saw(value)}`);
      if (facts.type === "bool" || facts.type === "number") {
        return wrong(`${name} is ${typeName(facts)}: ${operator} is for text`);
      }
      if (operator === "starts_with")
        return onText(facts, of, (text) => ({ is: operator, of: [text, { value }] }));
      if (facts.type === "strings") {
        const fault = unequal(name, facts, value);
        return fault === null ? { is: "in", of: [{ value }, of] } : wrong(fault);
      }
      if (facts.type === "any") {
        return {
          any: [
            { is: "contains", of: [of, { value }] },
            { is: "in", of: [{ value }, of] },
          ],
        };
      }
      return { is: "contains", of: [of, { value }] };
    }
    case "matches": {
      if (typeof value !== "string") return wrong(`matches takes a pattern${saw(value)}`);
      if (facts.type === "bool" || facts.type === "number") {
        return wrong(`${name} is ${typeName(facts)}: matches is for text`);
      }
      const pattern = patternFor(facts, value);
      if (pattern instanceof PatternFault) return wrong(pattern.message, "bad_pattern");
      return onText(facts, of, (text) => ({ is: "matches", of: text, pattern }));
    }
  }
}

function notOrdered({ name, facts }: { name: string; facts: SignalFacts }): string {
  return `${name} is ${typeName(facts)}: only numbers can be more or less`;
}

function readIn(
  source: Source,
  { name, facts }: { name: string; facts: SignalFacts },
  values: readonly (string | number)[],
  place: Node | null,
  negated: boolean,
): Tree<Predicate> | null {
  for (const each of values) {
    const fault = unequal(name, facts, each);
    if (fault === null) continue;
    source.error(place, "type_error", fault);
    return null;
  }
  const of: Term = { signal: name };
  const list: Constant = values as readonly string[];
  const test = inList(facts, of, list);
  return negated ? { not: test } : test;
}

/** Equality with one value; of a list of texts: that it is among them. */
export function equal(facts: SignalFacts, of: Term, value: Constant): Tree<Predicate> {
  if (facts.type === "strings") return { is: "in", of: [{ value }, of] };
  if (facts.type === "any") {
    return {
      any: [
        { is: "eq", of: [of, { value }] },
        { is: "in", of: [{ value }, of] },
      ],
    };
  }
  return { is: "eq", of: [of, { value }] };
}

function inList(facts: SignalFacts, of: Term, list: Constant): Tree<Predicate> {
  const some: Predicate = {
    is: "some",
    of,
    where: { is: "in", of: [{ item: true }, { value: list }] },
  };
  if (facts.type === "strings") return some;
  if (facts.type === "any") return { any: [{ is: "in", of: [of, { value: list }] }, some] };
  return { is: "in", of: [of, { value: list }] };
}

function onText(facts: SignalFacts, of: Term, test: (text: Term) => Predicate): Tree<Predicate> {
  const some: Predicate = { is: "some", of, where: test({ item: true }) };
  if (facts.type === "strings") return some;
  return facts.type === "any" ? { any: [test(of), some] } : test(of);
}

/** A scalar, a list of texts or of numbers, or `constants.<name>` for a value that has a name. */
export function readConstant(
  source: Source,
  node: Node | null,
  constants: Constants,
  place: Node | null = node,
): Constant | null {
  if (isSeq(node)) {
    const items = source.list(node, "a list of values", MOST_LISTED);
    if (items === null) return null;
    if (items.length === 0) {
      source.error(node, "wrong_type", "an empty list matches nothing");
      return null;
    }
    const values = items.map((each) => source.scalar(each));
    const type = typeof values[0];
    const odd = values.findIndex((each) => typeof each !== type || each === null);
    if (odd >= 0 || (type !== "string" && type !== "number")) {
      source.error(
        items[Math.max(odd, 0)] ?? node,
        "type_error",
        "a list holds only texts, or only numbers",
      );
      return null;
    }
    return values as string[];
  }
  const value = source.scalar(node);
  if (value === undefined || value === null) {
    source.error(place, "wrong_type", "a value is missing here");
    return null;
  }
  if (typeof value !== "string" || !value.startsWith("constants.")) return value;
  const name = value.slice("constants.".length);
  const known = constants.get(name);
  if (known === undefined) {
    source.error(
      node,
      "unknown_constant",
      `there is no constant '${short(name)}'${hint(name, constants.keys())}`,
    );
    return null;
  }
  return known;
}
