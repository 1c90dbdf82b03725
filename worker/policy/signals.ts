import { DETECTED_SIGNALS, type SignalValue } from "../core/policy.ts";
import { LANGUAGES } from "./content.ts";

/** `any` is for values whose type only the request tells: members of its metadata. */
export type SignalType = "bool" | "number" | "string" | "strings" | "any";

export interface SignalFacts {
  type: SignalType;
  about: string;
  /** The only values that occur. */
  values?: readonly string[];
  /** The only numbers that occur, both ends included. */
  range?: readonly [number, number];
  /** What every value of it is like; a document that names another waits for what never comes. */
  form?: { test: RegExp; told: string };
  /** The case in which its values are read, whatever the caller or administrator wrote. */
  fold?: "lower" | "upper";
  /** Identifies a person or is the caller's own text: records keep outcomes of predicates, never the value. */
  private?: true;
}

/** A word that callers and administrators class things by, in lower case. */
export const LABEL = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

const bool = (about: string): SignalFacts => ({ type: "bool", about });
const number = (about: string, range: readonly [number, number]): SignalFacts => ({
  type: "number",
  about,
  range,
});
const string = (about: string, values?: readonly string[]): SignalFacts => ({
  type: "string",
  about,
  ...(values && { values }),
});
const strings = (about: string, values?: readonly string[]): SignalFacts => ({
  type: "strings",
  about,
  ...(values && { values }),
});
const folded = (fold: "lower" | "upper", facts: SignalFacts): SignalFacts => ({ ...facts, fold });
const FORMS = {
  label: {
    test: LABEL,
    told: "it is one word of letters, digits, '.', '_' and '-', as the-word",
  },
  country: {
    test: /^(?!UK$|EU$)[A-Z]{2}$/,
    told: "it is two letters of ISO 3166-1, as DE or GB",
  },
} as const;
const formed = (form: keyof typeof FORMS, facts: SignalFacts): SignalFacts => ({
  ...facts,
  form: FORMS[form],
});
const hidden = (facts: SignalFacts): SignalFacts => ({ ...facts, private: true });

const MANY = Number.MAX_SAFE_INTEGER;

/** The 40 signals with a fixed name; with the two families below it is the closed list of signals. */
export const SIGNALS = {
  "identity.workspace": string("alias of the organization"),
  "identity.team_id": hidden(string("id of the key's team; `team` is read as this")),
  "identity.user_id": hidden(string("id of the user behind the key")),
  "identity.key_id": hidden(string("id of the virtual key")),
  "identity.customer_id": hidden(string("end customer that the request names")),
  "identity.role": string("role that the credential carries", [
    "platform_admin",
    "admin",
    "team_admin",
    "developer",
    "auditor",
    "finance",
    "viewer",
    "member",
  ]),
  "identity.groups": strings(
    "groups of the caller: the team's alias and what the key's metadata lists",
  ),
  "identity.plan": formed(
    "label",
    folded("lower", string("`plan` in the organization's metadata")),
  ),
  "identity.cost_center": hidden(
    string("`cost_center` in the key's or team's metadata, else X-Routero-Cost-Center"),
  ),
  "identity.auth_method": string("how the caller proved who it is", [
    "master",
    "key",
    "session",
    "service",
  ]),
  "content.pii_detected": bool("personal data in the request"),
  "content.pii_entities": strings("kinds of personal data in the request"),
  "content.secrets_detected": bool("credentials in the request"),
  "content.injection_detected": bool("an attempt to override instructions in the request"),
  "content.has_code": bool("source code in the request"),
  "content.language": folded(
    "lower",
    string("language of the last user message, ISO 639-1", LANGUAGES),
  ),
  "content.input_tokens": number("estimate of the prompt's tokens", [0, MANY]),
  "content.data_class": formed(
    "label",
    folded("lower", string("X-Routero-Data-Class, else `data_class` in the request's metadata")),
  ),
  "content.modalities": strings("what the messages are made of", [
    "text",
    "image",
    "audio",
    "file",
  ]),
  "content.tools": hidden(strings("names of the tools that the request offers")),
  "content.task": string("kind of task, by the smart router's classifier", [
    "knowledge",
    "math",
    "code",
    "reasoning",
    "reading",
    "summarize",
    "rewrite",
    "translate",
    "writing",
    "classify_extract",
    "chat",
  ]),
  "content.difficulty": string("difficulty, by the smart router's classifier", [
    "LIGHT",
    "STANDARD",
    "HEAVY",
    "REASONING",
  ]),
  "content.model": string("the model as requested"),
  "content.endpoint": string("endpoint that was called, in whichever dialect", ["chat"]),
  "identity.region": formed(
    "label",
    folded("lower", string("region that the key's or team's metadata sets, else X-Routero-Region")),
  ),
  "region.country": formed(
    "country",
    folded("upper", string("country of the caller's network, ISO 3166-1")),
  ),
  "region.residency": formed(
    "label",
    folded("lower", string("`residency` in the organization's metadata")),
  ),
  "region.fedramp": bool("the organization lives in the FedRAMP region"),
  "region.gateway": string("data region of the organization", ["global", "eu", "fedramp"]),
  "budget.remaining_pct": number("of the tightest budget over the request", [0, 100]),
  "budget.remaining_usd": number("of the tightest budget over the request", [0, MANY]),
  "budget.state": string("of the tightest budget", ["ok", "warn", "throttle", "block"]),
  "budget.scope": string("whose budget is the tightest", [
    "org",
    "team",
    "team_member",
    "user",
    "key",
    "customer",
    "group",
    "model",
  ]),
  "budget.estimated_cost_usd": number("worst case of the requested model's price", [0, MANY]),
  "budget.resets_in_s": number("seconds until the tightest budget's window ends", [0, MANY]),
  "schedule.business_hours": bool("within the workspace's business hours"),
  "schedule.overnight": bool("within the workspace's overnight hours"),
  "schedule.weekend": bool("Saturday or Sunday in the workspace's time zone"),
  "schedule.weekday": string("day in the workspace's time zone", WEEKDAYS),
  "schedule.hour": number("hour in the workspace's time zone", [0, 23]),
} as const satisfies Record<string, SignalFacts>;

