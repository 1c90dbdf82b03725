import { Environment, ParseError } from "@marcbachmann/cel-js";
import type { ASTNode } from "@marcbachmann/cel-js";
import type { Node } from "yaml";
import { CelValues, inCaseOf, named, Refused, type Value } from "./cel-values.ts";
import type { Predicate, TextTest, Tree } from "./condition.ts";
import type { Source } from "./document.ts";
import { MOST_LISTED, patternFor, unequal, unordered } from "./operands.ts";
import { PatternFault } from "./pattern.ts";
import type { Constants } from "./when-map.ts";

/** Longest expression, in characters, and most nodes of its tree: what one condition may cost. */
const MOST_EXPRESSION = 2_000;
const MOST_NODES = 256;

/** Only the parser is used: types are checked and the plan is made here, so that both forms of a condition are one. */
const language = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: {
    maxAstNodes: MOST_NODES,
    maxDepth: 24,
    maxListElements: MOST_LISTED,
    maxMapEntries: 1,
    maxCallArguments: 4,
  },
});

const METHODS = {
  contains: "contains",
  startsWith: "starts_with",
  endsWith: "ends_with",
} as const satisfies Record<string, TextTest>;
const MACROS = { exists: "some", all: "every" } as const;
const ORDER = { "<": "lt", "<=": "lte", ">": "gt", ">=": "gte" } as const;
const MIRRORED = { lt: "gt", lte: "gte", gt: "lt", gte: "lte" } as const;

const FAMILY_ROOTS = ["header", "metadata"];

/** Reads a CEL expression as a condition. Null, with a fault at its characters, where it can't be read. */
export function readWhenCel(
  source: Source,
  node: Node,
  expression: string,
  constants: Constants,
): Tree<Predicate> | null {
  if (expression.length > MOST_EXPRESSION) {
    source.error(node, "too_large", `an expression has at most ${MOST_EXPRESSION} characters`);
    return null;
  }
  try {
    return new Compiler(constants).condition(language.parse(expression).ast);
  } catch (cause) {
    if (cause instanceof Refused) {
      source.errorWithin(
        node,
        expression,
        [cause.node.start, cause.node.end],
        cause.code,
        cause.message,
      );
      return null;
    }
    if (cause instanceof ParseError) {
      const { start, end } = cause.range ?? { start: 0, end: 1 };
      const limit = cause.code === "limit_exceeded";
      source.errorWithin(
        node,
        expression,
        [start, Math.max(end, start + 1)],
        limit ? "too_large" : "cel_syntax",
        limit
          ? `this expression costs too much: ${plain(cause.summary)}`
          : `not CEL: ${plain(cause.summary)}${advice(expression, start)}`,
      );
      return null;
    }
    throw cause;
  }
}

function plain(summary: string): string {
  return `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`.replace(
    "EOF",
    "the end is reached too early",
  );
}

/** Signs of other languages, where one stands at the fault or ends right before it. */
const SIGNS: readonly (readonly [RegExp, string])[] = [
  [/={3}$/, "; equality is =="],
  [/(?<![=!<>])=$/, "; equality is =="],
  [/[“”„‘’‚«»]$/, "; a text stands in straight quotes"],
  [/\d\w$/, "; a number is digits alone, as 4000"],
  [/\band$/i, "; 'and' is written &&"],
  [/\bor$/i, "; 'or' is written ||"],
  [/\bnot$/i, "; 'not' is written !"],
];

function advice(expression: string, at: number): string {
  const word = /^(\w+|=|[“”„‘’‚«»])/.exec(expression.slice(at))?.[0] ?? "";
  const upTo = [expression.slice(0, at) + word, expression.slice(0, at).trimEnd()];
  return SIGNS.find(([sign]) => upTo.some((text) => sign.test(text)))?.[1] ?? "";
}

class Compiler {
  readonly #values: CelValues;

  constructor(constants: Constants) {
    this.#values = new CelValues(constants);
  }

