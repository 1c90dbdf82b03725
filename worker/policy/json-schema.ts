import type { JsonObject } from "../core/json.ts";
import { RESIDENCY_CLASSES } from "../core/residency.ts";
import { ACTION_KEYS, BLOCKED_KEYS, CHANNELS, FEATURE_FIELDS, STRATEGY_NAMES } from "./action.ts";
import { TARGET_FACTS } from "./constraint.ts";
import {
  CREDENTIALS,
  FAMILIES,
  SIGNAL_ALIASES,
  SIGNALS,
  WEEKDAYS,
  type SignalFacts,
  type SignalType,
} from "./signals.ts";

const TYPES = { bool: "boolean", number: "number", string: "string", strings: "string" } as const;
/** A time of day, from 00:00 to 24:00. */
const TIME = "(([01]?\\d|2[0-3]):[0-5]\\d|24:00)";
/** A constant's name may stand for any value. */
const CONSTANT: JsonObject = { type: "string", pattern: "^constants\\." };

const value: JsonObject = { $ref: "#/$defs/value" };
const listed: JsonObject = { anyOf: [{ type: "array", minItems: 1 }, CONSTANT] };
const ordered: JsonObject = { anyOf: [{ type: "number" }, CONSTANT] };
/** Operators, with the types of signals that they are for. */
const OPERATORS: Readonly<Record<string, { of: readonly SignalType[]; schema: JsonObject }>> = {
  eq: { of: ["bool", "number", "string", "strings", "any"], schema: value },
  ne: { of: ["bool", "number", "string", "strings", "any"], schema: value },
  gt: { of: ["number", "any"], schema: ordered },
  gte: { of: ["number", "any"], schema: ordered },
  lt: { of: ["number", "any"], schema: ordered },
  lte: { of: ["number", "any"], schema: ordered },
  between: {
    of: ["number", "any"],
    schema: {
      anyOf: [{ type: "array", items: { type: "number" }, minItems: 2, maxItems: 2 }, CONSTANT],
    },
  },
  in: { of: ["number", "string", "strings", "any"], schema: listed },
  not_in: { of: ["number", "string", "strings", "any"], schema: listed },
  contains: { of: ["string", "strings", "any"], schema: { type: "string" } },
  starts_with: { of: ["string", "strings", "any"], schema: { type: "string" } },
  matches: {
    of: ["string", "strings", "any"],
    schema: {
      type: "string",
      description: "A pattern in linear time: no look-around, no back references",
    },
  },
  exists: { of: ["bool", "number", "string", "strings", "any"], schema: { type: "boolean" } },
};

