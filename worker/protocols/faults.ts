import type { FaultClass, UpstreamFault } from "../core/fault.ts";
import { isJsonObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { parsed } from "./fields.ts";

/** What an error body says, whatever its shape. */
export interface NamedError {
  message?: string;
  type?: string;
  code?: string;
  param?: string;
}

const CONTEXT_CODES = new Set(["context_length_exceeded", "model_context_window_exceeded"]);
const CONTEXT_TEXT =
  /context[ _-]?(length|window|limit)|prompt is too long|input is too long|input (tokens|length) exceed|too many (input )?tokens|reduce the length of the (messages|prompt|input)|exceeds? the (model'?s )?(maximum|max) (number of )?(input )?tokens/i;
const FILTER_CODES = new Set([
  "content_filter",
  "content_policy_violation",
  "data_inspection_failed",
  "responsibleaipolicyviolation",
  "moderation_blocked",
  "sensitive_content",
]);
const FILTER_TEXT =
  /content[ _-]?(management )?(policy|filter)|filtered due to|safety (system|guidelines|filter)|considered high risk|inappropriate content|content exists risk|usage policy/i;
const QUOTA_CODES = new Set([
  "insufficient_quota",
  "billing_error",
  "billing_hard_limit_reached",
  "billing_not_active",
  "exceeded_current_quota_error",
  "insufficient_balance",
  "contract_spend_limit_reached",
  "enforced_spend_limit_reached",
  "linked_organization_spend_limit_reached",
  "linked_organization_billing_unavailable",
  "organization_on_hold",
  "servicequotaexceededexception",
]);
const QUOTA_TEXT =
  /insufficient (quota|balance|credits?|funds)|credit balance is too low|(usage|spend(ing)?) limits?\b.*\b(reached|regain)|reached (your|its|the) specified .*usage limits|out of credits|account is in arrears/i;
const LIMIT_CODES = new Set([
  "rate_limit_exceeded",
  "rate_limit_error",
  "rate_limit_reached_error",
  "throttlingexception",
]);
/** Faults that another try may not meet, whatever their status says (PROTOCOLS 6). */
const TRANSIENT_CODES = new Set([
  "modelnotreadyexception",
  "modelstreamerrorexception",
  "modelerrorexception",
  "modeltimeoutexception",
]);

/** Characters of a message that tell its class. */
const MOST_READ = 2_000;
const MISSING_CODES = new Set(["previous_response_not_found"]);
const BOUND =
  "\\b(files?|responses?|conversations?|containers?|cached ?contents?|vector stores?|items?|prompts?|skills?)\\b";
const ABSENT = "(not found|(do|does|may) not exist|no such)";
const MISSING_TEXT = new RegExp(`${BOUND}.*${ABSENT}|${ABSENT}.*${BOUND}`, "i");
const OF_MODEL = /\b(models?|deployments?|engines?)\b/i;
/** What a provider quotes of a request: a caller must not be able to say for it that its quota is spent. */
const QUOTED = /(?<=^|[\s(:=,[])(["'`]).*?\1(?=$|[\s.,;:)\]])/g;

/** The class of a refusal (PROTOCOLS 6 to 8): what it names first, then its status. */
export function faultClass(status: number, named: NamedError): FaultClass {
  const { type = "", code = "", param } = named;
  const message = (named.message ?? "").slice(0, MOST_READ).replace(QUOTED, "");
  const names = [code.toLowerCase(), type.toLowerCase()];
  const isNamed = (set: ReadonlySet<string>) => names.some((name) => set.has(name));
  if (isNamed(TRANSIENT_CODES)) return "transient";
  if (status === 408 || status === 409 || status === 425 || status === 499 || status >= 500) {
    return "transient";
  }
  // What is wrong with a parameter is the caller's, whatever the provider says of it.
  if (isNamed(QUOTA_CODES) || (param === undefined && QUOTA_TEXT.test(message)))
    return "deployment";
  if (status === 429 || isNamed(LIMIT_CODES)) return "rate_limit";
  if (status === 401 || status === 402) return "deployment";
  if (isNamed(CONTEXT_CODES) || (status !== 403 && status !== 404 && CONTEXT_TEXT.test(message))) {
    return "context_window";
  }
  if (isNamed(FILTER_CODES) || (status !== 404 && FILTER_TEXT.test(message)))
    return "content_filter";
  if (isNamed(MISSING_CODES)) return "missing";
  const isMissing = MISSING_TEXT.test(message) && !OF_MODEL.test(message);
  if ((status === 403 || status === 404) && isMissing) return "missing";
  // A redirect means that the address is wrong: no caller can help that.
  if (status === 403 || status === 404 || (status >= 300 && status < 400)) return "deployment";
  return "caller";
}

/** Reads the refusal of a provider whose errors are JSON with an `error` object, or anything less. */
export function readFault(status: number, headers: Headers, body: string): UpstreamFault {
  const json = parsed(body);
  const named = namedError(json);
  // AWS names the kind in a header, whoever's model it is.
  const [kind = ""] = (headers.get("x-amzn-errortype") ?? "").split(":");
  if (kind !== "") named.code = kind;
  const fault: UpstreamFault = {
    class: faultClass(status, named),
    status,
    message:
      publicText(named.message) ?? `The provider answered ${status} without a readable error.`,
  };
  if (named.type !== undefined) fault.type = publicText(named.type);
  if (named.code !== undefined) fault.code = publicText(named.code);
  if (named.param !== undefined) fault.param = publicText(named.param);
  const wait = retryAfter(headers, json);
  if (wait !== undefined) fault.retryAfter = wait;
  return fault;
}

const STATE_TEXT =
  /signature|encrypted[ _]content|thinking`? blocks .*cannot be modified|redacted_thinking|without its required .*(reasoning|following) item/i;
const FOREIGN = "(thinking_blocks|reasoning(_content)?|extra_content|cache_control)\\b";
const REFUSED =
  "(un(known|supported|expected|recognized)|not (permitted|allowed|supported)|extra inputs|missing)";
const FOREIGN_TEXT = new RegExp(`${FOREIGN}.{0,80}${REFUSED}|${REFUSED}.{0,80}\\b${FOREIGN}`, "i");

/**
 * A refusal of what an earlier turn's model left in the history (PROTOCOLS 23): signed state that is stale, of another
 * account or was changed, or a member that only another maker's model knows, or that this one misses.
 */
export function isAboutState({ status, code = "", message }: UpstreamFault): boolean {
  if (status !== 400 && status !== 422) return false;
  if (code === "invalid_encrypted_content") return true;
  return STATE_TEXT.test(message) || FOREIGN_TEXT.test(message);
}

/** What an error names, out of the shapes that providers use. */
export function namedError(json: Json | undefined): NamedError {
  if (Array.isArray(json)) return namedError(json[0]);
  if (!isJsonObject(json)) return {};
  const error = json["error"];
  if (isJsonObject(error)) {
    const inner = isJsonObject(error["innererror"]) ? error["innererror"] : undefined;
    const details = isJsonObject(error["details"]) ? error["details"] : undefined;
    return named(
      error,
      inner?.["code"] ?? details?.["error_code"] ?? error["code"] ?? error["status"],
    );
  }
  if (typeof error === "string") return { ...named(json, json["code"]), message: error };
  return named(json, json["code"]);
}

function named(from: JsonObject, code: Json | undefined): NamedError {
  const out: NamedError = {};
  const message = from["message"] ?? from["detail"] ?? from["msg"];
  if (typeof message === "string") out.message = message;
  else if (message !== undefined && message !== null) out.message = JSON.stringify(message);
  if (typeof from["type"] === "string") out.type = from["type"];
  if (typeof code === "string" || typeof code === "number") out.code = String(code);
  if (typeof from["param"] === "string") out.param = from["param"];
  return out;
}

/** No provider means a longer pause; beyond it a header is a mistake. */
const LONGEST_WAIT_MS = 24 * 60 * 60 * 1000;

/** Milliseconds that the provider asks to wait (PROTOCOLS 7), a day at most; undefined where it does not say. */
export function retryAfter(headers: Headers, body?: Json): number | undefined {
  const asked = askedFor(headers, body);
  return asked === undefined ? undefined : Math.min(Math.max(0, Math.ceil(asked)), LONGEST_WAIT_MS);
}

function askedFor(headers: Headers, body?: Json): number | undefined {
  const exact = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const header = headers.get("retry-after")?.trim();
  if (header) {
    if (/^\d+(\.\d+)?$/.test(header)) return Number(header) * 1000;
    // A date counts from the answer's own clock.
    const wait = Date.parse(header) - Date.parse(headers.get("date") ?? "");
    if (Number.isFinite(wait)) return wait;
  }
  const error = isJsonObject(body) ? body["error"] : undefined;
  const details = isJsonObject(error) ? error["details"] : undefined;
  if (!Array.isArray(details)) return undefined;
  for (const detail of details) {
    const delay = isJsonObject(detail) ? detail["retryDelay"] : undefined;
    const match = typeof delay === "string" ? /^(\d+(?:\.\d+)?)s$/.exec(delay) : null;
    if (match) return Number(match[1]) * 1000;
  }
  return undefined;
}

const LONGEST_TEXT = 500;
/** Credentials by their known beginnings, after the words that announce them, and any long mixed run. */
const SECRETS = [
  /\b(?:sk|pk|rk|gsk|xai|nvapi|hf|key|ak|AIza|AKIA|ASIA|eyJ)[-_]?[A-Za-z0-9*][\w.*-]{7,}/g,
  /(?<=\b(?:bearer|api[ _-]?key(?: provided)?|token|authorization|x-api-key)["']?\s*[:=]?\s+["']?)[\w.*+/=-]{6,}/gi,
  /\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}\b/g,
];

/** The text with everything masked that looks like a credential. */
export function withoutSecrets(text: string): string {
  return SECRETS.reduce(
    (masked, secret) => masked.replace(secret, (found) => (/\d|\*/.test(found) ? "***" : found)),
    text,
  );
}

/** Text of a provider as callers may see it: keys masked, one line, at most 500 characters; undefined for none. */
export function publicText(text: string | undefined): string | undefined {
  const line = text
    ?.slice(0, 4 * LONGEST_TEXT)
    .replace(/\s+/g, " ")
    .trim();
  if (!line) return undefined;
  const masked = withoutSecrets(line);
  if (masked.length <= LONGEST_TEXT) return masked;
  return `${masked.slice(0, LONGEST_TEXT - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
