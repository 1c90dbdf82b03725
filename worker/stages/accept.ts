import { joined } from "../core/bytes.ts";
import type { Credentialed, Extensions, FromUrl, Identity, Received } from "../core/call.ts";
import type { DialectName } from "../core/chat.ts";
import { CREDENTIAL_HEADERS } from "../core/credential.ts";
import { GatewayError } from "../core/errors.ts";
import { isJsonObject, scanJson, type JsonObject, type JsonScan } from "../core/json.ts";
import type { Deps } from "../core/ports.ts";
import { dialectOf } from "../protocols/index.ts";
import { rulesOf } from "./customer.ts";
import { readExtensions } from "./extensions.ts";

/** Deeper bodies are refused before a parser sees them; real tool schemas stay far below. */
const MAX_DEPTH = 128;
/** Bytes of bodies that one isolate holds at a time (PLATFORM 6). */
const MAX_BYTES_IN_FLIGHT = 48 * 1024 * 1024;
/** Bytes of a refused body that are still read. */
const MAX_DISCARDED = 64 * 1024 * 1024;
/** No request runs longer (PROTOCOLS 10). */
const TOTAL_MS = 600_000;

/** Refuses `?key=` on the data plane: URLs end up in logs, and a key there must not even seem to work. */
export function keysStayOutOfUrls(request: Request): void {
  if (!new URL(request.url).searchParams.has("key")) return;
  throw new GatewayError(
    "missing_api_key",
    "A key in the URL is not accepted, since URLs end up in logs: send it as 'Authorization: Bearer <key>'.",
  );
}

/** Reads a chat request: limits, JSON, the caller's dialect, and what the caller told the gateway in it. */
export async function accept<T extends Credentialed & { identity?: Identity }>(
  deps: Deps,
  call: T,
  request: Request,
  dialect: DialectName,
  fromUrl: FromUrl = {},
): Promise<T & Received> {
  const read = await readBody(deps, request);
  const { bytes } = read;
  try {
    let { text } = read;
    let scan = scanned(text);
    if (scan.depth > MAX_DEPTH) {
      throw new GatewayError(
        "invalid_request",
        `The body is nested deeper than ${MAX_DEPTH} levels.`,
      );
    }
    let body = parseObject(text);
    const headers = plainHeaders(request.headers);
    const extensions = readExtensions(body, headers);
    const { identity } = call;
    const model = identity && rulesOf({ identity, extensions })?.model;
    if (model !== undefined && fromUrl.model === undefined && body["model"] === undefined) {
      text = withModel(text, model);
      [scan, body] = [scanned(text), parseObject(text)];
    }
    return {
      ...call,
      endpoint: "chat",
      dialect,
      fromUrl,
      text,
      bytes,
      scan,
      body,
      chat: dialectOf(dialect).client.parseRequest(body, fromUrl),
      extensions,
      headers,
      deadline: call.receivedAt + narrowest(extensions, headers),
    };
  } catch (cause) {
    // Who is refused here goes no further, so nobody else gives its bytes back.
    deps.isolate.bytesInFlight -= bytes;
    throw cause;
  }
}

/** The body with the model that it does not name, as its first member; the rest stays byte for byte. */
function withModel(text: string, model: string): string {
  const member = `"model":${JSON.stringify(model)}`;
  return text.replace(/^(\s*\{)(\s*\}?)/, (_, open: string, rest: string) =>
    rest.trim() === "}" ? `${open}${member}${rest}` : `${open}${member},${rest}`,
  );
}

function narrowest(extensions: Extensions, headers: Record<string, string>): number {
  const stainless = Number(headers["x-stainless-timeout"]);
  return Math.min(
    extensions.timeoutMs ?? TOTAL_MS,
    Number.isFinite(stainless) && stainless > 0 ? stainless * 1000 : TOTAL_MS,
  );
}

/** The body as text. Its bytes stay counted in the isolate until the request's end gives them back. */
async function readBody(deps: Deps, request: Request): Promise<{ text: string; bytes: number }> {
  const limit = deps.settings.maxBodyBytes;
  const tooLarge = () =>
    new GatewayError("request_too_large", `The body is larger than ${limit} bytes.`);
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > limit) {
    await discard(request.body);
    throw tooLarge();
  }
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new GatewayError("invalid_request", "The body must be sent without content-encoding.");
  }
  if (request.body === null) return { text: "", bytes: 0 };
  const { isolate } = deps;
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const body = request.body as ReadableStream<Uint8Array>;
    for await (const chunk of body.values({ preventCancel: true })) {
      size += chunk.byteLength;
      isolate.bytesInFlight += chunk.byteLength;
      if (size > limit) throw tooLarge();
      if (isolate.bytesInFlight > MAX_BYTES_IN_FLIGHT) {
        throw new GatewayError("overloaded", "Too many large requests at once; try again shortly.");
      }
      chunks.push(chunk);
    }
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(joined(chunks));
    return { text, bytes: size };
  } catch (cause) {
    isolate.bytesInFlight -= size;
    if (cause instanceof GatewayError) await discard(request.body);
    if (cause instanceof TypeError) {
      throw new GatewayError("invalid_request", "The body is not valid UTF-8 text.", { cause });
    }
    throw cause;
  }
}

/**
 * Reads what is left of a refused body and forgets it: a client that is still sending would see its connection break
 * instead of the refusal. What is larger still is cut.
 */
async function discard(body: ReadableStream<Uint8Array> | null): Promise<void> {
  if (body === null) return;
  let left = MAX_DISCARDED;
  try {
    for await (const chunk of body) {
      left -= chunk.byteLength;
      if (left < 0) return;
    }
  } catch {
    // The client left first.
  }
}

/** The scan of a text that may be no JSON at all: its depth is wanted before anything parses it. */
function scanned(text: string): JsonScan {
  try {
    return scanJson(text);
  } catch {
    return parseFault(text);
  }
}

/** Throws what is wrong with a text that is no JSON. */
function parseFault(text: string, cause?: unknown): never {
  // The parser's own message quotes the body; only the place may be told.
  const at = cause instanceof Error ? /position (\d+)/.exec(cause.message)?.[1] : undefined;
  const where = at === undefined ? "" : ` (the fault is at character ${at})`;
  const what = text.trim() === "" ? "The body is empty" : `The body is not valid JSON${where}`;
  throw new GatewayError("invalid_request", `${what}; send a JSON object.`);
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    parseFault(text, cause);
  }
  if (!isJsonObject(value)) {
    throw new GatewayError("invalid_request", "The body must be a JSON object.");
  }
  return value;
}

function plainHeaders(headers: Headers): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!CREDENTIAL_HEADERS.has(lower)) out[lower] = value;
  }
  return out;
}