  /** A part that has to be true or false. */
  condition(node: ASTNode): Tree<Predicate> {
    switch (node.op) {
      case "&&":
        return { all: node.args.map((each) => this.condition(each)) };
      case "||":
        return { any: node.args.map((each) => this.condition(each)) };
      case "!_":
        return { not: this.condition(node.args) };
      case "?:": {
        const [test, yes, no] = node.args;
        const when = this.condition(test);
        return {
          any: [{ all: [when, this.condition(yes)] }, { all: [{ not: when }, this.condition(no)] }],
        };
      }
      case "==":
        return this.#equal(node, node.args);
      case "!=":
        return { not: this.#equal(node, node.args) };
      case "<":
      case "<=":
      case ">":
      case ">=":
        return this.#ordered(node, ORDER[node.op], node.args);
      case "in":
        return this.#in(node.args);
      case "call":
        if (node.args[0] === "has") return this.#has(node, node.args[1]);
        break;
      case "rcall":
        return this.#method(node, node.args);
      default:
    }
    const value = this.#values.value(node);
    if (value.type === "bool" || value.type === "any") {
      if (value.constant !== undefined) {
        throw new Refused(node, "constant_condition", "this part is the same for every request");
      }
      return { is: "true", of: value.term };
    }
    throw new Refused(node, "type_error", `this must be true or false, and it is ${named(value)}`);
  }

  #equal(node: ASTNode, [left, right]: [ASTNode, ASTNode]): Tree<Predicate> {
    const a = this.#values.value(left);
    const b = this.#values.value(right);
    const [one, against, place] = a.constant === undefined ? [a, b, right] : [b, a, left];
    const other = inCaseOf(one, against);
    if (one.constant !== undefined) {
      throw new Refused(node, "constant_condition", "this compares two constants");
    }
    if (other.type === "null") return { not: { is: "exists", of: one.term } };
    if (one.type === "null") return { not: { is: "exists", of: other.term } };
    if (one.type === "strings" || other.type === "strings" || other.type === "numbers") {
      throw new Refused(
        node,
        "type_error",
        `lists can't be compared as a whole: use "x" in ${one.name ?? "list"}`,
      );
    }
    if (other.constant !== undefined && one.facts !== undefined) {
      const fault = unequal(one.name ?? "", one.facts, other.constant);
      if (fault !== null) throw new Refused(place, "type_error", fault);
    } else if (one.type !== other.type && one.type !== "any" && other.type !== "any") {
      throw new Refused(node, "type_error", `${named(one)} can't equal ${named(other)}`);
    }
    return { is: "eq", of: [one.term, other.term] };
  }

