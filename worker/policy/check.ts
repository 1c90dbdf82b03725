import { clockText, offsetOf, weekMinutes } from "./calendar.ts";
import type { ReadRule } from "./compile.ts";
import {
  fingerprint,
  isLeaf,
  signalsOf,
  type Comparison,
  type Predicate,
  type Term,
  type Tree,
  type Window,
} from "./condition.ts";
import type { Source } from "./document.ts";
import { linkTree, NO, YES } from "./evaluate.ts";
import { isDetected, WEEKDAYS } from "./signals.ts";

/** A predicate or its opposite. */
interface Literal {
  predicate: Predicate;
  print: string;
  negated: boolean;
}

/** A way in which a condition holds: all of these literals. */
type Branch = Literal[];

/** Conditions with more ways to hold are left unexamined: the checks would cost more than they tell. */
const MOST_BRANCHES = 32;
/** Comparisons of one document's rules with one another; beyond them rules are taken for reachable. */
const MOST_COMPARISONS = 500_000;

/**
 * What is wrong between rules though each is well formed: one that nothing reaches, one that nothing meets, schedules that
 * overlap by mistake. Sound, not complete: whatever it reports is so.
 */
export function checkRules(source: Source, rules: readonly ReadRule[]): void {
  const live = rules.filter((each) => each.enabled && each.sound);
  const before: { read: ReadRule; branches: Branch[] }[] = [];
  const budget = { left: MOST_COMPARISONS };
  for (const read of live) {
    const branches = branchesOf(read);
    if (branches === null) continue;
    const possible = branches.filter((branch) => !contradicts(branch));
    if (possible.length === 0) {
      source.error(
        read.node,
        "never_true",
        `rule '${read.rule.id}' never matches: its conditions contradict one another`,
      );
      continue;
    }
    const coverers = possible.map((branch) =>
      before.find((each) => covers(each, read, branch, budget)),
    );
    const [first] = coverers;
    if (first !== undefined && !coverers.includes(undefined)) {
      source.error(
        read.node,
        "unreachable",
        `rule '${read.rule.id}' is never reached: rule '${first.read.rule.id}' (line ${first.read.rule.line}) matches first whatever it matches`,
      );
    }
    checkOverlap(source, read, before);
    before.push({ read, branches });
  }
}

function covers(
  earlier: { read: ReadRule; branches: Branch[] },
  read: ReadRule,
  branch: Branch,
  budget: { left: number },
): boolean {
  if (earlier.read.rule.onUnknown === "skip" && read.rule.onUnknown === "match") {
    const detected = earlier.branches.flat().flatMap(({ predicate }) => signalsOf(predicate));
    if (detected.some(isDetected)) return false;
  }
  return earlier.branches.some((weaker) =>
    weaker.every((wanted) => branch.some((given) => --budget.left > 0 && implies(given, wanted))),
  );
}

function branchesOf({ when, window }: ReadRule): Branch[] | null {
  const within: Branch = window === null ? [] : [literal({ is: "within", window }, false)];
  if (when === null) return [within];
  const branches = split(when, false);
  return branches && branches.map((branch) => [...within, ...branch]);
}

