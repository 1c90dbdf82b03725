import type { Deployment } from "../core/model.ts";
import type { Narrowing, PolicyPart, SignalsRead, SignalValue, Verdict } from "../core/policy.ts";
import type { Tree, Predicate } from "./condition.ts";
import { residencyTest, targetFact } from "./constraint.ts";
import {
  FAILED,
  linkTree,
  NO,
  YES,
  type Answer,
  type Evaluation,
  type Facts,
  type Linked,
} from "./evaluate.ts";
import type { Action, Constraint, Entry } from "./plan.ts";

/** A published document, ready to decide. */
export interface LinkedDocument {
  /** `org`, or the bare id of the team that it is for. */
  scope: string;
  version: number;
  hash: string;
  linked: Linked;
}

/** Where a rule that throttles sends what no rule routes: the cheapest that can do it. */
const THROTTLED = "smart/cheap";
const SMART = "smart/";

/** Outcomes that a record lists one by one; with more of them it would not fit its place in the log. */
const MOST_PREDICATES = 300;

/** One document's say on a request. */
interface Say {
  document: LinkedDocument;
  evaluation: Evaluation;
  rule: { id: string; open: boolean } | null;
  action: Action;
  constraints: Constraint[];
}

/**
 * What the documents say of a request: the organization's first, then the team's. Constraints of both apply. The team's
 * rules choose within what the organization's rule leaves open: it may replace the route of a rule without a condition,
 * never that of one that matched for a reason; everything else of the organization's rule stands (docs/decisions).
 * `gateway` is the region that the organization lives in. Pure: the same facts give the same verdict.
 */
export function decide(
  documents: readonly LinkedDocument[],
  facts: Facts,
  gateway: string,
): Verdict | null {
  const says = documents.map((document) => sayOf(document, facts));
  const [first] = says;
  if (first === undefined) return null;
  const routed = says.toReversed().find((say, index) => {
    const { route } = say.action;
    if (route === undefined) return false;
    const above = says.slice(0, says.length - 1 - index);
    return above.every((each) => leavesOpen(each, route));
  });
  const blocking = says.find(({ action }) => action.block !== undefined);
  const throttling = says.find(({ action }) => action.throttle === true);
  const decider =
    blocking ??
    routed ??
    throttling ??
    says.toReversed().find((each) => each.rule !== null) ??
    first;
  const actions = says.map(({ action }) => action);
  // The organization's word comes first, and the team's only where it said nothing.
  const said = <K extends keyof Action>(key: K): Action[K] | undefined =>
    actions.find((each) => each[key] !== undefined)?.[key];
  const numbers = (key: "num_retries" | "timeout" | "max_cost"): number[] =>
    actions.flatMap((each) => each[key] ?? []);
  const redactions = actions.flatMap((each) => each.on_redaction_fail ?? []);
  const audits = actions.flatMap((each) => each.audit ?? []);
  const retention = audits.flatMap((each) => each.retention_days ?? []);
  const { document } = decider;
  const verdict: Verdict = {
    parts: says.map(partOf),
    version: document.version,
    hash: document.hash,
    rule: decider.rule?.id ?? null,
    block: blocking?.action.block ?? null,
    narrowings: says.flatMap((say) => narrowingsOf(say, gateway)),
    throttle: throttling !== undefined,
    features: says.flatMap(({ action, constraints }) => [
      ...(action.features ?? []),
      ...constraints.flatMap((each) => each.features),
    ]),
    alerts: says.flatMap(({ document: { scope, version: of }, action, rule }) =>
      action.alert === undefined
        ? []
        : [{ ...action.alert, rule: rule?.id ?? "defaults", scope, version: of }],
    ),
    signals: signalsRead(says),
  };
  const put = <K extends keyof Verdict>(key: K, value: Verdict[K] | undefined): void => {
    if (value !== undefined) verdict[key] = value;
  };
  put("route", routed?.action.route ?? (verdict.throttle ? THROTTLED : undefined));
  put("strategy", said("strategy"));
  put("fallbacks", said("fallbacks"));
  put("numRetries", least(numbers("num_retries")));
  put("timeoutMs", least(numbers("timeout")));
  put("maxCost", least(numbers("max_cost")));
  if (redactions.length > 0) {
    put("onRedactionFail", redactions.includes("block") ? "block" : "continue");
  }
  if (audits.length > 0) {
    put("audit", {
      logInputs: audits.some((each) => each.log_inputs),
      ...(retention.length > 0 && { retentionDays: Math.max(...retention) }),
    });
  }
  return verdict;
}

