import type { Node } from "yaml";
import type { Deployment } from "../core/model.ts";
import type { SignalValue } from "../core/policy.ts";
import { charactersOf, statesOfPlan } from "./cost.ts";
import { decide } from "./decide.ts";
import { short, type Member, type Source } from "./document.ts";
import { link } from "./evaluate.ts";
import { hint } from "./nearest.ts";
import { signalNamed, unequal } from "./operands.ts";
import type { Plan } from "./plan.ts";
import { DEFAULT_CALENDAR } from "./calendar.ts";
import { scheduleSignal } from "./scheduled.ts";
import { asRead, isTooLong, MOST_TEXT, MOST_TEXTS, type SignalFacts } from "./signals.ts";

const MOST_CASES = 500;
const MOST_TARGETS = 100;
/** Steps of patterns over the texts of all cases: about a second. */
const MOST_STEPS = 100_000_000;
/** A Wednesday at noon, for cases that name no time. */
const STANDARD_TIME = Date.UTC(2026, 0, 14, 12);

/** How one case ended; `faults` is empty where it passed. */
export interface CaseResult {
  name: string;
  line: number;
  faults: string[];
}

export interface SuiteResult {
  cases: CaseResult[];
  passed: number;
  /** Ids of rules and constraints that some case came to, and of those that none did. */
  covered: string[];
  uncovered: string[];
}

/**
 * Runs a test document against a plan. Faults of the document and cases that fail become errors of the source, so that a
 * publication stops at either.
 */
export function runSuite(source: Source, plan: Plan, gateway: string | null): SuiteResult {
  const names = [...plan.rules, ...plan.constraints].map(({ id }) => id);
  const nothing = { cases: [], passed: 0, covered: [], uncovered: names };
  if (source.refused) return nothing;
  const top = source.known(source.root, "a test file", ["cases", "targets"]);
  if (top === null) return nothing;
  const shared = top.targets === undefined ? [] : readTargets(source, top.targets);
  if (top.cases === undefined) {
    source.error(source.root, "missing_key", "a test file needs 'cases'");
    return nothing;
  }
  const linked = link(plan);
  const states = statesOfPlan(plan);
  let steps = 0;
  const covered = new Set<string>();
  const items = source.list(top.cases.value, "cases", MOST_CASES) ?? [];
  const cases = items.flatMap((node) => {
    const members = source.known(node, "a case", [
      "name",
      "given",
      "at",
      "unknown",
      "targets",
      "expect",
    ]);
    if (members === null) return [];
    const read = readCase(source, members, shared);
    if (steps > MOST_STEPS) return [];
    steps += stepsOf(read, states) + entriesOf(read) * plan.predicates.length;
    if (steps > MOST_STEPS) {
      source.error(
        node,
        "too_large",
        "the texts of the cases up to this one cost too much with the patterns of the policy: shorten them",
      );
      return [];
    }
    const verdict = decide(
      [{ scope: "org", version: 0, hash: "", linked }],
      {
        now: read.at,
        read: (name) => {
          if (read.unknown.has(name)) return undefined;
          const given = read.given.get(name);
          if (given !== undefined) return given;
          return scheduleSignal(name, read.at, plan.calendar ?? DEFAULT_CALENDAR) ?? null;
        },
      },
      gateway ?? "global",
    );
    const part = verdict?.parts[0];
    if (part?.rule != null) covered.add(part.rule);
    for (const id of part?.constraints ?? []) covered.add(id);
    const faults: string[] = [];
    const differ = (member: Member, got: string): void => {
      const wanted = source.written(member.value);
      faults.push(`expected ${member.name} ${wanted}, got ${got}`);
      source.error(
        member.value ?? member.key,
        "case_failed",
        `case '${short(read.name)}' fails: expected ${member.name} ${wanted}, got ${got}`,
      );
    };
    const { expect } = read;
    if (expect.rule !== undefined) {
      const wanted = nameOrNone(source, expect.rule, names.includes("none"));
      if (typeof wanted === "string" && !names.includes(wanted)) {
        source.error(
          expect.rule.value,
          "unknown_rule",
          `the policy has no rule '${short(wanted)}'${hint(wanted, names)}`,
        );
      } else if (wanted !== (part?.rule ?? null)) differ(expect.rule, part?.rule ?? "none");
    }
    if (expect.route !== undefined) {
      const wanted = nameOrNone(source, expect.route, false);
      if (wanted !== (verdict?.route ?? null)) differ(expect.route, verdict?.route ?? "none");
    }
    if (expect.blocked !== undefined) {
      const blocked = verdict?.block != null;
      if (source.flag(expect.blocked.value, "blocked") !== blocked)
        differ(expect.blocked, String(blocked));
    }
    if (expect.constraints !== undefined) {
      const got = part?.constraints ?? [];
      if (!same(source.texts(expect.constraints.value, "constraints"), got)) {
        differ(expect.constraints, `[${got.join(", ")}]`);
      }
    }
    if (expect.candidates !== undefined) {
      const left = read.targets
        .filter(
          (target) => verdict?.narrowings.every((narrow) => narrow(target) === null) !== false,
        )
        .map(({ id }) => id);
      if (!same(source.texts(expect.candidates.value, "candidates"), left)) {
        differ(expect.candidates, `[${left.join(", ")}]`);
      }
    }
    if (expect.guardrails !== undefined) {
      const got = (verdict?.features ?? []).flatMap(({ field, id }) =>
        field === "guardrail_id" ? [id] : [],
      );
      if (!same(source.texts(expect.guardrails.value, "guardrails"), got)) {
        differ(expect.guardrails, `[${got.join(", ")}]`);
      }
    }
    return [{ name: read.name, line: source.lineOf(node), faults }];
  });
  return {
    cases,
    passed: cases.filter((each) => each.faults.length === 0).length,
    covered: names.filter((each) => covered.has(each)),
    uncovered: names.filter((each) => !covered.has(each)),
  };
}

