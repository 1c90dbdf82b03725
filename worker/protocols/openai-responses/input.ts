import type { MediaSource, Message, Part } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { withState } from "../carried.ts";
import { stringOf } from "../answers.ts";
import {
  at,
  dataUrl,
  invalid,
  missing,
  objectOf,
  optionalList,
  optionalString,
  requiredObject,
  requiredString,
  requiredText,
} from "../fields.ts";
import { mediaOf, typeByName } from "../media.ts";
import { callOf, native, readContent, readItem } from "./output.ts";

const ROLES = '"user", "assistant", "system" or "developer"';

/**
 * Reads `input`. What the model said in a row (messages, reasoning, calls) is one assistant message, so that thinking
 * and calls keep their places. Items that only the provider can resolve are native.
 */
export function parseInput(input: Json): Message[] {
  if (typeof input === "string") return [{ role: "user", parts: [{ type: "text", text: input }] }];
  if (!Array.isArray(input)) throw invalid("input", "a string or an array of items");
  if (input.length === 0) throw invalid("input", "a string or an array of at least one item");
  const messages: Message[] = [];
  for (const [index, value] of input.entries()) {
    const path = at("input", index);
    const message = messageOf(objectOf(value, path), path);
    const last = messages[messages.length - 1];
    const merges = message.role === "assistant" || message.role === "tool";
    if (merges && last?.role === message.role) last.parts.push(...message.parts);
    else messages.push(message);
  }
  return messages.map((message) =>
    message.role === "assistant" ? { ...message, parts: withState(message.parts) } : message,
  );
}

function messageOf(item: JsonObject, path: string): Message {
  const type = optionalString(item, path, "type") ?? "message";
  switch (type) {
    case "message":
      return plainMessage(item, path);
    case "function_call":
      requiredText(item, path, "name");
      requiredText(item, path, "call_id");
      optionalString(item, path, "arguments");
      return { role: "assistant", parts: [callOf(item)] };
    case "custom_tool_call":
      requiredText(item, path, "name");
      requiredText(item, path, "call_id");
      requiredString(item, path, "input");
      return { role: "assistant", parts: readItem(item) };
    case "custom_tool_call_output":
    case "function_call_output":
      return {
        role: "tool",
        parts: [
          {
            type: "toolResult",
            callId: requiredText(item, path, "call_id"),
            parts: outputOf(item, path),
            ...(type === "custom_tool_call_output" && { freeform: true }),
          },
        ],
      };
    case "reasoning":
      return { role: "assistant", parts: reasoningOf(item, path) };
    case "item_reference": {
      // Reasoning that its maker keeps is left out elsewhere, as that is which comes along; anything else would be missed.
      const id = requiredText(item, path, "id");
      if (!id.startsWith("rs_")) return { role: "assistant", parts: [native(item)] };
      const kept: Part = { type: "thinking", text: "", redacted: "", family: "openai", id };
      return { role: "assistant", parts: [kept] };
    }
    case "image_generation_call": {
      const parts = drawn(item, path);
      return { role: "assistant", parts: parts ?? [native(item)] };
    }
    default:
      return { role: "assistant", parts: [native(item)] };
  }
}

/** An image that was drawn in an earlier turn; null where only its id came back. */
function drawn(item: JsonObject, path: string): Part[] | null {
  const data = optionalString(item, path, "result");
  if (data === undefined) return null;
  const format = optionalString(item, path, "output_format") ?? "png";
  return [{ type: "image", source: { type: "data", data, mediaType: `image/${format}` } }];
}

function plainMessage(item: JsonObject, path: string): Message {
  const role = requiredString(item, path, "role");
  if (role !== "user" && role !== "assistant" && role !== "system" && role !== "developer") {
    throw invalid(at(path, "role"), ROLES);
  }
  return { role, parts: contentOf(item, path, "content") };
}

function contentOf(from: JsonObject, path: string, name: string): Part[] {
  const content = from[name];
  const where = at(path, name);
  if (content === undefined || content === null) {
    throw missing(where, "a string or an array of content parts");
  }
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) throw invalid(where, "a string or an array of content parts");
  return content.map((value, index) => partOf(objectOf(value, at(where, index)), at(where, index)));
}

function outputOf(item: JsonObject, path: string): Part[] {
  if (item["output"] === undefined) throw missing(at(path, "output"), "a string or content parts");
  return contentOf(item, path, "output");
}

function partOf(from: JsonObject, path: string): Part {
  const type = requiredText(from, path, "type");
  switch (type) {
    case "input_text":
    case "text":
      return { type: "text", text: requiredString(from, path, "text") };
    case "output_text":
      requiredString(from, path, "text");
      return readContent(from);
    case "refusal":
      return { type: "refusal", text: requiredString(from, path, "refusal") };
    case "input_image":
      return imageOf(from, path);
    case "input_file":
      return fileOf(from, path);
    case "input_audio": {
      const audio = requiredObject(from, path, "input_audio");
      const where = at(path, "input_audio");
      return {
        type: "audio",
        data: requiredText(audio, where, "data"),
        format: requiredText(audio, where, "format"),
      };
    }
    default:
      return { type: "native", dialect: "openai-responses", value: from };
  }
}

function imageOf(from: JsonObject, path: string): Part {
  const url = optionalString(from, path, "image_url");
  const id = optionalString(from, path, "file_id");
  const detail = optionalString(from, path, "detail");
  if (url === undefined && id === undefined) throw missing(path, "`image_url` or `file_id`");
  const source: MediaSource = url === undefined ? { type: "id", id: id ?? "" } : mediaOf(url);
  return { type: "image", source, ...(detail !== undefined && { detail }) };
}

function fileOf(from: JsonObject, path: string): Part {
  const data = optionalString(from, path, "file_data");
  const url = optionalString(from, path, "file_url");
  const id = optionalString(from, path, "file_id");
  const filename = optionalString(from, path, "filename");
  const named = filename === undefined ? {} : { filename };
  if (data !== undefined) {
    const mediaType = typeByName(filename ?? "") ?? "application/pdf";
    const bytes = dataUrl(data) ?? { data, mediaType };
    return { type: "file", source: { type: "data", ...bytes }, ...named };
  }
  if (url !== undefined) return { type: "file", source: mediaOf(url), ...named };
  if (id === undefined) throw missing(path, "`file_data`, `file_url` or `file_id`");
  return { type: "file", source: { type: "id", id }, ...named };
}

/** Reasoning with what its maker reads. State that another family signed is put back by `withState`. */
function reasoningOf(item: JsonObject, path: string): Part[] {
  const summary = optionalList(item, path, "summary") ?? [];
  const content = optionalList(item, path, "content") ?? [];
  const text = [...content, ...summary]
    .map((each) => (isJsonObject(each) ? (stringOf(each["text"]) ?? "") : ""))
    .join("\n\n");
  const state = optionalString(item, path, "encrypted_content");
  const id = optionalString(item, path, "id");
  if (state === undefined) return [{ type: "thinking", text }];
  if (/^(anthropic|anthropic-redacted|google|plain):/.test(state)) {
    return [{ type: "thinking", text, redacted: state }];
  }
  return [
    ...(text === "" ? [] : [{ type: "thinking", text } as const]),
    {
      type: "thinking",
      text: "",
      redacted: state,
      family: "openai",
      ...(id !== undefined && { id }),
    },
  ];
}
