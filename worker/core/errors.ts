import type { Explanation } from "./routing.ts";
import type { Json, JsonObject } from "./json.ts";

/**
 * The closed table of refusals. `retry` is what the SDKs are told: `never` sends
 * `x-should-retry: false`; `later` sends a retry-after; `client` leaves it to the client's own rule.
 */
const TABLE = {
  missing_api_key: [401, "auth_error", "invalid_api_key", "never"],
  invalid_api_key: [401, "auth_error", "invalid_api_key", "never"],
  expired_key: [401, "expired_key", "expired_key", "never"],
  ip_not_allowed: [403, "auth_error", "ip_not_allowed", "never"],
  forbidden: [403, "permission_error", "forbidden", "never"],
  key_model_not_allowed: [403, "key_model_access_denied", "model_not_allowed", "never"],
  team_model_not_allowed: [403, "team_model_access_denied", "model_not_allowed", "never"],
  org_model_not_allowed: [403, "org_model_access_denied", "model_not_allowed", "never"],
  policy_blocked: [403, "policy_violation", "policy_blocked", "never"],
  policy_no_candidate: [403, "policy_violation", "policy_no_candidate", "never"],
  model_not_found: [404, "invalid_request_error", "model_not_found", "never"],
  feature_not_found: [404, "invalid_request_error", "feature_not_found", "never"],
  not_found: [404, "invalid_request_error", "not_found", "never"],
  method_not_allowed: [405, "invalid_request_error", "method_not_allowed", "never"],
  invalid_request: [400, "invalid_request_error", "invalid_request", "never"],
  /** Management calls only: the body carries `detail[]` besides. */
  invalid_fields: [422, "invalid_request_error", "invalid_request", "never"],
  context_length_exceeded: [400, "invalid_request_error", "context_length_exceeded", "never"],
  guardrail_blocked: [400, "guardrail_violation", "guardrail_blocked", "never"],
  content_policy_violation: [400, "invalid_request_error", "content_policy_violation", "never"],
  price_unknown: [400, "invalid_request_error", "price_unknown", "never"],
  policy_requires_buffering: [400, "invalid_request_error", "policy_requires_buffering", "never"],
  request_too_large: [413, "invalid_request_error", "request_too_large", "never"],
  rate_limit_exceeded: [429, "rate_limit_error", "rate_limit_exceeded", "later"],
  budget_exceeded: [429, "budget_exceeded", "insufficient_quota", "never"],
  /** What is left is reserved by running requests, and most of that comes back. */
  budget_reserved: [429, "budget_exceeded", "insufficient_quota", "later"],
  /** The provider refused the caller's parameters: its status and meaning are kept. */
  upstream_rejected: [400, "invalid_request_error", "upstream_rejected", "never"],
  upstream_bad_response: [502, "upstream_error", "upstream_bad_response", "client"],
  upstream_auth: [502, "upstream_error", "upstream_auth", "never"],
  no_healthy_deployment: [503, "upstream_error", "no_healthy_deployment", "later"],
  capability_not_supported: [400, "invalid_request_error", "capability_not_supported", "never"],
  unsupported_endpoint: [400, "invalid_request_error", "unsupported_endpoint", "never"],
  control_plane_unavailable: [503, "service_unavailable", "control_plane_unavailable", "later"],
  audit_unavailable: [503, "service_unavailable", "audit_unavailable", "later"],
  overloaded: [503, "service_unavailable", "overloaded", "later"],
  upstream_timeout: [504, "upstream_error", "upstream_timeout", "client"],
  conflict: [409, "conflict", "conflict", "never"],
  internal_error: [500, "internal_error", "internal_error", "client"],
} as const satisfies Record<string, readonly [number, string, string, Retry]>;

export type Retry = "never" | "later" | "client";
export type ErrorKind = keyof typeof TABLE;

/** One row of the table, by name. */
export interface ErrorRow {
  status: number;
  type: string;
  code: string;
  retry: Retry;
}

/** The row of a kind of refusal. */
export function errorRow(kind: ErrorKind): ErrorRow {
  const [status, type, code, retry] = TABLE[kind];
  return { status, type, code, retry };
}

export const ERROR_KINDS = Object.keys(TABLE) as ErrorKind[];

/** One attempt at a provider that failed, as callers and records may see it: never a key, never content. */
export interface UpstreamAttempt {
  provider: string;
  model: string;
  deployment: string;
  /** HTTP status, or 0 where none came. */
  status: number;
  error: string;
}

/** What one refusal adds to its row. */
export interface ErrorDetail {
  /** What a refused choice was made from: for the record, never for the caller. */
  explanation?: Explanation;
  /** The field that is wrong, as a path in the caller's body (`messages[2].content`). */
  param?: string;
  /** Seconds until a retry can help; only for kinds whose retry is `later`. */
  retryAfter?: number;
  /** Overrides the row's status where the provider's own must be kept. */
  status?: number;
  upstream?: { status: number; provider: string; attempts: UpstreamAttempt[] };
  /** Further public members of the error object (`budget`, `policy`, `detail`). */
  members?: JsonObject;
  headers?: Record<string, string>;
  cause?: unknown;
}

/**
 * A refusal. The message is public text: it says what is wrong and what would be right, and never holds content,
 * a secret, or a name of another organization.
 */
export class GatewayError extends Error {
  readonly kind: ErrorKind;
  readonly detail: ErrorDetail;

  constructor(kind: ErrorKind, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "GatewayError";
    this.kind = kind;
    this.detail = detail;
  }

  get status(): number {
    return this.detail.status ?? errorRow(this.kind).status;
  }
}

/** The refusal that `cause` is, or an `internal_error` that tells nothing about it. */
export function asGatewayError(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  return new GatewayError("internal_error", "The gateway failed to handle this request.", {
    cause,
  });
}

/** The members every dialect's error body is made of. */
export interface PublicError {
  status: number;
  message: string;
  type: string;
  code: string;
  param: string | null;
  members: JsonObject;
}

/** A refusal as its caller may see it. */
export function publicError(error: GatewayError): PublicError {
  const row = errorRow(error.kind);
  const { upstream, members } = error.detail;
  return {
    status: error.status,
    message: error.message,
    type: row.type,
    code: row.code,
    param: error.detail.param ?? null,
    members: {
      ...members,
      ...(upstream && { upstream: upstream as unknown as Json }),
    },
  };
}

/** The headers that tell the official SDKs whether and when to try again (PROTOCOLS 7). */
export function retryHeaders(error: GatewayError): Record<string, string> {
  const { retry } = errorRow(error.kind);
  const headers: Record<string, string> = { ...error.detail.headers };
  if (retry === "never") headers["x-should-retry"] = "false";
  if (retry === "later") {
    const seconds = error.detail.retryAfter ?? 1;
    headers["retry-after"] = String(Math.ceil(seconds));
    headers["retry-after-ms"] = String(Math.ceil(seconds * 1000));
    // The SDKs ignore waits above a minute and would retry at once instead.
    if (seconds > 60) headers["x-should-retry"] = "false";
  }
  return headers;
}
