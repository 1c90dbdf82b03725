import type { ChatResponse, Choice } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { NO_USAGE } from "../../core/usage.ts";
import { noAnswer, objectIn, objectsIn, stringOf } from "../answers.ts";
import { without } from "../extensions.ts";
import { others } from "../fields.ts";
import { keptHere } from "./metadata.ts";
import type { AnswerContext } from "../protocol.ts";
import { encodeFinish, parseFinish } from "./finish.ts";
import { readItem, writeItems } from "./output.ts";
import { encodeUsage, parseUsage } from "./usage.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created_at",
  "model",
  "output",
  "usage",
  "status",
  "incomplete_details",
  "error",
]);

/** Reads a whole response. */
export function parseResponse(body: JsonObject): ChatResponse {
  if (!Array.isArray(body["output"])) throw noAnswer(body, "it has no output");
  if (body["status"] === "failed") throw noAnswer(body, "it says that it failed");
  const parts = objectsIn(body["output"]).flatMap(readItem);
  const called = parts.some((part) => part.type === "toolCall");
  const choice: Choice = { index: 0, parts, finish: parseFinish(body, called) };
  const logprobs = objectsIn(body["output"]).flatMap((item) =>
    objectsIn(item["content"]).flatMap((content) => objectsIn(content["logprobs"])),
  );
  if (logprobs.length > 0) choice.logprobs = { content: logprobs, refusal: null };
  const response: ChatResponse = {
    id: stringOf(body["id"]) ?? "",
    created: typeof body["created_at"] === "number" ? Math.floor(body["created_at"]) : 0,
    model: stringOf(body["model"]) ?? "",
    choices: [choice],
    extra: others(body, KNOWN),
    dialect: "openai-responses",
  };
  const usage = objectIn(body["usage"]);
  if (usage) response.usage = parseUsage(usage);
  return response;
}

/** Writes a whole response; its form knows one choice only, the first. */
export function encodeResponse(response: ChatResponse, context: AnswerContext): JsonObject {
  const choice = response.choices[0] ?? { index: 0, parts: [], finish: "error" as const };
  const id = responseId(response.id, context);
  const output = writeItems(choice.parts, itemIds(id));
  const logprobs = objectsIn(objectIn(choice.logprobs)?.["content"]);
  const message = output.find((item) => item["type"] === "message");
  const [first] = objectsIn(message?.["content"]);
  if (first?.["type"] === "output_text" && logprobs.length > 0) first["logprobs"] = logprobs;
  return {
    ...shell(id, response.model, response.created || context.created, context.asked),
    ...(response.dialect === "openai-responses" && response.extra),
    ...encodeFinish(choice.finish),
    output,
    usage: encodeUsage(response.usage ?? NO_USAGE),
  };
}

/** What an answer repeats of its request. */
const REPEATED = [
  "instructions",
  "max_output_tokens",
  "max_tool_calls",
  "parallel_tool_calls",
  "reasoning",
  "safety_identifier",
  "temperature",
  "text",
  "tool_choice",
  "tools",
  "top_logprobs",
  "top_p",
  "truncation",
  "user",
] as const;

function repeated(asked: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const name of REPEATED) {
    const value = asked[name];
    if (value !== undefined && value !== null) out[name] = value;
  }
  const { metadata } = asked;
  const gone = keptHere(metadata ?? null);
  if (isJsonObject(metadata) && gone !== "all") out["metadata"] = without(metadata, gone);
  return out;
}

/** The members of a response before anything was said. */
export function shell(
  id: string,
  model: string,
  created: number,
  asked: JsonObject = {},
): JsonObject {
  return {
    id,
    object: "response",
    created_at: created,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model,
    output: [],
    parallel_tool_calls: true,
    temperature: null,
    tool_choice: "auto",
    tools: [],
    top_p: null,
    usage: null,
    ...repeated(asked),
  };
}

/** The answer's own id in the form that clients expect. */
export function responseId(id: string, { requestId }: AnswerContext): string {
  return id.startsWith("resp_") ? id : `resp_${id || requestId}`;
}

/** Ids of the items of one response, by what they are and in their order. */
export function itemIds(responseId_: string): (prefix: string) => string {
  let count = 0;
  return (prefix) => `${prefix}_${responseId_.replace(/^resp_/, "")}_${count++}`;
}
