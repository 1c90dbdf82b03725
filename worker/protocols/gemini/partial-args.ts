import type { Json, JsonObject } from "../../core/json.ts";
import { isJsonObject } from "../../core/json.ts";
import { badAnswer, objectsIn, stringOf } from "../answers.ts";
import { define } from "../fields.ts";

/** No real arguments hold longer lists. */
const LONGEST_LIST = 10_000;

/** Puts together the arguments of a call that come piece by piece, each with the path where it belongs. */
export class PartialArgs {
  private readonly args: JsonObject = {};

  /** Adds pieces; throws `upstream_bad_response` for a path that can't be. */
  add(pieces: Json | undefined): void {
    for (const piece of objectsIn(pieces)) {
      const path = pathOf(stringOf(piece["jsonPath"]) ?? "$");
      const text = stringOf(piece["stringValue"]);
      place(this.args, path, text ?? piece["numberValue"] ?? piece["boolValue"] ?? null);
    }
  }

  get text(): string {
    return JSON.stringify(this.args);
  }
}

type Step = string | number;

/** The steps of `$.a.b[0]['c d']`. */
function pathOf(path: string): Step[] {
  const steps: Step[] = [];
  const form = /\.([^.[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/y;
  form.lastIndex = path.startsWith("$") ? 1 : 0;
  while (form.lastIndex < path.length) {
    const found = form.exec(path);
    if (found === null) throw badAnswer("an argument's path can't be read");
    const [, name, index, quoted, double] = found;
    if (index !== undefined) steps.push(Number(index));
    else steps.push(name ?? (quoted ?? double ?? "").replace(/\\(.)/g, "$1"));
  }
  if (steps.length === 0) throw badAnswer("an argument has no path");
  return steps;
}

/** Sets the value at a path; a text goes on where one stands there. */
function place(root: JsonObject, path: readonly Step[], value: Json): void {
  let at: JsonObject | Json[] = root;
  for (const [depth, step] of path.entries()) {
    const next = path[depth + 1];
    const held: Json | undefined = read(at, step);
    if (next === undefined) {
      const goesOn = typeof held === "string" && typeof value === "string";
      write(at, step, goesOn ? held + value : value);
      return;
    }
    const inner: JsonObject | Json[] =
      isJsonObject(held) || Array.isArray(held) ? held : typeof next === "number" ? [] : {};
    if (inner !== held) write(at, step, inner);
    at = inner;
  }
}

function read(at: JsonObject | Json[], step: Step): Json | undefined {
  if (Array.isArray(at)) return typeof step === "number" ? at[step] : undefined;
  return Object.hasOwn(at, String(step)) ? at[String(step)] : undefined;
}

function write(at: JsonObject | Json[], step: Step, value: Json): void {
  if (!Array.isArray(at)) define(at, String(step), value);
  else if (typeof step === "number" && step < LONGEST_LIST && step <= at.length) at[step] = value;
  else throw badAnswer("an argument's path leads nowhere");
}
