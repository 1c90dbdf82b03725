import type { CacheMark, MediaSource, Message, Part } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { encodeText } from "../base64.ts";
import { parsed } from "../fields.ts";
import { isTextual } from "../media.ts";
import { unsupported } from "../unsupported.ts";

/** `system` and `messages` of a Converse request. */
export interface Turns {
  system: JsonObject[];
  messages: JsonObject[];
}

/** What stands where something has to, and nothing was said. */
const EMPTY = "(empty)";

interface Writer {
  degraded: Set<string>;
  /** Names of documents so far: two of one name are refused. */
  documents: Set<string>;
}

/** Writes canonical messages: system texts apart, tool results as the user's, neighbours of one role merged. */
export function buildMessages(messages: readonly Message[], degraded: Set<string>): Turns {
  const system: JsonObject[] = [];
  const turns: { role: string; content: JsonObject[] }[] = [];
  const writer: Writer = { degraded, documents: new Set() };
  for (const [index, message] of messages.entries()) {
    const path = `messages[${index}]`;
    const blocks = message.parts.flatMap((part) => {
      // No turn of the model may show what another maker's model drew.
      const drawn = message.role === "assistant" && part.type === "image";
      if (drawn) degraded.add("image");
      return drawn ? [] : blocksOf(part, path, writer);
    });
    if (message.role === "system" || message.role === "developer") {
      if (turns.length > 0) degraded.add("system");
      system.push(...blocks);
      continue;
    }
    if (blocks.length === 0) continue;
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = turns[turns.length - 1];
    if (last?.role === role) last.content.push(...blocks);
    else turns.push({ role, content: blocks });
  }
  // Instructions alone are refused: they are what is asked then.
  if (turns.length === 0 && system.length > 0) {
    degraded.add("system");
    turns.push({ role: "user", content: system.splice(0) });
  }
  // So is a conversation that the model began.
  if (turns[0]?.role === "assistant") {
    degraded.add("messages");
    turns.unshift({ role: "user", content: [{ text: EMPTY }] });
  }
  return { system, messages: turns.map(({ role, content }) => ({ role, content })) };
}

/** A part's block, and the cache point behind it where the caller set one. */
function blocksOf(part: Part, path: string, writer: Writer): JsonObject[] {
  const block = blockOf(part, path, writer);
  if (block === null) return [];
  const mark = markOf(part);
  return mark === undefined ? [block] : [block, cachePoint(mark)];
}

/** Results of tools hold no cache points: one inside of them goes behind them. */
function markOf(part: Part): CacheMark | undefined {
  const inside = part.type === "toolResult" ? part.parts.map(markOf).find(Boolean) : undefined;
  return ("cache" in part ? part.cache : undefined) ?? inside;
}

/** A prompt-cache breakpoint, which lives for as long as the caller asked. */
export function cachePoint({ ttl }: CacheMark): JsonObject {
  const lives = ttl === "5m" || ttl === "1h";
  return { cachePoint: { type: "default", ...(lives && { ttl }) } };
}

function blockOf(part: Part, path: string, writer: Writer): JsonObject | null {
  switch (part.type) {
    case "text":
    case "refusal":
      // Blank text is refused.
      return part.text.trim() === "" ? null : { text: part.text };
    case "image":
      return {
        image: { format: formatOf(part.source), source: bytesOf(part.source, "An image", path) },
      };
    case "file":
      return {
        document: {
          format: formatOf(part.source, part.filename),
          name: unusedName(nameOf(part.filename), writer.documents),
          source: bytesOf(part.source, "A file", path),
        },
      };
    case "audio":
      throw unsupported("Audio", path);
    case "toolCall":
      return {
        toolUse: {
          toolUseId: toolId(part.id),
          name: part.name,
          input: objectIn(parsed(part.arguments || "{}")) ?? { INVALID_JSON: part.arguments },
        },
      };
    case "toolResult": {
      const content = part.parts.flatMap((each) => {
        const block = blockOf(each, path, writer);
        return block ? [block] : [];
      });
      return {
        toolResult: {
          toolUseId: toolId(part.callId),
          content: content.length > 0 ? content : [{ text: EMPTY }],
          ...(part.isError && { status: "error" }),
        },
      };
    }
    case "thinking":
      return thinkingOf(part, writer.degraded);
    case "native": {
      if (part.dialect === "bedrock-converse") return part.value;
      const type = part.value["type"];
      const named = typeof type === "string" ? type : "unknown";
      throw unsupported(`A content part of type '${named}'`, path);
    }
  }
}

/** Thinking goes back only with its proof: unsigned it is another family's, or was cut. */
function thinkingOf(
  part: Extract<Part, { type: "thinking" }>,
  degraded: Set<string>,
): JsonObject | null {
  if (part.family === undefined && part.redacted !== undefined) {
    return { reasoningContent: { redactedContent: part.redacted } };
  }
  if (part.family === undefined && part.signature !== undefined) {
    const { text, signature } = part;
    return { reasoningContent: { reasoningText: { text, signature } } };
  }
  degraded.add("thinking");
  return null;
}

function bytesOf(source: MediaSource, what: string, path: string): JsonObject {
  if (source.type === "data") return { bytes: source.data };
  if (source.type === "url" && source.url.startsWith("s3://")) {
    return { s3Location: { uri: source.url } };
  }
  const where = source.type === "url" ? "named by a URL" : "kept at another provider";
  throw unsupported(`${what} that is ${where}`, path);
}

const FORMATS: Readonly<Record<string, string>> = {
  "text/plain": "txt",
  "text/markdown": "md",
  "application/msword": "doc",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
};

const TEXT_FORMATS: ReadonlySet<string> = new Set(["txt", "md", "csv", "html"]);

function formatOf(source: MediaSource, filename?: string): string {
  const [type = ""] = source.type === "data" ? source.mediaType.split(";") : [""];
  const named = source.type === "url" ? source.url : filename;
  const ending = /\.([a-z0-9]{2,5})$/i.exec(named ?? "")?.[1]?.toLowerCase();
  const format = FORMATS[type] ?? type.split("/")[1] ?? ending ?? "";
  if (isTextual(type) && !TEXT_FORMATS.has(format)) return "txt";
  return format === "jpg" ? "jpeg" : format || ending || "txt";
}

/** Names of documents may hold letters, digits, single spaces and a few signs. */
function nameOf(filename = "document"): string {
  const clean = filename.replace(/\.[a-z0-9]{2,5}$/i, "").replace(/[^\w()[\]-]+/g, " ");
  return clean.replace(/_/g, "-").trim().slice(0, 200) || "document";
}

/** The name, with a number behind it where an earlier document has it. */
function unusedName(name: string, used: Set<string>): string {
  let free = name;
  for (let n = 2; used.has(free.toLowerCase()); n++) free = `${name.slice(0, 190)} (${n})`;
  used.add(free.toLowerCase());
  return free;
}

/** Ids of other providers in the alphabet that is taken; the same id always becomes the same. */
function toolId(id: string): string {
  const clean = id.replace(/[^A-Za-z0-9_-]/g, "_");
  if (clean.length <= 64) return clean === "" ? "tool_0" : clean;
  return encodeText(clean)
    .replace(/[^A-Za-z0-9]/g, "")
    .slice(-64);
}