/** JSON schema of policy documents, for editors: made of the same tables that the compiler reads. */
export function policySchema(): JsonObject {
  const text = { type: "string", minLength: 1 };
  const region = { type: "string", not: { enum: [...RESIDENCY_CLASSES] } };
  const residency = {
    anyOf: [{ enum: [...RESIDENCY_CLASSES] }, { type: "array", items: region, minItems: 1 }],
  };
  const features = Object.fromEntries(FEATURE_FIELDS.map((field) => [field, text]));
  const closed = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({
    type: "object",
    properties,
    additionalProperties: false,
    ...more,
  });
  const actions: JsonObject = {
    route: { ...text, description: "Model group, smart alias or provider/model that serves" },
    residency: { ...residency, description: "Regions for the first choice and every fallback" },
    on_redaction_fail: { enum: ["block", "continue"] },
    alert: closed(
      { channel: { enum: [...CHANNELS] }, message: text },
      { required: ["channel", "message"] },
    ),
    audit: closed({
      log_inputs: { type: "boolean" },
      retention_days: { type: "integer", minimum: 1, maximum: 2_557 },
    }),
    ...features,
    block: { anyOf: [{ const: true }, closed({ message: text })], description: "Refuse with 403" },
    strategy: { enum: STRATEGY_NAMES },
    fallbacks: { type: "array", items: text, maxItems: 5, description: "None where it is empty" },
    num_retries: { type: "integer", minimum: 0, maximum: 10 },
    timeout: { type: "number", exclusiveMinimum: 0, maximum: 600, description: "Seconds" },
    max_cost_usd: { type: "number", minimum: 0 },
    throttle: { type: "boolean" },
  };
  const own: JsonObject = {
    id: { type: "string", pattern: "^[A-Za-z0-9][\\w.-]*$", maxLength: 64 },
    description: text,
    enabled: { type: "boolean" },
    when: { $ref: "#/$defs/when" },
  };
  const window = closed({
    timezone: { ...text, description: "IANA name, as Europe/Berlin; UTC if absent" },
    days: {
      anyOf: [
        { enum: [...WEEKDAYS] },
        { type: "string", pattern: `^(${WEEKDAYS.join("|")})-(${WEEKDAYS.join("|")})$` },
        { type: "array", items: { enum: [...WEEKDAYS] }, minItems: 1 },
      ],
    },
    from: { $ref: "#/$defs/time" },
    to: { $ref: "#/$defs/time" },
  });
  const hours = { type: "string", pattern: `^${TIME}\\s*[-–]\\s*${TIME}$` };
  const oneOf = (names: readonly string[]) => names.map((name) => ({ required: [name] }));
  const facts = (name: keyof typeof TARGET_FACTS) => signalSchema(TARGET_FACTS[name]);
  const demands: JsonObject = {
    provider: facts("provider"),
    model: facts("model"),
    region: facts("region"),
    residency,
    retention: { anyOf: [{ const: "none" }, facts("retention")], description: "Days" },
    training: facts("training"),
    price: closed(
      { input: facts("price.input"), output: facts("price.output") },
      { description: "USD per million tokens" },
    ),
  };
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Routero policy",
    ...closed({
      workspace: text,
      team: text,
      version: {
        type: "integer",
        minimum: 0,
        description: "Informative: publishing numbers versions itself",
      },
      name: text,
      description: text,
      schedule: closed({
        timezone: text,
        business_hours: hours,
        business_days: { $ref: "#/$defs/window/properties/days" },
        overnight: hours,
      }),
      constants: {
        type: "object",
        propertyNames: { pattern: "^[A-Za-z_]\\w{0,63}$" },
        additionalProperties: { $ref: "#/$defs/value" },
      },
      constraints: {
        type: "array",
        maxItems: 200,
        items: closed(
          {
            ...own,
            require: closed({ ...demands, ...features }, { minProperties: 1 }),
            forbid: closed(demands, { minProperties: 1 }),
          },
          { anyOf: oneOf(["require", "forbid"]) },
        ),
      },
      defaults: closed(actions),
      rules: {
        type: "array",
        maxItems: 1_000,
        items: closed(
          {
            ...own,
            schedule: { $ref: "#/$defs/window" },
            on_unknown: {
              enum: ["match", "skip"],
              description: "What an unknown signal makes of the condition",
            },
            ...actions,
          },
          {
            anyOf: oneOf(ACTION_KEYS),
            // A rule that blocks comes to nothing of this.
            not: { required: ["block"], anyOf: oneOf(BLOCKED_KEYS) },
          },
        ),
      },
    }),
    anyOf: oneOf(["rules", "constraints", "defaults"]),
    $defs: {
      time: { type: "string", pattern: `^${TIME}$` },
      window,
      value: { type: ["string", "number", "boolean", "array"] },
      ...Object.fromEntries(
        (["bool", "number", "string", "strings", "any"] as const).map((type) => [
          `tests_${type}`,
          testsOf(type),
        ]),
      ),
      when: {
        anyOf: [
          {
            type: "string",
            minLength: 1,
            description: 'CEL, as identity.region == "eu" && content.input_tokens > 4000',
          },
          { $ref: "#/$defs/conditions" },
        ],
      },
      conditions: {
        type: "object",
        minProperties: 1,
        properties: {
          all: { type: "array", items: { $ref: "#/$defs/conditions" }, minItems: 1, maxItems: 64 },
          any: { type: "array", items: { $ref: "#/$defs/conditions" }, minItems: 1, maxItems: 64 },
          not: { $ref: "#/$defs/conditions" },
          ...Object.fromEntries(
            Object.entries(SIGNAL_ALIASES).map(([name, of]) => [name, signalSchema(SIGNALS[of])]),
          ),
          ...Object.fromEntries(
            Object.entries(SIGNALS).map(([name, about]) => [name, signalSchema(about)]),
          ),
        },
        patternProperties: Object.fromEntries(
          Object.entries(FAMILIES).map(([prefix, about]) => [
            prefix === "header." ? HEADER : `^${prefix.replace(".", "\\.")}.+$`,
            signalSchema(about),
          ]),
        ),
        additionalProperties: false,
      },
    },
  };
}

/** Any header but those that hold a credential, in any case. */
const HEADER = `^header\\.(?!(${[...CREDENTIALS].map(anyCase).join("|")})$).+$`;

function anyCase(text: string): string {
  return text.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

function signalSchema(facts: SignalFacts): JsonObject {
  const { type, about, values, range } = facts;
  const bounds = range && {
    minimum: range[0],
    ...(range[1] !== Number.MAX_SAFE_INTEGER && { maximum: range[1] }),
  };
  const one: JsonObject =
    values !== undefined
      ? { enum: [...values] }
      : type === "any"
        ? value
        : { type: TYPES[type], ...bounds };
  return {
    description: about,
    anyOf: [
      one,
      CONSTANT,
      { type: "array", items: one, minItems: 1 },
      { $ref: `#/$defs/tests_${type}` },
    ],
  };
}

/** The operators for one type of signal. */
function testsOf(type: SignalType): JsonObject {
  const operators = Object.entries(OPERATORS).filter(([, { of }]) => of.includes(type));
  return {
    type: "object",
    properties: Object.fromEntries(operators.map(([name, { schema }]) => [name, schema])),
    additionalProperties: false,
    minProperties: 1,
  };
}