  #ordered(
    node: ASTNode,
    is: "lt" | "lte" | "gt" | "gte",
    [left, right]: [ASTNode, ASTNode],
  ): Tree<Predicate> {
    const a = this.#values.value(left);
    const b = this.#values.value(right);
    for (const [value, place] of [
      [a, left],
      [b, right],
    ] as const) {
      if (value.type === "number" || value.type === "any") continue;
      throw new Refused(
        place,
        "type_error",
        `only numbers can be more or less, and this is ${named(value)}`,
      );
    }
    if (a.constant !== undefined && b.constant !== undefined) {
      throw new Refused(node, "constant_condition", "this compares two constants");
    }
    if (a.constant !== undefined) return this.#bounded(node, MIRRORED[is], b, a);
    return this.#bounded(node, is, a, b);
  }

  #bounded(node: ASTNode, is: "lt" | "lte" | "gt" | "gte", a: Value, b: Value): Predicate {
    if (a.facts !== undefined && typeof b.constant === "number") {
      const fault = unordered(a.name ?? "", a.facts, is, b.constant);
      if (fault !== null) {
        throw new Refused(node, fault.includes("never") ? "never_true" : "always_true", fault);
      }
    }
    return { is, of: [a.term, b.term] };
  }

  #in([left, right]: [ASTNode, ASTNode]): Tree<Predicate> {
    if (right.op === "id" && FAMILY_ROOTS.includes(right.args)) {
      if (left.op !== "value" || typeof left.args !== "string") {
        throw new Refused(left, "type_error", `a name in quotes stands before 'in ${right.args}'`);
      }
      const signal = this.#values.signal(left, `${right.args}.${left.args}`);
      return { is: "exists", of: signal.term };
    }
    const [one, list] = [this.#values.value(left), this.#values.value(right)];
    const [a, b] = [inCaseOf(list, one), inCaseOf(one, list)];
    if (b.type !== "strings" && b.type !== "numbers" && b.type !== "any") {
      throw new Refused(right, "type_error", `'in' needs a list, and this is ${named(b)}`);
    }
    if (a.type === "strings" || a.type === "numbers") {
      throw new Refused(left, "type_error", "a list can't be in a list: use exists()");
    }
    if (a.facts !== undefined && Array.isArray(b.constant)) {
      for (const each of b.constant as readonly (string | number)[]) {
        const fault = unequal(a.name ?? "", a.facts, each);
        if (fault !== null) throw new Refused(right, "type_error", fault);
      }
    } else if (b.facts !== undefined && a.constant !== undefined) {
      const fault = unequal(b.name ?? "", b.facts, a.constant);
      if (fault !== null) throw new Refused(left, "type_error", fault);
    } else if (a.type !== "any" && b.type !== "any" && `${a.type}s` !== b.type) {
      throw new Refused(left, "type_error", `${named(a)} is never in ${named(b)}`);
    }
    return { is: "in", of: [a.term, b.term] };
  }

  #has(node: ASTNode, args: ASTNode[]): Predicate {
    const [only] = args;
    if (only === undefined || args.length !== 1 || (only.op !== "." && only.op !== "[]")) {
      throw new Refused(node, "type_error", "has() takes one signal, as has(identity.customer_id)");
    }
    return { is: "exists", of: this.#values.value(only).term };
  }

  #method(node: ASTNode, [name, on, args]: [string, ASTNode, ASTNode[]]): Tree<Predicate> {
    const [first, second] = args;
    if (Object.hasOwn(MACROS, name)) {
      if (first?.op !== "id" || second === undefined || args.length !== 2) {
        throw new Refused(
          node,
          "type_error",
          `${name}() takes a name and a condition, as list.${name}(x, x == "a")`,
        );
      }
      const list = this.#values.value(on);
      if (list.type !== "strings" && list.type !== "any") {
        throw new Refused(
          on,
          "type_error",
          `${name}() is for lists of texts, and this is ${named(list)}`,
        );
      }
      if (list.constant !== undefined) {
        throw new Refused(
          on,
          "constant_condition",
          "a constant list is the same for every request: use 'in'",
        );
      }
      if (this.#values.item !== null) {
        throw new Refused(node, "too_large", "exists() and all() can't stand inside one another");
      }
      this.#values.item = { name: first.args, type: list.type === "any" ? "any" : "string" };
      const where = this.condition(second);
      this.#values.item = null;
      return { is: MACROS[name as keyof typeof MACROS], of: list.term, where };
    }
    if (name === "matches") {
      const text = this.#text(on, name);
      if (first?.op !== "value" || typeof first.args !== "string" || args.length !== 1) {
        throw new Refused(node, "type_error", "matches() takes one pattern in quotes");
      }
      const pattern = patternFor(text.facts, first.args);
      if (pattern instanceof PatternFault) throw new Refused(first, "bad_pattern", pattern.message);
      return { is: "matches", of: text.term, pattern };
    }
    if (Object.hasOwn(METHODS, name)) {
      if (first === undefined || args.length !== 1) {
        throw new Refused(node, "type_error", `${name}() takes one text`);
      }
      const text = this.#text(on, name);
      const part = inCaseOf(text, this.#values.value(first));
      if (part.type !== "string" && part.type !== "any") {
        throw new Refused(
          first,
          "type_error",
          `${name}() takes a text, and this is ${named(part)}`,
        );
      }
      return { is: METHODS[name as keyof typeof METHODS], of: [text.term, part.term] };
    }
    const value = this.#values.value(node);
    throw new Refused(node, "type_error", `this must be true or false, and it is ${named(value)}`);
  }

  #text(node: ASTNode, name: string): Value {
    const value = this.#values.value(node);
    if (value.type === "string" || value.type === "any") return value;
    const list = value.type === "strings" ? `; use exists(x, x.${name}(…))` : "";
    throw new Refused(
      node,
      "type_error",
      `${name}() is for text, and this is ${named(value)}${list}`,
    );
  }
}
