import { parseObject, readText } from "../core/body.ts";
import type { Credentialed, Extensions, FromUrl, Identity, Received } from "../core/call.ts";
import type { DialectName } from "../core/chat.ts";
import { CREDENTIAL_HEADERS } from "../core/credential.ts";
import { GatewayError } from "../core/errors.ts";
import type { Deps } from "../core/ports.ts";
import { dialectOf } from "../protocols/index.ts";
import { rulesOf } from "./customer.ts";
import { readExtensions } from "./extensions.ts";

/** Bytes of bodies that one isolate holds at a time (PLATFORM 6). */
const MAX_BYTES_IN_FLIGHT = 48 * 1024 * 1024;
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
    let { body, scan } = parseObject(text);
    const headers = plainHeaders(request.headers);
    const extensions = readExtensions(body, headers);
    const { identity } = call;
    const model = identity && rulesOf({ identity, extensions })?.model;
    if (model !== undefined && fromUrl.model === undefined && body["model"] === undefined) {
      text = withModel(text, model);
      ({ body, scan } = parseObject(text));
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
async function readBody(
  { isolate, settings }: Deps,
  request: Request,
): Promise<{ text: string; bytes: number }> {
  let counted = 0;
  try {
    return await readText(request, settings.maxBodyBytes, (bytes) => {
      counted += bytes;
      isolate.bytesInFlight += bytes;
      if (isolate.bytesInFlight > MAX_BYTES_IN_FLIGHT) {
        throw new GatewayError("overloaded", "Too many large requests at once; try again shortly.");
      }
    });
  } catch (cause) {
    isolate.bytesInFlight -= counted;
    throw cause;
  }
}

function plainHeaders(headers: Headers): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!CREDENTIAL_HEADERS.has(lower)) out[lower] = value;
  }
  return out;
}
