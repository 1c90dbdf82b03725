import type { Part } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { argumentsOf, objectsIn, stringOf, textOf } from "../answers.ts";
import { carry } from "../carried.ts";
import { freeformArguments, freeformInput } from "../freeform.ts";
import { readAnnotation, writeAnnotations } from "./citations.ts";

/** The parts of one output item. Kinds that the canonical form does not name are native. */
export function readItem(item: JsonObject): Part[] {
  switch (item["type"]) {
    case "message":
      return objectsIn(item["content"]).map(readContent);
    case "function_call":
      return [callOf(item)];
    case "custom_tool_call": {
      const call = { ...callOf(item), arguments: freeformArguments(item["input"]) };
      return [{ ...call, freeform: true }];
    }
    case "reasoning":
      return reasoningOf(item);
    default:
      return [native(item)];
  }
}

export function readContent(content: JsonObject): Part {
  if (content["type"] === "refusal") {
    return { type: "refusal", text: stringOf(content["refusal"]) ?? "" };
  }
  if (content["type"] !== "output_text" && content["type"] !== "text") return native(content);
  const text = stringOf(content["text"]) ?? "";
  const { annotations } = content;
  if (!Array.isArray(annotations) || annotations.length === 0) return { type: "text", text };
  return { type: "text", text, citations: annotations.map(readAnnotation) };
}

export function callOf(item: JsonObject): Extract<Part, { type: "toolCall" }> {
  return {
    type: "toolCall",
    id: textOf(item["call_id"]) ?? stringOf(item["id"]) ?? "",
    name: stringOf(item["name"]) ?? "",
    arguments: argumentsOf(item["arguments"]),
  };
}

export function native(value: JsonObject): Part {
  return { type: "native", dialect: "openai-responses", value };
}

/** What is shown of the reasoning, and behind it what only its maker reads. */
function reasoningOf(item: JsonObject): Part[] {
  const shown = [...objectsIn(item["content"]), ...objectsIn(item["summary"])];
  const text = shown.map((each) => stringOf(each["text"]) ?? "").join("\n\n");
  return [...(text === "" ? [] : [{ type: "thinking", text } as const]), ...stateOf(item)];
}

/** The encrypted part of a reasoning item, if it holds one. */
export function stateOf(item: JsonObject): Part[] {
  const redacted = textOf(item["encrypted_content"]);
  if (redacted === undefined) return [];
  const id = textOf(item["id"]);
  return [
    { type: "thinking", text: "", redacted, family: "openai", ...(id !== undefined && { id }) },
  ];
}

/** Output items of a whole answer: neighbouring texts are one message. `id` makes an item's id. */
export function writeItems(parts: readonly Part[], id: (prefix: string) => string): JsonObject[] {
  const items: JsonObject[] = [];
  let content: Json[] | null = null;
  const say = (part: JsonObject) => {
    if (content === null) {
      content = [];
      items.push({ ...messageItem(id("msg")), status: "completed", content });
    }
    content.push(part);
  };
  for (const part of parts) {
    const said = writeContent(part);
    if (said) {
      say(said);
      continue;
    }
    const made = writeItem(part, id);
    if (made.length === 0) continue;
    content = null;
    items.push(...made);
  }
  return items;
}

export function messageItem(id: string): JsonObject {
  return { id, type: "message", role: "assistant", status: "in_progress", content: [] };
}

/** A part as content of a message; null for what is an item of its own, or nothing. */
export function writeContent(part: Part): JsonObject | null {
  switch (part.type) {
    case "text":
      if (part.signature !== undefined) return null;
      return outputText(part.text, citationsOf(part));
    case "refusal":
      return { type: "refusal", refusal: part.text };
    case "audio":
      return part.transcript ? outputText(part.transcript, []) : null;
    default:
      return null;
  }
}

export function outputText(text: string, annotations: Json[], logprobs: Json[] = []): JsonObject {
  return { type: "output_text", text, annotations, logprobs };
}

function citationsOf(part: Extract<Part, { type: "text" }>): Json[] {
  return (part.citations ?? []).flatMap((each) => writeAnnotations(each, 0, part.text.length));
}

/** A part as items of its own: calls, thinking, and the state that another family signed (PROTOCOLS 23). */
export function writeItem(part: Part, id: (prefix: string) => string): JsonObject[] {
  switch (part.type) {
    case "toolCall":
      return [
        ...googleState(part.signature, id),
        callItem(part, id(callPrefix(part)), "completed"),
      ];
    case "text":
      return googleState(part.signature, id);
    case "thinking":
      return [reasoningItem(part, id("rs"))];
    case "image":
      return imageItem(part, id("ig"));
    case "native":
      return part.dialect === "openai-responses" ? [part.value] : [];
    default:
      return [];
  }
}

/** An image that the model made, as the built-in tool for that gives it. */
function imageItem({ source }: Extract<Part, { type: "image" }>, id: string): JsonObject[] {
  if (source.type !== "data") return [];
  const output_format = source.mediaType.replace(/^image\//, "");
  const result = source.data;
  return [{ id, type: "image_generation_call", status: "completed", output_format, result }];
}

/** How the id of a call's item begins. */
export function callPrefix({ freeform }: Extract<Part, { type: "toolCall" }>): string {
  return freeform ? "ctc" : "fc";
}

export function callItem(
  part: Extract<Part, { type: "toolCall" }>,
  id: string,
  status: string,
): JsonObject {
  if (part.freeform) {
    const { id: call_id, name } = part;
    const input = freeformInput(part.arguments);
    return { id, type: "custom_tool_call", status, call_id, name, input };
  }
  return {
    id,
    type: "function_call",
    status,
    call_id: part.id,
    name: part.name,
    arguments: part.arguments,
  };
}

export function googleState(
  signature: string | undefined,
  id: (prefix: string) => string,
): JsonObject[] {
  if (signature === undefined) return [];
  const encrypted_content = carry("google", signature);
  return [{ id: id("rs"), type: "reasoning", summary: [], encrypted_content }];
}

export function reasoningItem(part: Extract<Part, { type: "thinking" }>, id: string): JsonObject {
  const state =
    part.redacted !== undefined
      ? part.family === "openai"
        ? part.redacted
        : carry("anthropic-redacted", part.redacted)
      : part.signature === undefined
        ? carry("plain", "")
        : carry("anthropic", part.signature);
  return {
    id: part.id ?? id,
    type: "reasoning",
    summary: part.text === "" ? [] : [{ type: "summary_text", text: part.text }],
    encrypted_content: state,
  };
}
