/**
 * Regular expressions in linear time: a Thompson automaton that is walked once over the text, with all its states in
 * step, so that no pattern can make a policy slow. The syntax is RE2's without captures: literals, `.`, classes,
 * `\d \w \s \b` and their opposites, `^ $`, groups, `|`, `* + ? {m,n}`, and `(?i)` at the beginning. Back references and
 * look-around can't be had in linear time and are refused.
 */
export interface Pattern {
  /** True when the pattern occurs anywhere in the text. */
  occursIn(text: string): boolean;
  /** How many states it has: a text costs at most as many steps for each of its characters. */
  readonly states: number;
}

/** Why a pattern is not accepted; `at` is the offset of the fault in it. */
export class PatternFault extends Error {
  override name = "PatternFault";
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const MOST_LENGTH = 500;
const MOST_STATES = 1_000;
const MOST_REPEATS = 100;

/** Inclusive ranges of UTF-16 units; negated sets are turned around when read. */
type Ranges = readonly (readonly [number, number])[];

type Node =
  | { kind: "set"; ranges: Ranges }
  | { kind: "begin" | "end" | "edge" | "noEdge" | "empty" }
  | { kind: "all" | "any"; of: Node[] }
  | { kind: "repeat"; of: Node; least: number; most: number };

/** One state: consumes a unit of `ranges`, passes where `check` holds, or splits. `to` are the next states. */
interface State {
  ranges?: Ranges;
  check?: "begin" | "end" | "edge" | "noEdge";
  to: number[];
}

const TOP = 0xffff;
const DIGIT: Ranges = [[48, 57]];
const WORD: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: Ranges = [
  [9, 13],
  [32, 32],
];
const CLASSES: Readonly<Record<string, Ranges>> = {
  d: DIGIT,
  D: inverse(DIGIT),
  w: WORD,
  W: inverse(WORD),
  s: SPACE,
  S: inverse(SPACE),
};
const ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Reads a pattern; throws `PatternFault` for one that is malformed, not linear or too large. */
export function readPattern(source: string): Pattern {
  if (source.length > MOST_LENGTH) {
    throw new PatternFault(`a pattern has at most ${MOST_LENGTH} characters`, MOST_LENGTH);
  }
  const reader = new Reader(source);
  const machine = new Machine();
  machine.add(reader.read());
  return machine;
}

class Reader {
  readonly #source: string;
  #at = 0;
  #foldCase = false;

  constructor(source: string) {
    this.#source = source;
  }