/** What a case may cost at most, in steps of patterns. */
function stepsOf({ given, targets }: Case, states: ReturnType<typeof statesOfPlan>): number {
  const texts = [...given.values()].reduce((sum: number, each) => sum + charactersOf(each), 0);
  const facts = targets.map(({ group, provider, model, region = "" }) =>
    charactersOf([group, provider, model, provider, model, region]),
  );
  return texts * states.requests + facts.reduce((a, b) => a + b, 0) * states.targets;
}

function entriesOf({ given }: Case): number {
  return [...given.values()].flat().length;
}

/** A name that a case expects; `none`, as failures write it, is no name unless something is called so. */
function nameOrNone(source: Source, { value }: Member, isName: boolean) {
  const written = source.scalar(value);
  return written === "none" && !isName ? null : written;
}

function same(wanted: string[] | null, got: readonly string[]): boolean {
  return wanted === null || JSON.stringify(wanted.toSorted()) === JSON.stringify(got.toSorted());
}

const EXPECTED = ["rule", "route", "blocked", "constraints", "candidates", "guardrails"] as const;

interface Case {
  name: string;
  given: Map<string, SignalValue>;
  unknown: Set<string>;
  at: number;
  targets: Deployment[];
  expect: Partial<Record<(typeof EXPECTED)[number], Member>>;
}

function readCase(
  source: Source,
  members: Partial<Record<"name" | "given" | "at" | "unknown" | "targets" | "expect", Member>>,
  shared: Deployment[],
): Case {
  const { name, given, at, unknown, targets, expect } = members;
  if (expect === undefined) source.error(name?.key ?? null, "missing_key", "a case needs 'expect'");
  const time = at === undefined ? null : source.text(at.value ?? at.key, "at", 64);
  const parsed = time === null ? STANDARD_TIME : Date.parse(time);
  if (Number.isNaN(parsed)) {
    source.error(at?.value, "wrong_type", "at is an instant, as 2026-03-29T08:30:00Z");
  }
  const values = new Map<string, SignalValue>();
  if (given !== undefined) readGiven(source, given.value, "", values);
  const names = unknown === undefined ? [] : readUnknown(source, unknown);
  const expected = expect === undefined ? {} : source.known(expect.value, "expect", EXPECTED);
  if (expected !== null && expect !== undefined && Object.keys(expected).length === 0) {
    source.error(
      expect.key,
      "missing_key",
      `a case that expects nothing passes always: say one of ${EXPECTED.join(", ")}`,
    );
  }
  return {
    name:
      name === undefined
        ? "unnamed"
        : (source.text(name.value ?? name.key, "name", 200) ?? "unnamed"),
    given: values,
    unknown: new Set(names),
    at: Number.isNaN(parsed) ? STANDARD_TIME : parsed,
    targets: targets === undefined ? shared : readTargets(source, targets),
    expect: expected ?? {},
  };
}

