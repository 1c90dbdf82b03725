import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { Document, LineCounter, Node, Pair, ParsedNode, YAMLMap, YAMLSeq } from "yaml";
import type { Fault } from "./faults.ts";
import { hint } from "./nearest.ts";

const MOST_FAULTS = 50;
/** Longest line that a fault shows. */
const MOST_SOURCE = 3_000;

/** A YAML node that was found where it was looked for; null for an empty place (`key:`). */
export type Place = Node | Pair | null | undefined;

/** A member of a map: its name, and where the name and the value stand. */
export interface Member {
  name: string;
  key: Node;
  value: Node | null;
}

/** One YAML document under reading: its faults gather here, each with its place. */
export class Source {
  readonly file: string;
  readonly faults: Fault[] = [];
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #document: Document.Parsed | null;
  #aliases: ReadonlyMap<Node, Node> | null = null;

  constructor(file: string, text: string, lines: LineCounter, document: Document.Parsed | null) {
    this.file = file;
    this.#text = text;
    this.#lines = lines;
    this.#document = document;
  }

  get root(): ParsedNode | null {
    return this.#document?.contents ?? null;
  }

  /** True when something here refuses the document. */
  get refused(): boolean {
    return this.faults.some((fault) => fault.severity === "error");
  }

  error(place: Place, code: string, message: string): void {
    this.#add("error", place, code, message);
  }

  /** A fault inside a text: at its characters from `start` to `end`, however the YAML wraps them. */
  errorWithin(
    node: Node,
    text: string,
    [start, end]: [number, number],
    code: string,
    message: string,
  ): void {
    const offset = this.#offsetIn(node, text, start);
    const line = this.#text.indexOf("\n", offset);
    const length = Math.min(end - start, line < 0 ? end - start : line - offset);
    this.errorAt(offset, length, code, message);
  }

  warn(place: Place, code: string, message: string): void {
    this.#add("warning", place, code, message);
  }

  /** A fault at an offset of the text. */
  errorAt(offset: number, length: number, code: string, message: string): void {
    this.#push("error", offset, length, code, message);
  }

  /** Line of a node, from 1. */
  lineOf(place: Place): number {
    return this.#position(rangeOf(place)[0]).line;
  }

  /** A value as the document writes it, on one line and cut to what a message can hold. */
  written(node: Node | null): string {
    const [start, end] = rangeOf(node);
    return this.#text.slice(start, end).trim().replaceAll(/\s+/g, " ").slice(0, 200);
  }

  /** The node itself, or what its alias stands for. */
  resolve(node: Node | null | undefined): Node | null {
    if (node === null || node === undefined) return null;
    if (!isAlias(node)) return node;
    this.#aliases ??= aliasesOf(this.root);
    return this.#aliases.get(node) ?? null;
  }

  /** The members of a map, its keys known to be plain texts; null, with a fault, for anything else. */
  members(node: Node | null, what: string): Member[] | null {
    const map = this.resolve(node);
    if (!isMap(map)) {
      this.error(node, "wrong_type", `${what} must be a map, as {name: value}`);
      return null;
    }
    const members: Member[] = [];
    for (const { key, value } of (map as YAMLMap<Node, Node | null>).items) {
      const name = this.resolve(key);
      if (isScalar(name) && typeof name.value === "string") {
        members.push({ name: name.value, key, value: this.resolve(value) });
      } else {
        this.error(key, "wrong_type", `a name in ${what} must be plain text`);
      }
    }
    return members;
  }

  /**
   * The same for a map whose names are known: a misspelt one is a fault that names the nearest, or says what
   * `misplaced` knows of it.
   */
  known<Name extends string>(
    node: Node | null,
    what: string,
    names: readonly Name[],
    misplaced?: (name: string) => string | undefined,
  ): Partial<Record<Name, Member>> | null {
    const members = this.members(node, what);
    if (members === null) return null;
    const found: Partial<Record<Name, Member>> = {};
    for (const member of members) {
      if (names.includes(member.name as Name)) {
        found[member.name as Name] = member;
      } else {
        this.error(
          member.key,
          "unknown_key",
          `${what} has no '${short(member.name)}'${misplaced?.(member.name) ?? (hint(member.name, names) || ` (it may have ${names.join(", ")})`)}`,
        );
      }
    }
    return found;
  }

