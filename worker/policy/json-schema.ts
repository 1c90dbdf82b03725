import type { JsonObject } from "../core/json.ts";
import { RESIDENCY_CLASSES } from "../core/residency.ts";
import { CHANNELS, FEATURE_FIELDS, STRATEGY_NAMES } from "./action.ts";
import { FAMILIES, SIGNALS, WEEKDAYS, type SignalFacts } from "./signals.ts";

const TYPES = { bool: "boolean", number: "number", string: "string", strings: "string" } as const;

/** JSON schema of policy documents, for editors: made of the same tables that the compiler reads. */
export function policySchema(): JsonObject {
  const text = { type: "string", minLength: 1 };
  const texts = { type: "array", items: { type: "string" }, minItems: 1 };
  const residency = { anyOf: [{ enum: [...RESIDENCY_CLASSES] }, texts] };
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
    fallbacks: { ...texts, maxItems: 5 },
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
        { type: "array", items: { enum: [...WEEKDAYS] } },
      ],
    },
    from: { $ref: "#/$defs/time" },
    to: { $ref: "#/$defs/time" },
  });
  const hours = { type: "string", pattern: "^\\d{1,2}:\\d{2}\\s*[-–]\\s*\\d{1,2}:\\d{2}$" };
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
        items: closed({
          ...own,
          require: { $ref: "#/$defs/target" },
          forbid: { $ref: "#/$defs/target" },
        }),
      },
      defaults: closed(actions),
      rules: {
        type: "array",
        maxItems: 1_000,
        items: closed({
          ...own,
          schedule: { $ref: "#/$defs/window" },
          on_unknown: {
            enum: ["match", "skip"],
            description: "What an unknown signal makes of the condition",
          },
          ...actions,
        }),
      },
    }),
    $defs: {
      time: { type: "string", pattern: "^\\d{1,2}:\\d{2}$" },
      window,
      value: { type: ["string", "number", "boolean", "array"] },
      operators: closed({
        eq: { $ref: "#/$defs/value" },
        ne: { $ref: "#/$defs/value" },
        gt: { type: "number" },
        gte: { type: "number" },
        lt: { type: "number" },
        lte: { type: "number" },
        between: { type: "array", items: { type: "number" }, minItems: 2, maxItems: 2 },
        in: { type: ["array", "string"] },
        not_in: { type: ["array", "string"] },
        contains: { type: "string" },
        starts_with: { type: "string" },
        matches: {
          type: "string",
          description: "A pattern in linear time: no look-around, no back references",
        },
        exists: { type: "boolean" },
      }),
      when: {
        anyOf: [
          {
            type: "string",
            description: 'CEL, as identity.region == "eu" && content.input_tokens > 4000',
          },
          {
            type: "object",
            minProperties: 1,
            properties: {
              all: { type: "array", items: { $ref: "#/$defs/when" }, minItems: 1 },
              any: { type: "array", items: { $ref: "#/$defs/when" }, minItems: 1 },
              not: { $ref: "#/$defs/when" },
              team: signalSchema(SIGNALS["identity.team_id"]),
              ...Object.fromEntries(
                Object.entries(SIGNALS).map(([name, facts]) => [name, signalSchema(facts)]),
              ),
            },
            patternProperties: Object.fromEntries(
              Object.entries(FAMILIES).map(([prefix, facts]) => [
                `^${prefix.replace(".", "\\.")}.+$`,
                signalSchema(facts),
              ]),
            ),
            additionalProperties: false,
          },
        ],
      },
      target: closed({
        provider: { $ref: "#/$defs/test" },
        model: { $ref: "#/$defs/test" },
        region: { $ref: "#/$defs/test" },
        residency,
        retention: { anyOf: [{ const: "none" }, { $ref: "#/$defs/test" }], description: "Days" },
        training: { type: "boolean" },
        price: closed(
          { input: { $ref: "#/$defs/test" }, output: { $ref: "#/$defs/test" } },
          { description: "USD per million tokens" },
        ),
        ...features,
      }),
      test: { anyOf: [{ $ref: "#/$defs/value" }, { $ref: "#/$defs/operators" }] },
    },
  };
}

function signalSchema(facts: SignalFacts): JsonObject {
  const { type, about, values } = facts;
  const value: JsonObject =
    values !== undefined
      ? { enum: [...values] }
      : type === "any"
        ? { $ref: "#/$defs/value" }
        : { type: TYPES[type] };
  // A constant's name may stand for any value.
  const named = { type: "string", pattern: "^constants\\." };
  return {
    description: about,
    anyOf: [
      value,
      named,
      { type: "array", items: value, minItems: 1 },
      { $ref: "#/$defs/operators" },
    ],
  };
}
