import type { ChatRequest } from "./chat.ts";
import type { Deployment } from "./model.ts";
import type { NanoUsd } from "./money.ts";

/**
 * What a signal reads as: `null` is known to be absent (a request without a customer), `undefined` is unknown (its
 * detector is off), which constraints take for a match.
 */
export type SignalValue = boolean | number | string | readonly string[] | null;

/** Signals that a policy may ask of the request's content and that need a detector. */
export const DETECTED_SIGNALS = [
  "content.pii_detected",
  "content.pii_entities",
  "content.secrets_detected",
  "content.injection_detected",
  "content.task",
  "content.difficulty",
] as const;

export type DetectedSignal = (typeof DETECTED_SIGNALS)[number];

/** Reads one signal out of a chat, in linear time, without I/O. Called only when a plan reads the signal. */
export type Detector = (chat: ChatRequest) => SignalValue | undefined;

/** The detectors that are on; a missing one makes its signal unknown. */
export type Detectors = Readonly<Partial<Record<DetectedSignal, Detector>>>;

/** What the isolate knows, without asking anybody, of the tightest budget over a request (PLATFORM 25). */
export interface BudgetStanding {
  /** Of the tightest scope, as it stood when money was last lent to this isolate. */
  remainingPct: number;
  remaining: NanoUsd;
  state: "ok" | "warn" | "throttle" | "block";
  /** Kind of the tightest scope: `org`, `team`, `key`, … */
  scope: string;
  /** Seconds until its window ends; null for a budget without one. */
  resetsInS: number | null;
}

/** Why a deployment may not serve, as public text; null where it may. Narrowings only ever remove. */
export type Narrowing = (deployment: Deployment) => string | null;

/** One document that took part in a decision, and the rule of it that matched first. */
export interface PolicyPart {
  /** `org`, or the bare id of the team whose document it is. */
  scope: string;
  version: number;
  hash: string;
  rule: string | null;
  /** Ids of the constraints that applied. */
  constraints: string[];
}

/** What a rule asks to be told of, to whom. */
export interface PolicyAlert {
  channel: "slack" | "email" | "webhook";
  message: string;
  rule: string;
  /** The document whose rule it is, and its version. */
  scope: string;
  version: number;
}

/** The signals that a decision read. Values of ids, headers and metadata are left out: their predicates stand for them. */
export interface SignalsRead {
  /** `null` in `values` is absent; names in `unknown` had no value. */
  values: Record<string, SignalValue>;
  unknown: string[];
  /** Outcome of each predicate over a private signal, by the predicate's fingerprint. */
  predicates: Record<string, boolean>;
  /** True where only those that held are listed, since there are many: all others that were asked did not. */
  onlyHeld?: true;
  /** Ids of rules, which then did not match, and of constraints, which applied, whose condition came to no result. */
  failed?: string[];
}

/** What the organization's and the team's policy say of one request; it binds every later stage. */
export interface Verdict {
  /** The organization's document first; never empty. */
  parts: PolicyPart[];
  /** Version and hash that headers show: of the part whose rule decided, else of the first part. */
  version: number;
  hash: string;
  /** The rule that decided; null where no rule matched and only constraints apply. */
  rule: string | null;
  /** Public text of a refusal: the request ends here with `policy_blocked`. */
  block: { message: string } | null;
  /** Group, smart alias or provider model that serves in place of the one that was asked for. */
  route?: string;
  /** Hard constraints, `residency` included; each names the rule or constraint that it comes from. */
  narrowings: Narrowing[];
  /** Overlays on the router settings. */
  strategy?: string;
  fallbacks?: string[];
  numRetries?: number;
  timeoutMs?: number;
  maxCost?: NanoUsd;
  throttle: boolean;
  /** Feature objects to activate, by the field that would name them in a request. */
  features: {
    field: "guardrail_id" | "prompt_id" | "memory_id" | "token_saving_plan_id";
    id: string;
  }[];
  /** What happens where a redaction that is due can't be done; absent = not said. */
  onRedactionFail?: "block" | "continue";
  alerts: PolicyAlert[];
  audit?: { logInputs: boolean; retentionDays?: number };
  signals: SignalsRead;
}

/** A policy bundle made ready to decide; what it is beyond its hash only the policy room knows. */
export interface LinkedPolicy {
  readonly hash: string;
}

/** A document that binds a request, with its bundle's text. */
export interface PolicyText {
  scope: string;
  version: number;
  hash: string;
  text: string;
}
