import { GatewayError } from "../core/errors.ts";
import { isJsonObject, scanJson, type JsonObject } from "../core/json.ts";

/** No admin call needs more; a small bound keeps hostile bodies cheap. */
const MAX_BYTES = 1024 * 1024;
/** As on the data plane. */
const MAX_DEPTH = 128;

/**
 * The input of a call: its JSON body, and the first value of each query parameter where the body does not say otherwise
 * (`?dry_run` counts whatever the body is). A text stands for the member that the operation names.
 */
export async function readInput(request: Request, textMember?: string): Promise<JsonObject> {
  const query = () => readQuery(new URL(request.url).searchParams);
  if (request.method === "GET") return query();
  const text = await readText(request);
  if (textMember !== undefined && isPlainText(request, text)) {
    return { ...query(), [textMember]: text };
  }
  if (text.trim() === "") return query();
  if (scanJson(text).depth > MAX_DEPTH) {
    throw new GatewayError(
      "invalid_request",
      `The body is nested deeper than ${MAX_DEPTH} levels.`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes the body; only the place may be told.
    const at = cause instanceof Error ? /position (\d+)/.exec(cause.message)?.[1] : undefined;
    const where = at === undefined ? "" : ` (the fault is at character ${at})`;
    throw new GatewayError("invalid_request", `The body is not valid JSON${where}.`);
  }
  if (!isJsonObject(value)) {
    throw new GatewayError("invalid_request", "The body must be a JSON object.");
  }
  return { ...query(), ...value };
}

/**
 * YAML has several names; whatever says that it is no JSON is taken for it. curl calls what it sends a form unless it is
 * told otherwise: no operation takes one, so that only an object in braces is JSON there.
 */
function isPlainText(request: Request, text: string): boolean {
  const type = request.headers.get("content-type") ?? "";
  if (/^application\/x-www-form-urlencoded/i.test(type)) return !text.trimStart().startsWith("{");
  return /^(text\/|application\/(x-)?yaml)/i.test(type);
}

function readQuery(search: URLSearchParams): JsonObject {
  const input: JsonObject = Object.create(null) as JsonObject;
  for (const [name, value] of search) input[name] ??= value;
  return { ...input };
}

async function readText(request: Request): Promise<string> {
  const tooLarge = () =>
    new GatewayError("request_too_large", `The body is larger than ${MAX_BYTES} bytes.`);
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new GatewayError("invalid_request", "The body must be sent without content-encoding.");
  }
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BYTES) throw tooLarge();
  if (request.body === null) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let size = 0;
  try {
    for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > MAX_BYTES) throw tooLarge();
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new GatewayError("invalid_request", "The body is not valid UTF-8 text.", { cause });
  }
}
