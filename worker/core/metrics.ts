import type { ErrorKind } from "./errors.ts";
import type { NanoUsd } from "./money.ts";
import type { TokenUsage } from "./usage.ts";

/** One request that ended, as the canonical log line has it. */
export interface RequestObservation {
  /** The group that the request resolved to; null before it did: a caller's own text is no label. */
  model: string | null;
  provider: string | null;
  /** HTTP status that the caller saw. */
  status: number;
  /** The refusal, if it was one. */
  code: ErrorKind | null;
  usage: TokenUsage;
  cost: NanoUsd;
  durationMs: number;
  /** Duration less what providers took. */
  overheadMs: number;
  timeToFirstTokenMs: number | null;
  /** Attempts at providers. */
  attempts: number;
}

/** One append to the audit log that a request waited for. */
export interface AuditObservation {
  durable: boolean;
  /** From the decision until it was durable. */
  lagMs: number;
}

/** What the path counts. Neither call throws or waits. */
export interface Metrics {
  request(seen: RequestObservation): void;
  audit(seen: AuditObservation): void;
}