export type SignalName = keyof typeof SIGNALS;

/** Families of signals: any header but credentials, any member of the request's metadata. */
export const FAMILIES = {
  "header.": hidden(string("a header of the request, by its name in lower case")),
  "metadata.": hidden({ type: "any", about: "a member of the request's metadata" }),
} as const satisfies Record<string, SignalFacts>;

/** Other names of signals. */
export const SIGNAL_ALIASES: Readonly<Record<string, SignalName>> = {
  team: "identity.team_id",
  "identity.team": "identity.team_id",
};

export const SIGNAL_NAMES = Object.keys(SIGNALS) as SignalName[];

/** Headers that hold credentials can't be read by a policy. */
export const CREDENTIALS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "cookie",
]);

/** The full name and facts of a signal as a document writes it; or why there is none. */
export function findSignal(
  written: string,
): { name: string; facts: SignalFacts } | { reason: "unknown" | "credential" | "unnamed" } {
  const alias = Object.hasOwn(SIGNAL_ALIASES, written) ? SIGNAL_ALIASES[written] : undefined;
  const name = alias ?? written;
  if (Object.hasOwn(SIGNALS, name)) return { name, facts: SIGNALS[name as SignalName] };
  for (const [prefix, facts] of Object.entries(FAMILIES)) {
    if (!name.startsWith(prefix)) continue;
    const member = name.slice(prefix.length);
    if (member === "") return { reason: "unnamed" };
    if (prefix !== "header.") return { name, facts };
    const lower = member.toLowerCase();
    if (CREDENTIALS.has(lower)) return { reason: "credential" };
    return { name: prefix + lower, facts };
  }
  return { reason: "unknown" };
}

/** The facts of a signal by its full name; it must be one. */
export function signalFacts(name: string): SignalFacts {
  const found = findSignal(name);
  if ("reason" in found) throw new Error(`There is no signal '${name}'.`);
  return found.facts;
}

/** A value in the case in which the signal is read: `EU` in a document means what `EU` in a header does. */
export function asRead<Value>(facts: SignalFacts | undefined, value: Value): Value {
  const { fold } = facts ?? {};
  if (fold === undefined) return value;
  const one = (each: unknown): unknown =>
    typeof each !== "string" ? each : fold === "lower" ? each.toLowerCase() : each.toUpperCase();
  return (Array.isArray(value) ? value.map(one) : one(value)) as Value;
}

/** Most characters of one text that a policy sees, and of a list of them: what its patterns cost a request goes by it. */
export const MOST_TEXT = 1_024;
export const MOST_TEXTS = 16_384;

/** True for a value that is longer than any that a request can have. */
export function isTooLong(value: SignalValue): boolean {
  if (typeof value === "string") return value.length > MOST_TEXT;
  if (!Array.isArray(value)) return false;
  const texts = value as readonly string[];
  return (
    texts.some((each) => each.length > MOST_TEXT) ||
    texts.reduce((sum, each) => sum + each.length, 0) > MOST_TEXTS
  );
}

const DETECTED: ReadonlySet<string> = new Set(DETECTED_SIGNALS);

/** True for a signal that needs a detector and is unknown without one. */
export function isDetected(name: string): boolean {
  return DETECTED.has(name);
}
