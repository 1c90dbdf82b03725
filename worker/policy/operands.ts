import { DETECTED_SIGNALS } from "../core/policy.ts";
import { hint } from "./nearest.ts";
import { PatternFault, readPattern } from "./pattern.ts";
import { FAMILIES, findSignal, SIGNAL_ALIASES, SIGNAL_NAMES, type SignalFacts } from "./signals.ts";
import type { Constant } from "./condition.ts";
import { short } from "./document.ts";

/** Most entries of a list that a signal is compared with. */
export const MOST_LISTED = 500;

/** What the name of a header is made of (RFC 9110). */
const HEADER = /^[!#$%&'*+.^_`|~\w-]+$/;

/** A signal by the name that a document uses, or public text that says what is wrong with the name. */
export function signalNamed(
  written: string,
): { name: string; facts: SignalFacts } | { fault: string } {
  const read = findSignal(written);
  const found =
    "name" in read && read.name.startsWith("header.") && !HEADER.test(read.name)
      ? { reason: "unnamed" as const }
      : read;
  if (!("reason" in found)) return found;
  if (found.reason === "credential") {
    return { fault: `'${short(written)}' holds a credential, which no policy may read` };
  }
  if (found.reason === "unnamed") {
    const root = written.slice(0, written.indexOf(".") + 1);
    return {
      fault: `'${short(written)}' needs a name behind the dot that a ${root === "header." ? "header" : "member"} can have, as ${root}x-team`,
    };
  }
  const known = [...SIGNAL_NAMES, ...Object.keys(SIGNAL_ALIASES)];
  // A bare or misplaced name (`pii_detected`, `identity.residency`) is found by its last part.
  const last = written.slice(written.lastIndexOf(".") + 1);
  const elsewhere = SIGNAL_NAMES.find((name) => name.endsWith(`.${last}`));
  const family = /^(headers?|meta(?:data)?)\.(.+)$/i.exec(written);
  const meant =
    family === null
      ? elsewhere
      : `${/^h/i.test(family[1] ?? "") ? "header" : "metadata"}.${family[2]}`;
  const near = meant === undefined ? hint(written, known) : `; did you mean '${short(meant)}'?`;
  const families = Object.keys(FAMILIES).map((prefix) => `${prefix}<name>`);
  return {
    fault: `there is no signal '${short(written)}'${near === "" ? ` (families: ${families.join(", ")})` : near}`,
  };
}

const TYPE_NAMES = {
  bool: "true or false",
  number: "a number",
  string: "text",
  strings: "a list of texts",
  any: "any value",
} as const;

/** How messages name the type of a signal. */
export function typeName(facts: SignalFacts): string {
  return TYPE_NAMES[facts.type];
}

/**
 * What is wrong with comparing a signal with a constant for equality, as public text; null where it can hold. For a
 * signal that is a list the constant is one of its elements.
 */
export function unequal(name: string, facts: SignalFacts, value: Constant): string | null {
  const { type, values, range } = facts;
  if (Array.isArray(value)) return `${name} can't be compared with a list here`;
  if (type === "any") return null;
  const wanted = type === "strings" ? "string" : type === "bool" ? "boolean" : type;
  if (typeof value !== wanted) {
    const told = type === "strings" ? "texts" : typeName(facts);
    const quoted = wanted === "string" ? `: write "${String(value)}" in quotes` : "";
    return `${name} is ${told}, and ${textOf(value)} is ${kindOf(value)}${quoted}`;
  }
  if (values !== undefined && !values.includes(String(value))) {
    return `${name} is never ${textOf(value)}${hint(String(value), values)} (it is one of ${values.join(", ")})`;
  }
  if (facts.form !== undefined && !facts.form.test.test(String(value))) {
    return `${name} is never ${textOf(value)}: ${facts.form.told}`;
  }
  if (range !== undefined && (Number(value) < range[0] || Number(value) > range[1])) {
    return `${name} is never ${textOf(value)}: it lies between ${range[0]} and ${bound(range[1])}`;
  }
  return null;
}

/** What is wrong with ordering a signal against a number: a bound that every or no value meets is a mistake. */
export function unordered(
  name: string,
  facts: SignalFacts,
  is: "lt" | "lte" | "gt" | "gte",
  value: number,
): string | null {
  if (facts.range === undefined) return null;
  const [least, most] = facts.range;
  const never =
    (is === "lt" && value <= least) ||
    (is === "lte" && value < least) ||
    (is === "gt" && value >= most) ||
    (is === "gte" && value > most);
  if (never) {
    return `this is never true: ${name} lies between ${least} and ${bound(most)}`;
  }
  const always =
    (is === "lt" && value > most) ||
    (is === "lte" && value >= most) ||
    (is === "gt" && value < least) ||
    (is === "gte" && value <= least);
  return always ? `this is always true: ${name} lies between ${least} and ${bound(most)}` : null;
}

/** A pattern as it is matched with a signal, in any case where the signal is read in one; or what is wrong with it. */
export function patternFor(facts: SignalFacts | undefined, written: string): string | PatternFault {
  const anyCase = facts?.fold !== undefined && !written.startsWith("(?i)");
  const pattern = anyCase ? `(?i)${written}` : written;
  try {
    readPattern(written);
    readPattern(pattern);
    return pattern;
  } catch (cause) {
    if (!(cause instanceof PatternFault)) throw cause;
    return new PatternFault(
      `not a pattern: ${cause.message} (at character ${cause.at + 1} of it)`,
      cause.at,
    );
  }
}

function bound(most: number): string {
  return most === Number.MAX_SAFE_INTEGER ? "any size" : String(most);
}

export function textOf(value: Constant): string {
  return typeof value === "string" ? `'${short(value)}'` : String(value);
}

export function kindOf(value: Constant): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return "text";
  return typeof value === "number" ? "a number" : "true or false";
}

export const DETECTOR_OF: Readonly<Record<string, string>> = Object.fromEntries(
  DETECTED_SIGNALS.map((name) => [name, name.slice(name.indexOf(".") + 1).replace(/_.*/, "")]),
);
