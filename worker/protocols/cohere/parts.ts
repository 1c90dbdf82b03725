import type { Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { argumentsOf, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";

/** A block of a message's content; kinds that the canonical form does not name are native. */
export function readContent(from: JsonObject): Part {
  switch (from["type"]) {
    case "text":
      return { type: "text", text: stringOf(from["text"]) ?? "" };
    case "thinking":
      return { type: "thinking", text: stringOf(from["thinking"]) ?? "" };
    default:
      return { type: "native", dialect: "cohere", value: from };
  }
}

/** A call; one without arguments may come with `null` for them. */
export function readCall(from: JsonObject): Extract<Part, { type: "toolCall" }> {
  const named = objectIn(from["function"]) ?? {};
  const text = argumentsOf(named["arguments"]);
  return {
    type: "toolCall",
    id: stringOf(from["id"]) ?? "",
    name: stringOf(named["name"]) ?? "",
    arguments: text === "null" ? "{}" : text,
  };
}

/** A citation: of a page as a URL citation, of anything else as it was sent. */
export function readCitation(from: JsonObject): Json {
  for (const source of objectsIn(from["sources"])) {
    const document = objectIn(source["document"]) ?? objectIn(source["tool_output"]);
    const url = textOf(document?.["url"]);
    if (url === undefined) continue;
    return {
      type: "url_citation",
      url_citation: {
        start_index: from["start"] ?? 0,
        end_index: from["end"] ?? 0,
        url,
        title: stringOf(document?.["title"]) ?? "",
      },
    };
  }
  return from;
}
