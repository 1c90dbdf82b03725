import type { Calendar } from "./calendar.ts";
import type { ReadRule } from "./compile.ts";
import { signalsOf, type Predicate, type Tree } from "./condition.ts";
import type { Place, Source } from "./document.ts";
import { Effort, excludes, implies, literal, split, type Branch } from "./literal.ts";
import { Moments } from "./moments.ts";
import { isDetected } from "./signals.ts";
import {
  both,
  crossingOf,
  either,
  isNever,
  Offsets,
  shifted,
  timeInWeek,
  weekOfWindow,
  type Week,
} from "./week.ts";

/** A rule with the ways in which it can match. */
interface Examined {
  read: ReadRule;
  branches: Branch[];
}

/**
 * What is wrong between rules though each is well formed: one that nothing reaches, one that nothing meets, schedules that
 * overlap by mistake. Sound, not complete: whatever it reports is so. `calendar` is what the signals of class schedule go
 * by; null where another document says.
 */
export function checkRules(
  source: Source,
  rules: readonly ReadRule[],
  calendar: Calendar | null,
): void {
  const live = rules.filter((each) => each.enabled && each.sound);
  const moments = new Moments(calendar);
  const before: Examined[] = [];
  const overlaps = new Overlaps(source);
  const effort = new Effort();
  for (const read of live) {
    const branches = branchesOf(read);
    if (branches === null) continue;
    const possible = branches.filter(
      (branch) => !contradicts(branch, effort) && !moments.never(branch),
    );
    if (possible.length === 0) {
      source.error(
        read.node,
        "never_true",
        `rule '${read.rule.id}' never matches: ${whyNever(branches)}`,
      );
      continue;
    }
    const coverers = possible.map((branch) => {
      const weeks = moments.ofBranch(branch);
      const implied = (wanted: Branch[number]): boolean =>
        effort.allows(1) &&
        (moments.covered(weeks, wanted) || branch.some((given) => implies(given, wanted, effort)));
      return before.find((each) => effort.left > 0 && covers(each, read, implied));
    });
    const [first] = coverers;
    if (first !== undefined && !coverers.includes(undefined)) {
      source.error(
        read.node,
        "unreachable",
        `rule '${read.rule.id}' is never reached: rule '${first.read.rule.id}' (line ${first.read.rule.line}) matches first whatever it matches`,
      );
    }
    overlaps.check(read);
    before.push({ read, branches });
  }
}

/** Refuses a constraint that nothing meets: it would protect nothing, and nobody would notice. */
export function checkConstraint(
  source: Source,
  place: Place,
  id: string,
  when: Tree<Predicate>,
  calendar: Calendar | null,
  effort: Effort,
): void {
  const branches = split(when);
  const moments = new Moments(calendar);
  if (branches === null) return;
  if (branches.some((branch) => !contradicts(branch, effort) && !moments.never(branch))) return;
  source.error(place, "never_true", `constraint '${id}' never applies: ${whyNever(branches)}`);
}

function whyNever(branches: readonly Branch[]): string {
  return branches.every((branch) => contradicts(branch, new Effort()))
    ? "its conditions contradict one another"
    : "the times that it asks for never meet";
}

function covers(
  earlier: Examined,
  read: ReadRule,
  implied: (wanted: Branch[number]) => boolean,
): boolean {
  if (earlier.read.rule.onUnknown === "skip" && read.rule.onUnknown === "match") {
    const detected = earlier.branches.flat().flatMap(({ predicate }) => signalsOf(predicate));
    if (detected.some(isDetected)) return false;
  }
  return earlier.branches.some((weaker) => weaker.every(implied));
}

function branchesOf({ when, window }: ReadRule): Branch[] | null {
  const within: Branch = window === null ? [] : [literal({ is: "within", window })];
  if (when === null) return [within];
  const branches = split(when);
  return branches && branches.map((branch) => [...within, ...branch]);
}

/** True when no request can meet all literals of a branch. */
function contradicts(branch: Branch, effort: Effort): boolean {
  return branch.some((a, index) =>
    branch.slice(index + 1).some((b) => excludes(a, b, effort) || excludes(b, a, effort)),
  );
}

/** A rule's schedule as one week, by the clock of its zone. */
interface Scheduled {
  read: ReadRule;
  week: Week;
}

/** The rules of one condition whose schedules go by one zone, and all their weeks together. */
interface Zoned {
  all: Week;
  rules: Scheduled[];
}

/** Two rules with the same condition and schedules that cross: what holds in between is a guess, so it is refused. */
class Overlaps {
  readonly #source: Source;
  readonly #offsets = new Offsets();
  /** By condition, then by zone. */
  readonly #before = new Map<string, Map<string, Zoned>>();

  constructor(source: Source) {
    this.#source = source;
  }

  check(read: ReadRule): void {
    const { window } = read;
    if (window === null) return;
    const condition = JSON.stringify(read.when);
    const zones = this.#before.get(condition) ?? new Map<string, Zoned>();
    this.#before.set(condition, zones);
    const week = weekOfWindow(window);
    const found = this.#crossing(zones, window.zone, week);
    if (found !== null) {
      const { other, at, zone } = found;
      this.#source.error(
        read.node,
        "schedule_overlap",
        `the schedule of rule '${read.rule.id}' overlaps that of rule '${other.rule.id}' (line ${other.rule.line}), which wins there: from ${timeInWeek(at)} in ${zone}; make them meet, or one lie within the other`,
      );
    }
    const own = zones.get(window.zone);
    if (own === undefined) zones.set(window.zone, { all: week, rules: [{ read, week }] });
    else {
      own.all = either(own.all, week);
      own.rules.push({ read, week });
    }
  }

  /** A smaller window before a larger one is the usual exception; the other way round it is never reached. */
  #crossing(
    zones: ReadonlyMap<string, Zoned>,
    zone: string,
    week: Week,
  ): { other: ReadRule; at: number; zone: string } | null {
    for (const [theirs, { all, rules }] of zones) {
      for (const by of this.#offsets.between(theirs, zone)) {
        const own = shifted(week, by);
        if (isNever(both(all, own))) continue;
        for (const { read, week: other } of rules) {
          const at = crossingOf(other, own);
          if (at !== null) return { other: read, at, zone: theirs };
        }
      }
    }
    return null;
  }
}
