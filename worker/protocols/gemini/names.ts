import type { Json, JsonObject } from "../../core/json.ts";

/** The snake_case spelling of a member: Google's parsers take both. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A member by either spelling. */
export function member(from: JsonObject, name: string): Json | undefined {
  return from[name] ?? from[snake(name)];
}

/** The same object with the named members in camelCase; all others stay as they are. */
export function camel(from: JsonObject, names: readonly string[]): JsonObject {
  const out: JsonObject = { ...from };
  for (const name of names) {
    const other = snake(name);
    if (other === name || out[other] === undefined) continue;
    out[name] ??= out[other];
    delete out[other];
  }
  return out;
}

const OWN_ID = "gemini_";

/** Google's own id of a call as the rest of the world sees it; one that a foreign call never has. */
export function ownId(id: string): string {
  return OWN_ID + id;
}

/** The id as Google knows it; undefined for a call that another provider made, which Google matches by its name. */
export function googleId(id: string): string | undefined {
  return id.startsWith(OWN_ID) ? id.slice(OWN_ID.length) : undefined;
}

/** A call's id in the client's dialect: Google's own, or whatever the provider called it. */
export function wireId(id: string): string {
  return googleId(id) ?? id;
}
