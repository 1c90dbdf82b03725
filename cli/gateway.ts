// A gateway as the command line sees it: one admin call after the other.
import { UsageError } from "./usage.ts";

/** A gateway, and who asks there. */
export interface Gateway {
  /** Its address, without a slash at the end. */
  url: string;
  key: string;
  /** Id or alias of the organization that is meant; absent = the key's own. */
  organization?: string;
}

/** The gateway refused a call; the message has the call, the status and what it said. */
export class Refused extends Error {
  override name = "Refused";
  readonly status: number;
  /** Seconds after which it may be asked again; null = it did not say. */
  readonly retryAfter: number | null;

  constructor(message: string, status: number, retryAfter: number | null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** No gateway answered. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

/** The gateway that options or the environment name; `keyOption` is how the command calls its key. */
export function gatewayOf(
  { url = process.env["ROUTERO_URL"], key }: { url?: string | undefined; key?: string | undefined },
  keyOption = "--key",
): Gateway {
  if (url === undefined || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new UsageError("--url needs the gateway's address, as http://127.0.0.1:4000");
  }
  if (key === undefined || key === "") {
    throw new UsageError(`${keyOption} needs a key that may do this`);
  }
  return { url: url.replace(/\/+$/, ""), key };
}

/** One call of the admin API; the text of its answer. Throws `Refused` and `Unreachable`. */
export async function ask(
  { url, key, organization }: Gateway,
  method: string,
  path: string,
  body?: object,
): Promise<string> {
  const answer = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      ...(organization !== undefined && { "x-organization-id": organization }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((cause: Error) => {
    throw new Unreachable(`no gateway answers at ${url}: ${reasonOf(cause)}`);
  });
  const text = await answer.text();
  if (answer.ok) return text;
  const wait = answer.headers.get("retry-after");
  throw new Refused(
    `${method} ${path.split("?")[0]} answered ${answer.status}: ${messageIn(text)}`,
    answer.status,
    wait === null ? null : Number(wait),
  );
}

/** Node says no more than "fetch failed"; what failed stands in the cause. */
function reasonOf(error: Error): string {
  const { code, message } = (error.cause ?? {}) as { code?: string; message?: string };
  return code ?? message ?? error.message;
}

/** What the gateway said, out of its error's body; the beginning of anything else. */
function messageIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as {
      error?: { message?: unknown; faults?: { text: string }[] };
    };
    // Each fault of a document at its place, where the message has the first alone.
    if (error?.faults !== undefined) return error.faults.map((each) => each.text).join("\n");
    if (typeof error?.message === "string") return error.message;
  } catch {
    // It is shown as it is.
  }
  return text.slice(0, 300);
}
