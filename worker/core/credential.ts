/** Headers that hold credentials: read once, then kept out of everything that travels on. */
export const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "cookie",
]);

/**
 * The credential of a request: `Authorization: Bearer …`, else one of the headers that Anthropic's, Azure's and
 * Google's clients send. Null when there is none. A query string is never looked at.
 */
export function readCredential(headers: Headers): string | null {
  const bearer = /^bearer[ \t]+(\S+)[ \t]*$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  for (const name of ["x-api-key", "api-key", "x-goog-api-key"]) {
    const value = headers.get(name)?.trim();
    if (value) return value;
  }
  return null;
}
