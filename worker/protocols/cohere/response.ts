import type { ChatResponse, Choice, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { noAnswer, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { parseFinish } from "./finish.ts";
import { readCall, readCitation, readContent } from "./parts.ts";
import { parseUsage } from "./usage.ts";

/** Reads a whole answer. What it says it plans to do with tools is text before their calls. */
export function parseResponse(body: JsonObject): ChatResponse {
  const message = objectIn(body["message"]);
  if (!message) throw noAnswer(body, "it has no message");
  const { content } = message;
  const parts: Part[] =
    typeof content === "string"
      ? [{ type: "text", text: content }]
      : objectsIn(content).map(readContent);
  const citations = objectsIn(message["citations"]).map(readCitation);
  const index = parts.findIndex((part) => part.type === "text");
  const text = parts[index];
  if (text?.type === "text" && citations.length > 0) parts[index] = { ...text, citations };
  const plan = textOf(message["tool_plan"]);
  if (plan !== undefined) parts.push({ type: "text", text: plan });
  parts.push(...objectsIn(message["tool_calls"]).map(readCall));
  const choice: Choice = {
    index: 0,
    parts,
    finish: parseFinish(stringOf(body["finish_reason"]) ?? ""),
  };
  const logprobs = readLogprobs(body["logprobs"]);
  if (logprobs !== undefined) choice.logprobs = logprobs;
  const response: ChatResponse = {
    id: stringOf(body["id"]) ?? "",
    created: 0,
    model: "",
    choices: [choice],
    extra: {},
    dialect: "cohere",
  };
  const usage = objectIn(body["usage"]);
  if (usage) response.usage = parseUsage(usage);
  return response;
}

/** Log probabilities in OpenAI's form; undefined for none. */
export function readLogprobs(value: Json | undefined): Json | undefined {
  const list = Array.isArray(value) ? objectsIn(value) : objectsIn(value ? [value] : []);
  if (list.length === 0) return undefined;
  const content = list.map((each) => {
    const token = stringOf(each["text"]) ?? "";
    const [logprob = 0] = Array.isArray(each["logprobs"]) ? each["logprobs"] : [];
    return { token, logprob, bytes: [...new TextEncoder().encode(token)], top_logprobs: [] };
  });
  return { content, refusal: null };
}
