import type { StreamFailure } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { objectIn, textOf } from "../answers.ts";
import { isException } from "../aws-events.ts";
import { publicText } from "../faults.ts";

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

/** The failure that an event is, or null for one that is none. */
export function failureOf(event: JsonObject): StreamFailure | null {
  const [name] = Object.keys(event);
  if (name === undefined || !isException(name)) return null;
  const told = textOf(objectIn(event[name])?.["message"]);
  return {
    status: STATUSES[name.toLowerCase()] ?? 500,
    code: name,
    message: publicText(told) ?? "The provider reported an error inside the stream.",
  };
}
