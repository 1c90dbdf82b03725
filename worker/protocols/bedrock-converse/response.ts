import type { ChatResponse, Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { argumentsOf, noAnswer, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { JSON_TOOL } from "../json-tool.ts";
import { parseFinish } from "./finish.ts";
import { parseUsage } from "./usage.ts";

/** Reads a whole answer. It names neither itself nor its model nor a time. */
export function parseResponse(body: JsonObject): ChatResponse {
  const message = objectIn(objectIn(body["output"])?.["message"]);
  if (!message) throw noAnswer(body, "it has no output message");
  const parts = objectsIn(message["content"]).map(readBlock);
  const called = parts.some((part) => part.type === "toolCall");
  const finish = parseFinish(stringOf(body["stopReason"]) ?? "", called);
  const response: ChatResponse = {
    id: "",
    created: 0,
    model: "",
    choices: [{ index: 0, parts, finish }],
    extra: {},
    dialect: "bedrock-converse",
  };
  const usage = objectIn(body["usage"]);
  if (usage) response.usage = parseUsage(usage);
  return response;
}

/** A block of an answer; kinds that the canonical form does not name are native. */
export function readBlock(block: JsonObject): Part {
  const text = stringOf(block["text"]);
  if (text !== undefined) return { type: "text", text };
  const cited = objectIn(block["citationsContent"]);
  if (cited) {
    const said = objectsIn(cited["content"]).map((each) => stringOf(each["text"]) ?? "");
    const citations = objectsIn(cited["citations"]).map(readCitation);
    return { type: "text", text: said.join(""), citations };
  }
  const call = objectIn(block["toolUse"]);
  if (call) {
    const name = stringOf(call["name"]) ?? "";
    const text = argumentsOf(call["input"] ?? {});
    if (name === JSON_TOOL) return { type: "text", text };
    return { type: "toolCall", id: stringOf(call["toolUseId"]) ?? "", name, arguments: text };
  }
  const reasoning = objectIn(block["reasoningContent"]);
  if (reasoning) {
    const redacted = textOf(reasoning["redactedContent"]);
    if (redacted !== undefined) return { type: "thinking", text: "", redacted };
    const shown = objectIn(reasoning["reasoningText"]) ?? {};
    const signature = textOf(shown["signature"]);
    return {
      type: "thinking",
      text: stringOf(shown["text"]) ?? "",
      ...(signature !== undefined && { signature }),
    };
  }
  return { type: "native", dialect: "bedrock-converse", value: block };
}

/** A citation: of a page as a found page, of a place in a document as it was sent. */
export function readCitation(from: JsonObject): Json {
  const url = textOf(objectIn(objectIn(from["location"])?.["web"])?.["url"]);
  if (url === undefined) return from;
  const source = objectsIn(from["sourceContent"]).map((each) => stringOf(each["text"]) ?? "");
  return {
    type: "web_search_result_location",
    url,
    title: stringOf(from["title"]) ?? null,
    cited_text: source.join(""),
    encrypted_index: "",
  };
}
