import { isJsonObject, scanJson, spliceJson, type JsonObject } from "../core/json.ts";
import type { Framing } from "../protocols/framing.ts";
import { segment } from "../protocols/path.ts";
import type { Destination } from "../protocols/protocol.ts";

/** How a vendor serves a protocol at another address, or with another envelope, than who made it: data of the catalog. */
export interface Hosting {
  /** Path below the base URL; `{model}` and `{name}` stand for the model and the deployment's parameters. */
  path: string;
  /** What the kind of call appends to the path, query included; `array` only where the vendor can. */
  calls?: { whole: string; stream: string; array?: string };
  /** Where tokens are counted for nothing, by a body as the protocol's maker takes it; absent where they are not. */
  count?: string;
  /** A base URL that matches needs none of this: it serves the protocol as its maker does. */
  unless?: RegExp;
  /** Members that the body gets, and members that it loses. */
  set?: JsonObject;
  remove?: readonly string[];
  /** How a streamed answer comes; absent = as the protocol says. */
  framing?: Framing;
}

/** The row's hosting, if it holds for this address. */
export function hostingAt(hosting: Hosting | undefined, baseUrl: string): Hosting | undefined {
  return hosting?.unless?.test(baseUrl) ? undefined : hosting;
}

/** Path and query of a hosted call below its base URL. */
export function hostedPath(
  hosting: Hosting,
  to: Destination,
  params: Readonly<Record<string, string>>,
): string {
  const { calls } = hosting;
  const form = to.array && calls?.array !== undefined ? "array" : to.stream ? "stream" : "whole";
  return filledPath(hosting.path + (calls?.[form] ?? ""), to, params);
}

/** A path of a template; a segment that ends the base is not doubled. */
export function filledPath(
  template: string,
  to: Pick<Destination, "baseUrl" | "model">,
  params: Readonly<Record<string, string>>,
): string {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) =>
    segment(name === "model" ? to.model : (params[name] ?? "")),
  );
  const [, first = ""] = path.split("/");
  return to.baseUrl.endsWith(`/${first}`) ? path.slice(first.length + 1) : path;
}

/** The body as this vendor takes it; every other byte stays. */
export function hostedBody(hosting: Hosting, text: string): string {
  const { set = {}, remove = [] } = hosting;
  const { members } = scanJson(text);
  const present = new Set(members.map((each) => each.name));
  const added = Object.entries(set).filter(([name]) => !present.has(name));
  if (added.length === 0 && !remove.some((name) => present.has(name))) return text;
  const texts = Object.fromEntries(added.map(([name, value]) => [name, JSON.stringify(value)]));
  return spliceJson(text, members, texts, new Set(remove));
}

/** `{name}` of a template filled from parameters; null when one is missing. */
export function filled(template: string, params: Readonly<Record<string, string>>): string | null {
  let whole = true;
  const text = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined || !/^[\w.-]+$/.test(value)) whole = false;
    return value ?? "";
  });
  return whole ? text : null;
}

/** The named parts of a secret that is more than one key; null for a plain key. */
export function secretParts(secret: string): Record<string, string> | null {
  if (!secret.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(secret);
    if (!isJsonObject(value)) return null;
    return Object.fromEntries(
      Object.entries(value).filter((each): each is [string, string] => typeof each[1] === "string"),
    );
  } catch {
    return null;
  }
}
