import type { ASTNode } from "@marcbachmann/cel-js";
import type { Constant, Term } from "./condition.ts";
import { short } from "./document.ts";
import { hint } from "./nearest.ts";
import { kindOf, signalNamed, textOf, typeName } from "./operands.ts";
import { asRead, type SignalFacts, type SignalType } from "./signals.ts";
import type { Constants } from "./when-map.ts";

const FUNCTIONS = ["contains", "startsWith", "endsWith", "matches", "size", "exists", "all", "has"];

/** A part of an expression that is a value. `null` is CEL's null, which an absent signal equals. */
export interface Value {
  term: Term;
  type: SignalType | "numbers" | "null";
  /** The signal that it is, where it is one and nothing else. */
  name?: string;
  facts?: SignalFacts;
  constant?: Constant;
}

/** Why an expression is not accepted; `node` is the part of it that is meant. */
export class Refused extends Error {
  readonly node: { start: number; end: number };
  readonly code: string;
  constructor(node: { start: number; end: number }, code: string, message: string) {
    super(message);
    this.node = node;
    this.code = code;
  }
}

/** Reads the parts of an expression that are values: signals, constants, lists and arithmetic over them. */
export class CelValues {
  readonly #constants: Constants;
  /** The element that exists() or all() names, while their condition is read. */
  item: { name: string; type: SignalType } | null = null;

  constructor(constants: Constants) {
    this.#constants = constants;
  }

  value(node: ASTNode): Value {
    switch (node.op) {
      case "value":
        return this.#literal(node, node.args);
      case "list":
        return this.#list(node, node.args);
      case "id":
        if (this.item?.name === node.args) return { term: { item: true }, type: this.item.type };
        return this.#bare(node, node.args);
      case ".":
      case "[]":
        return this.#path(node);
      case "-_": {
        const of = this.value(node.args);
        if (typeof of.constant === "number") return constantValue(-of.constant);
        return this.#math(node, "-", constantValue(0), of);
      }
      case "-":
        this.#notAName(node);
        return this.#math(node, "-", this.value(node.args[0]), this.value(node.args[1]));
      case "+":
      case "*":
      case "/":
      case "%":
        return this.#math(node, node.op, this.value(node.args[0]), this.value(node.args[1]));
      case "call":
      case "rcall":
        return this.#size(node);
      case "!_":
        throw new Refused(
          node,
          "type_error",
          "'!' binds closest: what it denies as a whole stands in brackets, as !(a == b)",
        );
      default:
        throw new Refused(node, "unsupported", `'${node.op}' can't stand here`);
    }
  }

