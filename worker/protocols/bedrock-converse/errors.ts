import type { StreamFailure } from "../../core/chat.ts";
import type { UpstreamFault } from "../../core/fault.ts";
import type { JsonObject } from "../../core/json.ts";
import { objectIn, textOf } from "../answers.ts";
import { publicText, readFault } from "../faults.ts";

/** Exceptions by the status that they have over HTTP. */
const STATUSES: Readonly<Record<string, number>> = {
  validationexception: 400,
  accessdeniedexception: 403,
  resourcenotfoundexception: 404,
  modeltimeoutexception: 408,
  modelerrorexception: 424,
  modelstreamerrorexception: 424,
  throttlingexception: 429,
  modelnotreadyexception: 429,
  servicequotaexceededexception: 429,
  internalserverexception: 500,
  serviceunavailableexception: 503,
};

/** Faults that another try may not meet, whatever their status says (PROTOCOLS 6). */
const TRANSIENT: ReadonlySet<string> = new Set([
  "modelnotreadyexception",
  "modelstreamerrorexception",
  "modelerrorexception",
  "modeltimeoutexception",
]);

/** Reads a refusal; its kind stands in a header. */
export function parseError(status: number, headers: Headers, body: string): UpstreamFault {
  const fault = readFault(status, headers, body);
  const [kind = ""] = (headers.get("x-amzn-errortype") ?? "").split(":");
  if (kind === "") return fault;
  const name = kind.toLowerCase();
  const code = publicText(kind) ?? kind;
  if (TRANSIENT.has(name)) return { ...fault, code, class: "transient" };
  if (name === "throttlingexception") return { ...fault, code, class: "rate_limit" };
  return { ...fault, code };
}

/** The failure that an event is, or null for one that is none. */
export function failureOf(event: JsonObject): StreamFailure | null {
  const [name] = Object.keys(event);
  if (name === undefined || !/exception$|^error$/i.test(name)) return null;
  const told = textOf(objectIn(event[name])?.["message"]);
  return {
    status: STATUSES[name.toLowerCase()] ?? 500,
    code: name,
    message: publicText(told) ?? "The provider reported an error inside the stream.",
  };
}