/** Signals by their full name, or nested by class: `identity: {region: eu}`. */
function readGiven(
  source: Source,
  node: Node | null,
  prefix: string,
  into: Map<string, SignalValue>,
): void {
  for (const { name, key, value } of source.members(node, "given") ?? []) {
    const full = prefix + name;
    const plain = source.plain(value);
    if (plain === undefined) {
      if (prefix === "") readGiven(source, value, `${full}.`, into);
      else source.error(value ?? key, "wrong_type", `${full} must be a value or a list of texts`);
      continue;
    }
    const found = signalNamed(full);
    if ("fault" in found) {
      source.error(key, "unknown_signal", found.fault);
      continue;
    }
    const read = asGiven(found.facts, plain);
    const fault = [read]
      .flat()
      .flatMap((each) => (each === null ? [] : (unequal(found.name, found.facts, each) ?? [])))[0];
    if (fault !== undefined) source.error(value ?? key, "type_error", fault);
    if (isTooLong(read)) {
      source.error(
        value ?? key,
        "too_large",
        `a policy sees ${MOST_TEXT} characters of a text at most, and ${MOST_TEXTS} of a list`,
      );
      continue;
    }
    into.set(found.name, read);
  }
}

/** A value as the gateway would read it: a list of one where a list is read, in its case. */
function asGiven(facts: SignalFacts, value: SignalValue): SignalValue {
  const read = asRead(facts, value);
  return facts.type === "strings" && typeof read === "string" ? [read] : read;
}

/** Signals that a case takes for unknown, by their full names. */
function readUnknown(source: Source, { value }: Member): string[] {
  return (source.list(value, "unknown", 100) ?? []).flatMap((node) => {
    const written = source.text(node, "an entry of unknown", 256);
    if (written === null) return [];
    const found = signalNamed(written);
    if (!("fault" in found)) return [found.name];
    source.error(node, "unknown_signal", found.fault);
    return [];
  });
}

const TARGET_KEYS = [
  "id",
  "provider",
  "model",
  "group",
  "region",
  "retention",
  "training",
  "price",
] as const;

function readTargets(source: Source, member: Member): Deployment[] {
  const items = source.list(member.value, "targets", MOST_TARGETS) ?? [];
  return items.flatMap((node) => {
    const found = source.known(node, "a target", TARGET_KEYS);
    if (found?.id === undefined) {
      if (found !== null) source.error(node, "missing_key", "a target needs an id");
      return [];
    }
    const text = (key: "id" | "provider" | "model" | "group" | "region"): string | undefined => {
      const at = found[key];
      return at === undefined
        ? undefined
        : (source.text(at.value ?? at.key, key, 256) ?? undefined);
    };
    const { retention, training, price } = found;
    const kept = retention === undefined ? undefined : source.scalar(retention.value);
    const trains = training === undefined ? undefined : source.flag(training.value, "training");
    const prices =
      price === undefined ? null : source.known(price.value, "price", ["input", "output"]);
    const usd = (at: Member | undefined): number =>
      at === undefined ? 0 : (source.number(at.value, "a price", [0, 1_000_000]) ?? 0) * 1e6;
    const id = text("id") ?? "";
    const region = text("region");
    return [
      {
        id,
        group: text("group") ?? id,
        provider: text("provider") ?? "",
        model: text("model") ?? id,
        protocol: "openai-chat",
        baseUrl: "sim:",
        ...(region !== undefined && { region }),
        weight: 1,
        order: 0,
        tags: [],
        facts: {
          capabilities: {},
          ...(prices !== null && {
            prices: { input: usd(prices.input), output: usd(prices.output) },
          }),
        },
        terms: {
          ...(kept === "none" && { retentionDays: 0 }),
          ...(typeof kept === "number" && { retentionDays: kept }),
          ...(typeof trains === "boolean" && { training: trains }),
        },
      } satisfies Deployment,
    ];
  });
}