  read(): Node {
    if (this.#source.startsWith("(?i)")) {
      this.#foldCase = true;
      this.#at = 4;
    }
    const node = this.#alternatives(0);
    if (this.#at < this.#source.length) this.#fail("this ')' closes nothing");
    return node;
  }

  #alternatives(depth: number): Node {
    if (depth > 20) this.#fail("groups are nested too deep");
    const of = [this.#sequence(depth)];
    while (this.#take("|")) of.push(this.#sequence(depth));
    return of.length === 1 ? (of[0] as Node) : { kind: "any", of };
  }

  #sequence(depth: number): Node {
    const of: Node[] = [];
    for (;;) {
      const next = this.#source[this.#at];
      if (next === undefined || next === "|" || next === ")") break;
      of.push(this.#repeated(this.#atom(depth)));
    }
    return { kind: "all", of };
  }

  #repeated(atom: Node): Node {
    let node = atom;
    for (;;) {
      const start = this.#at;
      let bounds: [number, number];
      if (this.#take("*")) bounds = [0, Infinity];
      else if (this.#take("+")) bounds = [1, Infinity];
      else if (this.#take("?")) bounds = [0, 1];
      else {
        const counted = /^\{(\d{1,4})(?:(,)(\d{0,4}))?\}/.exec(this.#source.slice(this.#at));
        if (counted === null) return node;
        this.#at += counted[0].length;
        const least = Number(counted[1]);
        const most =
          counted[2] === undefined ? least : counted[3] === "" ? Infinity : Number(counted[3]);
        if (most < least || least > MOST_REPEATS || (most > MOST_REPEATS && most !== Infinity)) {
          this.#fail(`a count is at most ${MOST_REPEATS} and not backwards`, start);
        }
        bounds = [least, most];
      }
      // A lazy quantifier matches the same texts.
      this.#take("?");
      if (node !== atom) this.#fail("a quantifier after a quantifier", start);
      node = { kind: "repeat", of: atom, least: bounds[0], most: bounds[1] };
    }
  }

  #atom(depth: number): Node {
    const start = this.#at;
    const unit = this.#source[this.#at++] as string;
    if (unit === "(") {
      if (this.#take("?")) {
        if (!this.#take(":")) {
          this.#fail(
            "look-around, names and flags inside are not linear or not needed: use (…) or (?:…)",
            start,
          );
        }
      }
      const node = this.#alternatives(depth + 1);
      if (!this.#take(")")) this.#fail("this group is never closed", start);
      return node;
    }
    if (unit === "[") return this.#set(this.#class(start));
    if (unit === ".") return { kind: "set", ranges: inverse([[10, 10]]) };
    if (unit === "^") return { kind: "begin" };
    if (unit === "$") return { kind: "end" };
    if (unit === "*" || unit === "+" || unit === "?")
      this.#fail("a quantifier needs something before it", start);
    if (unit === "\\") {
      const escaped = this.#source[this.#at];
      if (escaped === "b") return this.#skip({ kind: "edge" });
      if (escaped === "B") return this.#skip({ kind: "noEdge" });
      return this.#set(this.#escape(start));
    }
    return this.#set(one(unit.charCodeAt(0)));
  }

  #escape(start: number): Ranges {
    const unit = this.#source[this.#at++];
    if (unit === undefined) this.#fail("a '\\' at the end", start);
    const known = CLASSES[unit];
    if (known !== undefined) return known;
    const control = ESCAPES[unit];
    if (control !== undefined) return one(control);
    if (unit === "x" || unit === "u") {
      const digits = unit === "x" ? 2 : 4;
      const text = this.#source.slice(this.#at, this.#at + digits);
      if (text.length < digits || !/^[0-9a-f]+$/i.test(text)) {
        this.#fail(`'\\${unit}' takes ${digits} hexadecimal digits`, start);
      }
      this.#at += digits;
      return one(Number.parseInt(text, 16));
    }
    if (/[1-9k]/.test(unit)) this.#fail("back references can't be matched in linear time", start);
    if (/[A-Za-z0-9]/.test(unit)) this.#fail(`'\\${unit}' means nothing here`, start);
    return one(unit.charCodeAt(0));
  }

  #class(start: number): Ranges {
    const negated = this.#take("^");
    const ranges: [number, number][] = [];
    for (let first = true; ; first = false) {
      const unit = this.#source[this.#at];
      if (unit === undefined) this.#fail("this class is never closed", start);
      if (unit === "]" && !first) break;
      const from = this.#member();
      const low = from.length === 1 && from[0]?.[0] === from[0]?.[1] ? from[0]?.[0] : undefined;
      if (
        low === undefined ||
        this.#source[this.#at] !== "-" ||
        this.#source[this.#at + 1] === "]" ||
        this.#at + 1 >= this.#source.length
      ) {
        for (const [a, b] of from) ranges.push([a, b]);
        continue;
      }
      this.#at++;
      const to = this.#member();
      const high = to.length === 1 && to[0]?.[0] === to[0]?.[1] ? to[0]?.[0] : undefined;
      if (high === undefined || high < low) this.#fail("a range in a class is backwards", start);
      ranges.push([low, high]);
    }
    this.#at++;
    const sorted = this.#folded(ranges);
    return negated ? inverse(sorted) : sorted;
  }

  #member(): Ranges {
    const start = this.#at;
    const unit = this.#source[this.#at++] as string;
    return unit === "\\" ? this.#escape(start) : one(unit.charCodeAt(0));
  }

  #set(ranges: Ranges): Node {
    return { kind: "set", ranges: this.#folded(ranges) };
  }

  /** Adds the other case of ASCII letters where the pattern folds case. */
  #folded(ranges: Ranges): Ranges {
    if (!this.#foldCase) return ranges;
    const more: [number, number][] = [];
    for (const [a, b] of ranges) {
      more.push([a, b]);
      const upper: [number, number] = [Math.max(a, 65), Math.min(b, 90)];
      if (upper[0] <= upper[1]) more.push([upper[0] + 32, upper[1] + 32]);
      const lower: [number, number] = [Math.max(a, 97), Math.min(b, 122)];
      if (lower[0] <= lower[1]) more.push([lower[0] - 32, lower[1] - 32]);
    }
    return more;
  }

  #skip(node: Node): Node {
    this.#at++;
    return node;
  }

