import type { SignalValue } from "../core/policy.ts";
import { celText } from "./describe.ts";
import { mapTree, type Condition, type Predicate } from "./condition.ts";
import type { LinkedDocument } from "./decide.ts";
import { FAILED, NO, UNKNOWN, YES, type Answer, type Facts } from "./evaluate.ts";
import type { Action } from "./plan.ts";

/** How one document came to its rule. */
export interface ExplainedDocument {
  scope: string;
  version: number;
  hash: string;
  /** Rules in order, up to the first that matched. */
  rules: ExplainedRule[];
  constraints: (ExplainedRule & { demands: string[] })[];
  /** Every predicate that was asked, as CEL, with its answer. */
  predicates: { text: string; answer: string }[];
}

export interface ExplainedRule {
  id: string;
  line: number;
  /** As CEL; null matches always. */
  when: string | null;
  answer: string;
  matched: boolean;
  action?: Action;
}

const WORDS: Record<Answer, string> = {
  [NO]: "no",
  [YES]: "yes",
  [UNKNOWN]: "unknown",
  [FAILED]: "failed",
};

/** The way of a decision through one document: each rule that was asked, and what of it held. */
export function explainDocument(document: LinkedDocument, facts: Facts): ExplainedDocument {
  const { scope, version, hash, linked } = document;
  const { plan, predicates } = linked;
  const { rules, constraints, evaluation } = linked.answers(facts);
  const text = (when: Condition | null): string | null =>
    when === null
      ? null
      : celText(mapTree(when, (index) => predicates[index]?.predicate as Predicate));
  return {
    scope,
    version,
    hash,
    rules: rules.map((answer, index) => {
      const rule = plan.rules[index];
      const matched = index === evaluation.rule;
      return {
        id: rule?.id ?? "",
        line: rule?.line ?? 0,
        when: text(rule?.when ?? null),
        answer: WORDS[answer],
        matched,
        ...(matched && rule !== undefined && { action: rule.action }),
      };
    }),
    constraints: constraints.map((answer, index) => {
      const constraint = plan.constraints[index];
      return {
        id: constraint?.id ?? "",
        line: constraint?.line ?? 0,
        when: text(constraint?.when ?? null),
        answer: WORDS[answer],
        // What is unknown or failed counts as a match here.
        matched: answer !== NO,
        demands: [
          ...(constraint?.require ?? []).map((entry) => `requires ${entry.text}`),
          ...(constraint?.forbid ?? []).map((entry) => `forbids ${entry.text}`),
        ],
      };
    }),
    predicates: predicates.flatMap(({ predicate }, index) => {
      const answer = evaluation.trace.answers[index];
      return answer === undefined || answer > FAILED
        ? []
        : [{ text: celText(predicate), answer: WORDS[answer as Answer] }];
    }),
  };
}

/** Wraps facts so that every signal that is read is kept with its value; undefined reads as `unknown`. */
export function watched(facts: Facts): {
  facts: Facts;
  read: Record<string, SignalValue>;
} {
  const read: Record<string, SignalValue> = {};
  return {
    read,
    facts: {
      ...facts,
      read(name) {
        const value = facts.read(name);
        read[name] = value === undefined ? "unknown" : value;
        return value;
      },
    },
  };
}
