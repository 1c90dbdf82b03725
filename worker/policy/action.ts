import type { Node } from "yaml";
import { isMap, isScalar, isSeq } from "yaml";
import { nanoUsd } from "../core/money.ts";
import { STRATEGIES, STRATEGY_ALIASES } from "../core/routing.ts";
import { classOfGateway, GATEWAY_REGION, RESIDENCY_CLASSES } from "../core/residency.ts";
import { short, type Member, type Source } from "./document.ts";
import type { Known } from "./known.ts";
import { hint } from "./nearest.ts";
import type { Action, Feature, Residency } from "./plan.ts";

export const FEATURE_FIELDS = [
  "guardrail_id",
  "prompt_id",
  "memory_id",
  "token_saving_plan_id",
] as const;

/** Every spelling of a strategy; auto_router is none. */
export const STRATEGY_NAMES = [
  ...STRATEGIES.filter((each) => each !== "auto_router"),
  ...Object.keys(STRATEGY_ALIASES),
];

export const CHANNELS = ["slack", "email", "webhook"] as const;

export const ACTION_KEYS = [
  "route",
  "residency",
  "on_redaction_fail",
  "alert",
  "audit",
  ...FEATURE_FIELDS,
  "block",
  "strategy",
  "fallbacks",
  "num_retries",
  "timeout",
  "max_cost_usd",
  "throttle",
] as const;
export type ActionKey = (typeof ACTION_KEYS)[number];

/** What a rule that blocks never comes to. */
export const BLOCKED_KEYS = ["route", "strategy", "fallbacks", "max_cost_usd"] as const;

type Members = Partial<Record<ActionKey, Member>>;

/** A name that has to serve, and where a document says so. */
export interface Demand {
  name: string;
  node: Node | null;
}

const MOST_FALLBACKS = 5;
/** 7 years. */
const MOST_RETENTION = 2_557;

/** Reads what a rule does. Faults go to the source; `demands` collects the names that have to serve. */
export function readAction(
  source: Source,
  members: Members,
  known: Known,
  demands: Demand[],
): Action {
  const action: Action = {};
  const of = (name: ActionKey): Node | null | undefined =>
    members[name] === undefined ? undefined : (members[name]?.value ?? members[name]?.key);
  const put = <K extends keyof Action>(key: K, value: Action[K] | null | undefined): void => {
    if (value !== null && value !== undefined) action[key] = value;
  };
  const target = (node: Node | null, what: string): string | null => {
    const name = source.text(node, what, 256);
    if (name !== null) demands.push({ name, node });
    return name;
  };
  const { route, residency, alert, audit, block } = {
    route: of("route"),
    residency: of("residency"),
    alert: of("alert"),
    audit: of("audit"),
    block: of("block"),
  };
  if (route !== undefined) put("route", target(route, "route"));
  if (residency !== undefined) put("residency", readResidency(source, residency, known));
  const redaction = of("on_redaction_fail");
  if (redaction !== undefined) {
    put(
      "on_redaction_fail",
      source.choice(redaction, "on_redaction_fail", ["block", "continue"] as const),
    );
    if (!known.redacts) {
      source.warn(
        redaction,
        "not_redacted",
        "nothing redacts requests here, so that no redaction can fail: they go on as they came",
      );
    }
  }
  if (alert !== undefined) put("alert", readAlert(source, alert, known));
  if (audit !== undefined) put("audit", readAudit(source, audit, known));
  if (block !== undefined) put("block", readBlock(source, block));
  const strategy = of("strategy");
  if (strategy !== undefined) {
    put("strategy", source.choice(strategy, "strategy", STRATEGY_NAMES));
  }
  const fallbacks = of("fallbacks");
  if (fallbacks !== undefined) {
    const items = source.list(fallbacks, "fallbacks", MOST_FALLBACKS);
    const names = items?.map((each) => target(each, "a fallback")) ?? [null];
    // An empty list says that there are none.
    if (!names.includes(null)) action.fallbacks = names as string[];
  }
  const retries = of("num_retries");
  if (retries !== undefined)
    put("num_retries", source.number(retries, "num_retries", [0, 10], true));
  const timeout = of("timeout");
  if (timeout !== undefined) {
    const seconds = source.number(timeout, "timeout (seconds)", [0.001, 600]);
    put("timeout", seconds && Math.round(seconds * 1000));
  }
  const cost = of("max_cost_usd");
  if (cost !== undefined) {
    const usd = source.number(cost, "max_cost_usd", [0, 9_000_000]);
    put("max_cost", usd === null ? null : nanoUsd(usd));
  }
  const throttle = of("throttle");
  if (throttle !== undefined) put("throttle", source.flag(throttle, "throttle"));
  checkThrottle(source, members.throttle, action, action.route);
  const features = readFeatures(source, members, known);
  if (features.length > 0) action.features = features;
  if (action.block !== undefined) {
    for (const key of BLOCKED_KEYS) {
      const other = members[key];
      if (other === undefined) continue;
      source.error(other.key, "contradiction", `a rule that blocks never comes to '${key}'`);
    }
  }
  return action;
}

