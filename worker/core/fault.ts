/** Why a provider refused or failed, in the classes of PROTOCOLS 6. */
export const FAULT_CLASSES = [
  "transient",
  "timeout",
  "connection",
  "rate_limit",
  "deployment",
  "caller",
  "content_filter",
  "context_window",
  /** What the request names (a file, an earlier response) is not there; another account may have it. Nobody's fault. */
  "missing",
  /** It does not go on with the answer that the caller has the beginning of (PROTOCOLS 15, 16); nobody's fault. */
  "incoherent",
  /** Its protocol has no words for the request: nothing was sent to it; nobody's fault. */
  "unsupported",
] as const;

export type FaultClass = (typeof FAULT_CLASSES)[number];

/** A provider's refusal, read: public facts only, its message cleaned of keys and cut to 500 characters. */
export interface UpstreamFault {
  class: FaultClass;
  /** HTTP status of the provider, 0 where none came. */
  status: number;
  message: string;
  type?: string;
  code?: string;
  param?: string;
  /** Milliseconds that the provider asks to wait. */
  retryAfter?: number;
  /** Of a timeout of a request that had less time than others are given: the milliseconds that it had. */
  early?: number;
}