  #take(unit: string): boolean {
    if (this.#source[this.#at] !== unit) return false;
    this.#at++;
    return true;
  }

  #fail(message: string, at = this.#at): never {
    throw new PatternFault(message, at);
  }
}

class Machine implements Pattern {
  readonly #states: State[] = [];
  #start = 0;
  #marks = new Uint32Array(0);
  #mark = 0;

  get states(): number {
    return this.#states.length;
  }

  add(node: Node): void {
    const accept = this.#push({ to: [] });
    this.#start = this.#build(node, accept);
    this.#marks = new Uint32Array(this.#states.length);
  }

  occursIn(text: string): boolean {
    let now: number[] = [];
    let next: number[] = [];
    this.#mark++;
    const edgeAt = (at: number) => isWord(text.charCodeAt(at - 1)) !== isWord(text.charCodeAt(at));
    for (let at = 0; at <= text.length; at++) {
      // A match may begin anywhere, so the start state joins at each step.
      if (this.#enter(this.#start, at, text, edgeAt, now)) return true;
      if (at === text.length) break;
      const unit = text.charCodeAt(at);
      this.#mark++;
      next.length = 0;
      for (const index of now) {
        const state = this.#states[index] as State;
        if (state.ranges === undefined || !within(state.ranges, unit)) continue;
        for (const to of state.to) if (this.#enter(to, at + 1, text, edgeAt, next)) return true;
      }
      [now, next] = [next, now];
    }
    return false;
  }

  /** Follows what consumes nothing; true when the accepting state is reached. */
  #enter(
    first: number,
    at: number,
    text: string,
    edgeAt: (at: number) => boolean,
    into: number[],
  ): boolean {
    const stack = [first];
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      if (this.#marks[index] === this.#mark) continue;
      this.#marks[index] = this.#mark;
      if (index === 0) return true;
      const { ranges, check, to } = this.#states[index] as State;
      if (ranges !== undefined) {
        into.push(index);
        continue;
      }
      if (check === "begin" && at !== 0) continue;
      if (check === "end" && at !== text.length) continue;
      if (check === "edge" && !edgeAt(at)) continue;
      if (check === "noEdge" && edgeAt(at)) continue;
      for (const each of to) stack.push(each);
    }
    return false;
  }

  /** Builds a node in front of `next`; returns its first state. */
  #build(node: Node, next: number): number {
    switch (node.kind) {
      case "set":
        return this.#push({ ranges: node.ranges, to: [next] });
      case "empty":
        return next;
      case "all":
        return node.of.reduceRight((to, each) => this.#build(each, to), next);
      case "any":
        return this.#push({ to: node.of.map((each) => this.#build(each, next)) });
      case "repeat": {
        let to = next;
        if (node.most === Infinity) {
          const loop = this.#push({ to: [] });
          const body = this.#build(node.of, loop);
          (this.#states[loop] as State).to.push(body, next);
          to = loop;
        } else {
          for (let i = node.least; i < node.most; i++) {
            to = this.#push({ to: [this.#build(node.of, to), next] });
          }
        }
        for (let i = 0; i < node.least; i++) to = this.#build(node.of, to);
        return to;
      }
      default:
        return this.#push({ check: node.kind, to: [next] });
    }
  }

  #push(state: State): number {
    if (this.#states.length >= MOST_STATES) {
      throw new PatternFault(`this pattern needs more than ${MOST_STATES} states`, 0);
    }
    return this.#states.push(state) - 1;
  }
}

function one(unit: number): Ranges {
  return [[unit, unit]];
}

function inverse(ranges: Ranges): Ranges {
  const sorted = ranges.toSorted(([a], [b]) => a - b);
  const out: [number, number][] = [];
  let from = 0;
  for (const [low, high] of sorted) {
    if (low > from) out.push([from, low - 1]);
    from = Math.max(from, high + 1);
  }
  if (from <= TOP) out.push([from, TOP]);
  return out;
}

function within(ranges: Ranges, unit: number): boolean {
  for (const [low, high] of ranges) if (unit >= low && unit <= high) return true;
  return false;
}

function isWord(unit: number): boolean {
  return within(WORD, unit);
}
