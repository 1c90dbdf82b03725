import { joined } from "./bytes.ts";
import { GatewayError } from "./errors.ts";
import { isJsonObject, scanJson, type JsonObject, type JsonScan } from "./json.ts";

/** Deeper bodies are refused before a parser sees them; real tool schemas stay far below. */
const MAX_DEPTH = 128;
/** A body that says that it is no larger is read in one piece: piece by piece costs the runtime five times as much. */
const SMALL_BYTES = 256 * 1024;
/** How much of a refused body is still read, in limits. */
const DISCARDED = 2;

/** The length that a body is held to by its own head; null where only reading it tells. */
export function declaredLength(headers: Headers): number | null {
  const declared = headers.get("content-length");
  // Chunks make up any length, and a length is that of the bytes before they are unpacked.
  const held = !headers.has("transfer-encoding") && !headers.has("content-encoding");
  return declared !== null && held && /^\d+$/.test(declared) ? Number(declared) : null;
}

/**
 * The body of a request as text, at most `limit` bytes of it. `counted` is told the size of each piece before it is kept,
 * and may refuse. Throws `request_too_large`, and `invalid_request` for what is no plain UTF-8.
 */
export async function readText(
  request: Request,
  limit: number,
  counted: (bytes: number) => void = () => undefined,
): Promise<{ text: string; bytes: number }> {
  const tooLarge = () =>
    new GatewayError("request_too_large", `The body is larger than ${limit} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > limit) {
    await discard(request.body, limit);
    throw tooLarge();
  }
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new GatewayError("invalid_request", "The body must be sent without content-encoding.");
  }
  if (request.body === null) return { text: "", bytes: 0 };
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const keep = (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    if (bytes > limit) throw tooLarge();
    counted(chunk.byteLength);
    chunks.push(chunk);
  };
  try {
    if ((declaredLength(request.headers) ?? Infinity) <= SMALL_BYTES) {
      keep(new Uint8Array(await request.arrayBuffer()));
    } else {
      const body = request.body as ReadableStream<Uint8Array>;
      for await (const chunk of body.values({ preventCancel: true })) keep(chunk);
    }
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(joined(chunks));
    return { text, bytes };
  } catch (cause) {
    if (cause instanceof GatewayError) await discard(request.body, limit);
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
async function discard(body: ReadableStream<Uint8Array> | null, limit: number): Promise<void> {
  if (body === null) return;
  let left = DISCARDED * limit;
  try {
    for await (const chunk of body) {
      left -= chunk.byteLength;
      if (left < 0) return;
    }
  } catch {
    // The client left first.
  }
}

/** A text as the JSON object that it has to be, and where its members stand. Throws `invalid_request`. */
export function parseObject(text: string): { body: JsonObject; scan: JsonScan } {
  const scan = scanned(text);
  if (scan.depth > MAX_DEPTH) {
    throw new GatewayError(
      "invalid_request",
      `The body is nested deeper than ${MAX_DEPTH} levels.`,
    );
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    parseFault(text, cause);
  }
  if (!isJsonObject(body)) {
    throw new GatewayError("invalid_request", "The body must be a JSON object.");
  }
  return { body, scan };
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
  const said = cause instanceof Error ? cause.message : "";
  const at = /position (\d+)/.exec(said)?.[1];
  const early = said.startsWith("Unexpected end") ? " (it ends too early)" : "";
  const where = at === undefined ? early : ` (the fault is at character ${at})`;
  const what = text.trim() === "" ? "The body is empty" : `The body is not valid JSON${where}`;
  throw new GatewayError("invalid_request", `${what}; send a JSON object.`);
}

/** Far more than any refusal, token or count takes. */
const BEGINNING = 64 * 1024;

/** The first 64 KB of what somebody else answered, as text; the rest of a longer body is neither kept nor waited for. */
export async function beginningOf(body: ReadableStream | null): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  // Leaving the loop ends the answer.
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk.subarray(0, BEGINNING - size), { stream: true });
    size += chunk.byteLength;
    if (size >= BEGINNING) break;
  }
  return text + decoder.decode();
}
