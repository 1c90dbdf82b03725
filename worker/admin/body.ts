import { parseObject, readText } from "../core/body.ts";
import type { JsonObject } from "../core/json.ts";

/** No admin call needs more; a small bound keeps hostile bodies cheap. */
const MAX_BYTES = 1024 * 1024;

/**
 * The input of a call: its JSON body, and the first value of each query parameter where the body does not say otherwise
 * (`?dry_run` counts whatever the body is). A text stands for the member that the operation names.
 */
export async function readInput(request: Request, textMember?: string): Promise<JsonObject> {
  const query = () => readQuery(new URL(request.url).searchParams);
  if (request.method === "GET") return query();
  const { text } = await readText(request, MAX_BYTES);
  if (textMember !== undefined && isPlainText(request, text)) {
    return { ...query(), [textMember]: text };
  }
  if (text.trim() === "") return query();
  return { ...query(), ...parseObject(text).body };
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