/** Throttling leads to the cheapest, or bends a smart alias towards it: another route leaves it nothing to do. */
export function checkThrottle(
  source: Source,
  member: Member | undefined,
  { throttle }: Action,
  route: string | undefined,
): void {
  if (throttle !== true || route === undefined || route.startsWith("smart/")) return;
  source.error(
    member?.key,
    "contradiction",
    `throttle leads to smart/cheap, and the route here is '${short(route)}': leave one out, or route to a smart alias`,
  );
}

export function readFeatures(
  source: Source,
  members: Partial<Record<string, Member>>,
  known: Known,
): Feature[] {
  return FEATURE_FIELDS.flatMap((field) => {
    const member = members[field];
    if (member === undefined) return [];
    const node = member.value ?? member.key;
    const id = source.text(node, field, 256);
    if (id === null) return [];
    if (known.hasFeature !== null && !known.hasFeature(field, id)) {
      const what = field.slice(0, -"_id".length).replaceAll("_", " ");
      source.error(
        node,
        "missing_target",
        `there is no ${what} '${short(id)}' here: make it first`,
      );
    }
    return [{ field, id }];
  });
}

/** A class by name, or a list of regions. */
export function readResidency(source: Source, node: Node | null, known: Known): Residency | null {
  if (isSeq(node)) {
    const items = source.list(node, "residency", 100);
    if (items !== null && items.length === 0) {
      source.error(node, "never_true", "an empty list of regions lets nothing serve");
    }
    const regions = items?.map((each) => source.text(each, "a region", 64)) ?? [];
    const mixed = regions.findIndex((each) => RESIDENCY_CLASSES.some((name) => name === each));
    if (mixed >= 0) {
      source.error(
        items?.[mixed] ?? node,
        "unknown_value",
        `'${regions[mixed]}' is a class, and a list holds regions, as [eu-central-1, eu-west-1]: name one class alone`,
      );
    }
    return regions.length === 0 || regions.includes(null) ? null : (regions as string[]);
  }
  const name = source.choice(node, "residency", RESIDENCY_CLASSES);
  if (name !== GATEWAY_REGION) return name;
  if (known.gateway === null) return name;
  const meant = classOfGateway(known.gateway);
  if (meant !== null) return name;
  source.error(
    node,
    "missing_target",
    `this organization's gateway region is '${known.gateway}', which pins nothing: name a class or regions`,
  );
  return null;
}

function readAlert(source: Source, node: Node | null, known: Known): Action["alert"] | null {
  const members = source.known(node, "alert", ["channel", "message"]);
  if (members === null) return null;
  if (members.channel === undefined || members.message === undefined) {
    source.error(node, "missing_key", "an alert needs a channel and a message");
    return null;
  }
  const channel = source.choice(members.channel.value ?? members.channel.key, "channel", CHANNELS);
  const message = source.text(members.message.value ?? members.message.key, "message", 500);
  if (channel === null || message === null) return null;
  if (known.channels !== null && !known.channels.includes(channel)) {
    const works =
      known.channels.length === 0
        ? "channel: webhook would be, once general_settings.alerting_webhook_url of POST /config/update takes policy.alert"
        : `channel: ${known.channels.join(", ")} is`;
    source.warn(
      members.channel.value ?? members.channel.key,
      "not_delivered",
      `alerts by ${channel} are not delivered here (${works}): the rule decides as written, and nobody is told`,
    );
  }
  return { channel, message };
}

function readAudit(source: Source, node: Node | null, known: Known): Action["audit"] | null {
  const members = source.known(node, "audit", ["log_inputs", "retention_days"]);
  if (members === null) return null;
  const { log_inputs: log, retention_days: days } = members;
  const inputs = log === undefined ? false : source.flag(log.value ?? log.key, "log_inputs");
  const retention =
    days === undefined
      ? undefined
      : source.number(days.value ?? days.key, "retention_days", [1, MOST_RETENTION], true);
  if (inputs === null || retention === null) return null;
  if (retention !== undefined && known.retentionDays !== null && retention < known.retentionDays) {
    source.warn(
      days?.value ?? days?.key ?? null,
      "not_shorter",
      `retention_days only lengthens: this gateway keeps every record for ${known.retentionDays} days`,
    );
  }
  return { log_inputs: inputs, ...(retention !== undefined && { retention_days: retention }) };
}

function readBlock(source: Source, node: Node | null): Action["block"] | null {
  if (isMap(node)) {
    const members = source.known(node, "block", ["message"]);
    const message = members?.message;
    if (members === null) return null;
    if (message === undefined) return { message: "" };
    const text = source.text(message.value ?? message.key, "message", 500);
    return text === null ? null : { message: text };
  }
  if (isScalar(node) && node.value === true) return { message: "" };
  source.error(node, "wrong_type", "block is `true` or a map, as {message: why}");
  return null;
}

/** Says of each name that does not serve that it is missing, with the nearest that does. */
export function checkDemands(source: Source, demands: readonly Demand[], known: Known): void {
  if (known.serves === null) return;
  for (const { name, node } of demands) {
    if (known.serves(name)) continue;
    const near = hint(name, known.groups);
    const add = near === "" ? "; POST /model/new adds one" : near;
    source.error(node, "missing_target", `there is no model group '${short(name)}' here${add}`);
  }
}