  list(node: Node | null, what: string, most: number): (Node | null)[] | null {
    const seq = this.resolve(node);
    if (!isSeq(seq)) {
      this.error(node, "wrong_type", `${what} must be a list`);
      return null;
    }
    const items = (seq as YAMLSeq<Node | null>).items.map((each) => this.resolve(each));
    if (items.length > most) {
      this.error(node, "too_large", `${what} has at most ${most} entries`);
      return null;
    }
    return items;
  }

  /** A scalar's value as JSON; undefined for a map or list. */
  scalar(node: Node | null): string | number | boolean | null | undefined {
    const found = this.resolve(node);
    if (found === null) return null;
    if (!isScalar(found)) return undefined;
    const { value } = found;
    if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
    if (typeof value === "number") return value;
    return undefined;
  }

  text(node: Node | null, what: string, most = 500): string | null {
    const value = this.scalar(node);
    if (typeof value !== "string" || value === "") {
      this.error(node, "wrong_type", `${what} must be text${saw(value)}`);
      return null;
    }
    if (value.length > most) {
      this.error(node, "too_large", `${what} has at most ${most} characters`);
      return null;
    }
    // eslint-disable-next-line no-control-regex -- control characters are what it looks for
    const control = /[\u0000-\u0008\u000b-\u001f\u007f]/.exec(value)?.[0];
    if (control !== undefined || !value.isWellFormed()) {
      const which = control === undefined ? "half of one" : `U+${hex(control)}`;
      this.error(node, "bad_text", `${what} holds a character that is no text (${which})`);
      return null;
    }
    return value;
  }

  /** A list of texts. */
  texts(node: Node | null, what: string): string[] | null {
    const items = this.list(node, what, 500);
    const texts = items?.map((each) => this.text(each, `an entry of ${what}`)) ?? [null];
    return texts.includes(null) ? null : (texts as string[]);
  }

  /** A scalar or a list of texts; undefined for anything else. */
  plain(node: Node | null): string | number | boolean | null | string[] | undefined {
    const found = this.resolve(node);
    if (!isSeq(found)) return this.scalar(found);
    const values = found.items.map((each) => this.scalar(each as Node));
    return values.every((each) => typeof each === "string") ? values : undefined;
  }

  flag(node: Node | null, what: string): boolean | null {
    const value = this.scalar(node);
    if (typeof value === "boolean") return value;
    this.error(node, "wrong_type", `${what} must be true or false${saw(value)}`);
    return null;
  }

  number(
    node: Node | null,
    what: string,
    [least, most]: readonly [number, number],
    whole = false,
  ): number | null {
    const value = this.scalar(node);
    if (typeof value === "number" && value >= least && value <= most) {
      if (!whole || Number.isInteger(value)) return value;
    }
    const kind = whole ? "a whole number" : "a number";
    this.error(node, "wrong_type", `${what} must be ${kind} from ${least} to ${most}${saw(value)}`);
    return null;
  }

  /** One of a closed list of texts; a misspelt one is a fault that names the nearest. */
  choice<Name extends string>(
    node: Node | null,
    what: string,
    names: readonly Name[],
  ): Name | null {
    const value = this.scalar(node);
    if (typeof value === "string" && names.includes(value as Name)) return value as Name;
    const near = typeof value === "string" ? hint(value, names) : "";
    this.error(
      node,
      "unknown_value",
      `${what} must be one of ${names.join(", ")}${saw(value)}${near}`,
    );
    return null;
  }