  /** `header.x-team` is a subtraction to CEL. */
  #notAName(node: ASTNode): void {
    const name = dashed(node);
    if (name === null) return;
    const [root, rest] = name;
    throw new Refused(
      node,
      "unknown_signal",
      `a name with '-' stands in brackets: ${root}["${short(rest)}"]`,
    );
  }

  #literal(node: ASTNode, value: unknown): Value {
    if (value === null) return { term: { value: "" }, type: "null" };
    if (typeof value === "bigint") {
      if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER) {
        throw new Refused(node, "type_error", "this number is too large to be exact");
      }
      return constantValue(Number(value));
    }
    if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") {
      return constantValue(value);
    }
    throw new Refused(node, "unsupported", "use a plain number, text, true or false");
  }

  #list(node: ASTNode, items: ASTNode[]): Value {
    const values = items.map((each) => this.value(each).constant);
    const type = typeof values[0];
    if (
      values.length === 0 ||
      (type !== "string" && type !== "number") ||
      values.some((each) => typeof each !== type)
    ) {
      throw new Refused(
        node,
        "type_error",
        values.length === 0
          ? "an empty list stands for nothing: a list of a request that is empty is absent, as list == null"
          : "a list holds only texts, or only numbers",
      );
    }
    return constantValue(values as string[]);
  }

  #path(node: ASTNode): Value {
    const parts: string[] = [];
    let at: ASTNode = node;
    while (at.op === "." || at.op === "[]") {
      if (at.op === ".") {
        parts.unshift(at.args[1]);
      } else {
        const [, index] = at.args;
        if (index.op !== "value" || typeof index.args !== "string") {
          throw new Refused(
            index,
            "type_error",
            'a name in quotes stands in brackets, as header["x-team"]',
          );
        }
        parts.unshift(index.args);
      }
      at = at.args[0];
    }
    if (at.op !== "id") throw new Refused(at, "unsupported", "members are read of signals only");
    if (at.args === "constants") {
      const name = parts.join(".");
      const value = this.#constants.get(name);
      if (value !== undefined) return constantValue(value);
      throw new Refused(
        node,
        "unknown_constant",
        `there is no constant '${short(name)}'${hint(name, this.#constants.keys())}`,
      );
    }
    return this.signal(node, [at.args, ...parts].join("."));
  }

  /** A name without a dot: mostly a text whose quotes were left out. */
  #bare(node: ASTNode, name: string): Value {
    const found = signalNamed(name);
    if ("fault" in found && !found.fault.includes("did you mean")) {
      const fault = `${found.fault}; a text stands in quotes, as "${short(name)}"`;
      throw new Refused(node, "unknown_signal", fault);
    }
    return this.signal(node, name);
  }

  signal(node: ASTNode, written: string): Value {
    const found = signalNamed(written);
    if ("fault" in found) throw new Refused(node, "unknown_signal", found.fault);
    const { name, facts } = found;
    return { term: { signal: name }, type: facts.type, name, facts };
  }

  #math(node: ASTNode, op: "+" | "-" | "*" | "/" | "%", a: Value, b: Value): Value {
    for (const value of [a, b]) {
      if (value.type === "number" || value.type === "any") continue;
      throw new Refused(node, "type_error", `'${op}' is for numbers, and this is ${named(value)}`);
    }
    if ((op === "/" || op === "%") && b.constant === 0) {
      throw new Refused(node, "type_error", "this divides by zero");
    }
    return { term: { math: op, of: [a.term, b.term] }, type: "number" };
  }

  #size(node: ASTNode): Value {
    const [name, on] =
      node.op === "call"
        ? [node.args[0], node.args[1].length === 1 ? node.args[1][0] : undefined]
        : node.op === "rcall"
          ? [node.args[0], node.args[2].length === 0 ? node.args[1] : undefined]
          : ["", undefined];
    if (name !== "size") {
      if (FUNCTIONS.includes(name)) {
        throw new Refused(node, "type_error", `${name}() gives true or false and can't stand here`);
      }
      throw new Refused(
        node,
        "unknown_function",
        `there is no function '${short(name)}'${hint(name, FUNCTIONS)} (known: ${FUNCTIONS.join(", ")})`,
      );
    }
    if (on === undefined) throw new Refused(node, "type_error", "size() takes one list or text");
    const of = this.value(on);
    if (of.type === "bool" || of.type === "number" || of.constant !== undefined) {
      throw new Refused(
        on,
        "type_error",
        `size() is for lists and texts of a request, and this is ${named(of)}`,
      );
    }
    return { term: { size: of.term }, type: "number" };
  }
}

function constantValue(value: Constant): Value {
  const type = Array.isArray(value)
    ? typeof value[0] === "number"
      ? ("numbers" as const)
      : ("strings" as const)
    : typeof value === "string"
      ? ("string" as const)
      : typeof value === "number"
        ? ("number" as const)
        : ("bool" as const);
  return { term: { value }, type, constant: value };
}

/** A constant in the case in which the signal that it is compared with is read. */
export function inCaseOf(signal: Value, value: Value): Value {
  if (value.constant === undefined || signal.facts?.fold === undefined) return value;
  return constantValue(asRead(signal.facts, value.constant));
}

/** How messages name a value. */
export function named(value: Value): string {
  if (value.constant !== undefined) {
    return Array.isArray(value.constant)
      ? "a list"
      : `${kindOf(value.constant)} (${textOf(value.constant)})`;
  }
  if (value.facts !== undefined) return `${value.name}, which is ${typeName(value.facts)}`;
  return value.type === "string" ? "text" : value.type === "number" ? "a number" : "something else";
}

/** A member of headers or metadata whose name was meant to have dashes: its family and the name. */
function dashed(node: ASTNode): readonly [string, string] | null {
  if (node.op === "." && node.args[0].op === "id") {
    const [{ args: root }, name] = [node.args[0], node.args[1]];
    return root === "header" || root === "metadata" ? [root, name] : null;
  }
  if (node.op !== "-" || node.args[1].op !== "id") return null;
  const found = dashed(node.args[0]);
  return found && [found[0], `${found[1]}-${node.args[1].args}`];
}
