import type { Freeform, Tool } from "../core/chat.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { objectIn, stringOf, textOf } from "./answers.ts";
import { parsed } from "./fields.ts";

/*
 * Tools that take a text instead of JSON (OpenAI's `custom` ones, as coding agents use for patches). Where a target has none
 * it is offered a function whose one argument is that text, and its callers see their own form again.
 */

const INPUT = "input";

/** A tool that takes text; its grammar is told to models that nobody can hold to it. */
export function freeformTool(name: string, freeform: Freeform): Tool {
  const { description, format } = freeform;
  const definition = textOf(format?.["definition"]);
  const syntax = textOf(format?.["syntax"]) ?? "following";
  const told = [
    ...(description ? [description] : []),
    ...(definition ? [`\`${INPUT}\` must match this ${syntax} grammar:\n${definition}`] : []),
  ];
  return {
    type: "function",
    name,
    ...(told.length > 0 && { description: told.join("\n\n") }),
    parameters: {
      type: "object",
      properties: { [INPUT]: { type: "string" } },
      required: [INPUT],
      additionalProperties: false,
    },
    freeform,
  };
}

/** The text as the arguments of a function. */
export function freeformArguments(input: Json | undefined): string {
  return JSON.stringify({ [INPUT]: stringOf(input) ?? "" });
}

/** The text that arguments hold; what a model wrote instead stays as it is. */
export function freeformInput(args: string): string {
  return stringOf(objectIn(parsed(args))?.[INPUT]) ?? args;
}

/** The format of a tool as Responses writes it; chat completions puts a grammar one level deeper. */
export function flatFormat(format: JsonObject | undefined): JsonObject | undefined {
  const grammar = format?.["grammar"];
  return isJsonObject(grammar) ? { type: "grammar", ...grammar } : format;
}

/** The same as chat completions writes it. */
export function deepFormat(format: JsonObject): JsonObject {
  const { type, ...grammar } = format;
  return type === "grammar" ? { type, grammar } : format;
}

/** Whether the tool of this name takes text. */
export function isFreeform(name: string, tools: readonly Tool[]): boolean {
  return tools.some((tool) => tool.type === "function" && tool.name === name && tool.freeform);
}