  #add(severity: Fault["severity"], place: Place, code: string, message: string): void {
    const [start, end] = rangeOf(place ?? this.root);
    this.#push(severity, start, end - start, code, message);
  }

  /** Walks text and source together: quotes, folds and indents stand between the characters, never in their place. */
  #offsetIn(node: Node, text: string, index: number): number {
    let at = rangeOf(node)[0];
    const block = /^[|>]/.test(this.#text.slice(at, at + 1));
    if (block) at = this.#text.indexOf("\n", at) + 1;
    else if (/^["']/.test(this.#text.slice(at, at + 1))) at += 1;
    const until = Math.min(index, text.length);
    for (let i = 0; i <= until; i++) {
      const unit = text[i];
      if (unit === undefined || /\s/.test(unit)) {
        if (i === until && unit !== undefined) return at;
        continue;
      }
      const found = this.#text.indexOf(unit, at);
      if (found < 0) return at;
      if (i === until) return found;
      at = found + 1;
    }
    return at;
  }

  #push(
    severity: Fault["severity"],
    offset: number,
    length: number,
    code: string,
    message: string,
  ): void {
    if (this.faults.length >= MOST_FAULTS) return;
    const at = Math.min(Math.max(offset, 0), this.#text.length);
    const { line, column, begin } = this.#position(at);
    const end = this.#text.indexOf("\n", begin);
    const source = this.#text.slice(begin, end < 0 ? undefined : end).replace(/\r$/, "");
    const same = this.faults.some((each) => each.line === line && each.message === message);
    if (same) return;
    this.faults.push({
      severity,
      code,
      file: this.file,
      line,
      column,
      length: Math.max(1, Math.min(length, source.length - column + 1)),
      message,
      source: source.slice(0, MOST_SOURCE),
    });
  }

  #position(offset: number): { line: number; column: number; begin: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col, begin: offset - col + 1 };
  }
}

/** Every node below one, itself first, in the order of the text: without the stack, which hostile text can exhaust. */
export function* nodesOf(root: Node | null): Generator<Node> {
  const left: (Node | null)[] = [root];
  while (left.length > 0) {
    const node = left.pop() ?? null;
    if (node === null) continue;
    yield node;
    if (isMap(node)) {
      for (const { key, value } of (node as YAMLMap<Node, Node | null>).items.toReversed()) {
        left.push(value, key);
      }
    } else if (isSeq(node)) {
      for (const each of (node as YAMLSeq<Node | null>).items.toReversed()) left.push(each);
    }
  }
}

/**
 * What each alias stands for: the last node before it that has its anchor. One walk finds them all, where the parser's own
 * look-up walks the document anew for each.
 */
function aliasesOf(root: Node | null): ReadonlyMap<Node, Node> {
  const anchored = new Map<string, Node>();
  const found = new Map<Node, Node>();
  for (const node of nodesOf(root)) {
    if (isAlias(node)) {
      const target = anchored.get(node.source);
      if (target !== undefined) found.set(node, target);
    } else if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      anchored.set(node.anchor, node);
    }
  }
  return found;
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
}

/** A name as messages quote it. */
export function short(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60).toWellFormed()}…` : name;
}

/** `, not 'yes'`: what stood there, for messages; a map or list is not shown. */
export function saw(value: string | number | boolean | null | undefined | object): string {
  if (value === undefined) return "";
  if (value === null) return ", and nothing stands here";
  const quoted = typeof value === "string" ? `'${short(value)}'` : JSON.stringify(value);
  const yes = value === "yes" || value === "no" || value === "on" || value === "off";
  return `, not ${quoted}${yes ? " (YAML reads it as text)" : ""}`;
}

function rangeOf(place: Place): [number, number] {
  if (place === null || place === undefined) return [0, 1];
  if ("range" in place && place.range) return [place.range[0], place.range[1]];
  if ("key" in place) return rangeOf(place.key as Node | null);
  return [0, 1];
}
