import type { Calendar } from "./calendar.ts";
import type { Condition, Predicate, Tree } from "./condition.ts";

/** Rises whenever the same plan would decide otherwise; a record names the one that decided. */
export const ENGINE = 2;

/** What a document means: plain JSON, compiled once when it is published, linked once per isolate. */
export interface Plan {
  engine: number;
  predicates: Predicate[];
  calendar: Calendar | null;
  constraints: Constraint[];
  rules: Rule[];
  /** What applies where no rule matches or the rule that does says nothing. */
  defaults: Action;
}

export interface Rule {
  id: string;
  /** Line of the document, from 1. */
  line: number;
  /** Null matches always. */
  when: Condition | null;
  /** What an unknown signal makes of the condition. */
  onUnknown: "match" | "skip";
  action: Action;
}

export interface Constraint {
  id: string;
  line: number;
  when: Condition | null;
  /** Every entry must hold of a target; unknown facts do not. */
  require: Entry[];
  /** No entry may hold of a target; unknown facts count as if they did. */
  forbid: Entry[];
  features: Feature[];
}

/** One demand on a target, with the text that a refusal shows. */
export interface Entry {
  test: Tree<Predicate>;
  text: string;
}

export interface Feature {
  field: "guardrail_id" | "prompt_id" | "memory_id" | "token_saving_plan_id";
  id: string;
}

/** Regions that may serve: a named class, or a list of regions. */
export type Residency = string | string[];

/** What a rule does; whatever is absent is not said. */
export interface Action {
  route?: string;
  residency?: Residency;
  on_redaction_fail?: "block" | "continue";
  alert?: { channel: "slack" | "email" | "webhook"; message: string };
  audit?: { log_inputs: boolean; retention_days?: number };
  features?: Feature[];
  block?: { message: string };
  strategy?: string;
  fallbacks?: string[];
  num_retries?: number;
  /** Milliseconds. */
  timeout?: number;
  /** Nano-dollars. */
  max_cost?: number;
  throttle?: boolean;
}