/** The disjunctive form of a tree; null where it has too many branches. */
function split(tree: Tree<Predicate>, negated: boolean): Branch[] | null {
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

function literal(predicate: Predicate, negated: boolean): Literal {
  return { predicate, print: fingerprint(predicate), negated };
}

/** True when whatever meets `given` meets `wanted`. */
function implies(given: Literal, wanted: Literal): boolean {
  if (given.print === wanted.print) return given.negated === wanted.negated;
  const windows = windowsOf(given, wanted);
  if (windows !== null) return windows[0].zone === windows[1].zone && isWithin(...windows);
  const signal = onlySignal(given.predicate);
  if (signal === null || signal !== onlySignal(wanted.predicate)) return false;
  const values = finite(given);
  if (values !== null) return values.every((value) => holds(wanted, signal, value));
  if (wanted.predicate.is === "exists" && !wanted.negated) return !given.negated;
  const excluded = given.negated ? finite({ ...given, negated: false }) : null;
  if (excluded !== null && wanted.negated) {
    return (
      finite({ ...wanted, negated: false })?.every((value) => excluded.includes(value)) === true
    );
  }
  const [tight, loose] = [boundOf(given), boundOf(wanted)];
  if (tight === null || loose === null || tight.up !== loose.up) return false;
  if (tight.at === loose.at) return loose.closed || !tight.closed;
  return tight.up ? tight.at < loose.at : tight.at > loose.at;
}

/** True when no request can meet all literals of a branch. */
function contradicts(branch: Branch): boolean {
  return branch.some((a, index) =>
    branch.slice(index + 1).some((b) => excludes(a, b) || excludes(b, a)),
  );
}

function excludes(a: Literal, b: Literal): boolean {
  if (a.print === b.print) return a.negated !== b.negated;
  const signal = onlySignal(a.predicate);
  if (signal === null || signal !== onlySignal(b.predicate)) return false;
  const values = finite(a);
  if (values !== null) return values.every((value) => !holds(b, signal, value));
  const [low, high] = [boundOf(a), boundOf(b)];
  if (low === null || high === null || low.up || !high.up) return false;
  return low.at > high.at || (low.at === high.at && !(low.closed && high.closed));
}

/** The signal that a predicate is about, where it is one signal against constants. */
function onlySignal(predicate: Predicate): string | null {
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

function holds(
  { predicate, negated }: Literal,
  signal: string,
  value: string | number | boolean,
): boolean {
  const answer = linkTree(predicate)((name) => (name === signal ? value : undefined));
  return answer === (negated ? NO : YES);
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

function windowsOf(a: Literal, b: Literal): [Window, Window] | null {
  if (a.predicate.is !== "within" || b.predicate.is !== "within") return null;
  return a.negated || b.negated ? null : [a.predicate.window, b.predicate.window];
}

function isWithin(inner: Window, outer: Window): boolean {
  const wide = weekMinutes(outer);
  return weekMinutes(inner).every((covered, minute) => covered === 0 || wide[minute] === 1);
}

/** Two rules with the same condition and schedules that cross: what holds in between is a guess, so it is refused. */
function checkOverlap(source: Source, read: ReadRule, before: readonly { read: ReadRule }[]): void {
  const { window } = read;
  if (window === null) return;
  for (const { read: other } of before) {
    if (other.window === null || JSON.stringify(other.when) !== JSON.stringify(read.when)) continue;
    const at = crossing(other.window, window);
    if (at === null) continue;
    source.error(
      read.node,
      "schedule_overlap",
      `the schedule of rule '${read.rule.id}' overlaps that of rule '${other.rule.id}' (line ${other.rule.line}), which wins there: from ${at} in ${other.window.zone}; make them meet, or one lie within the other`,
    );
    return;
  }
}

/** Where two windows begin to overlap though neither lies within the other; null where they do not cross. */
function crossing(a: Window, b: Window): string | null {
  for (const shift of shifts(a.zone, b.zone)) {
    const first = weekMinutes(a);
    const second = shifted(weekMinutes(b), shift);
    let [both, onlyFirst, onlySecond, at] = [0, 0, 0, -1];
    for (let minute = 0; minute < first.length; minute++) {
      if (first[minute] === 1 && second[minute] === 1) {
        both++;
        const before = (minute + first.length - 1) % first.length;
        if (at < 0 && !(first[before] === 1 && second[before] === 1)) at = minute;
      } else if (first[minute] === 1) onlyFirst++;
      else if (second[minute] === 1) onlySecond++;
    }
    // A smaller window before a larger one is the usual exception; the other way round it is never reached.
    if (both > 0 && onlyFirst > 0 && onlySecond > 0) return weekTime(Math.max(at, 0));
  }
  return null;
}

function shifted(week: Uint8Array, by: number): Uint8Array {
  return week.map((_, minute) => week[(minute + by + week.length) % week.length] as number);
}

/** By how many minutes the second zone is ahead of the first, in winter and in summer. */
function shifts(a: string, b: string): number[] {
  if (a === b) return [0];
  const dates = [Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)];
  return [...new Set(dates.map((date) => offsetOf(date, b) - offsetOf(date, a)))];
}

function weekTime(minute: number): string {
  const day = WEEKDAYS[Math.floor(minute / 1440)] ?? "mon";
  return `${day} ${clockText(minute % 1440)}`;
}