/** Whether a document leaves it to those under it to route there. A smart route is one that throttling bends. */
function leavesOpen({ action, rule }: Say, route: string): boolean {
  if (rule?.open !== false) return true;
  return action.route === undefined && (action.throttle !== true || route.startsWith(SMART));
}

function sayOf(document: LinkedDocument, facts: Facts): Say {
  const { plan } = document.linked;
  const evaluation = document.linked.evaluate(facts);
  const rule = plan.rules[evaluation.rule];
  const { block, ...defaults } = plan.defaults;
  // A default refusal is for what no rule lets through.
  const action =
    rule === undefined
      ? { ...defaults, ...(block !== undefined && { block }) }
      : { ...defaults, ...rule.action };
  return {
    document,
    evaluation,
    rule: rule === undefined ? null : { id: rule.id, open: rule.when === null },
    action,
    constraints: evaluation.constraints.flatMap((index) => plan.constraints[index] ?? []),
  };
}

function partOf({ document, rule, constraints }: Say): PolicyPart {
  const { scope, version, hash } = document;
  return {
    scope,
    version,
    hash,
    rule: rule?.id ?? null,
    constraints: constraints.map(({ id }) => id),
  };
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

function narrowingsOf({ document, rule, action, constraints }: Say, gateway: string): Narrowing[] {
  const whose = document.scope === "org" ? "policy" : "team policy";
  const narrowings = constraints.flatMap((constraint) => {
    const name = `constraint '${constraint.id}' (${whose} version ${document.version})`;
    return [
      ...constraint.require.map((entry) =>
        narrowing(entry, (answer) => answer === YES, `${name} requires ${entry.text}`),
      ),
      ...constraint.forbid.map((entry) =>
        narrowing(entry, (answer) => answer === NO, `${name} forbids ${entry.text}`),
      ),
    ];
  });
  if (action.residency === undefined) return narrowings;
  const from = rule === null ? "defaults" : `rule '${rule.id}'`;
  const shown = [action.residency].flat().join(", ");
  const test = residencyTest(action.residency, gateway);
  const reason = `${from} (${whose} version ${document.version}) pins residency to ${shown}`;
  return [...narrowings, narrowing({ test, text: "" }, (answer) => answer === YES, reason)];
}

/** Demands are linked once per plan: entries are plain data of it, and live as long. */
const linkedTests = new WeakMap<Tree<Predicate> & object, ReturnType<typeof linkTree>>();

function narrowing(
  { test }: Entry,
  passes: (answer: Answer) => boolean,
  reason: string,
): Narrowing {
  let ask = linkedTests.get(test);
  if (ask === undefined) linkedTests.set(test, (ask = linkTree(test)));
  const tested = ask;
  return (deployment: Deployment) =>
    passes(tested((name) => targetFact(deployment, name))) ? null : reason;
}

/** What the record keeps of the signals: values of public ones, outcomes of predicates over the others. */
function signalsRead(says: readonly Say[]): SignalsRead {
  const values: Record<string, SignalValue> = {};
  const unknown: string[] = [];
  const predicates: Record<string, boolean> = {};
  for (const { document, evaluation } of says) {
    const { answers } = evaluation.trace;
    for (const [index, each] of document.linked.predicates.entries()) {
      const answer = answers[index];
      if (answer === undefined || answer > 3) continue;
      if (each.private) {
        if (answer === NO || answer === YES) predicates[each.print] = answer === YES;
        else unknown.push(`${answer === FAILED ? "failed" : "predicate"}:${each.print}`);
        continue;
      }
      for (const name of each.signals) {
        const value = evaluation.trace.values.get(name);
        if (value === undefined) {
          if (evaluation.trace.values.has(name) && !unknown.includes(name)) unknown.push(name);
        } else values[name] = value;
      }
    }
  }
  const failed = says.flatMap(({ evaluation }) => evaluation.failed);
  const many = Object.keys(predicates).length > MOST_PREDICATES;
  const held = Object.entries(predicates).filter(([, answer]) => answer);
  return {
    values,
    unknown,
    predicates: many ? Object.fromEntries(held) : predicates,
    ...(many && { onlyHeld: true as const }),
    ...(failed.length > 0 && { failed: failed.slice(0, 100) }),
  };
}
