import type { MediaSource, Message, Part } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { inCallOrder } from "../call-order.ts";
import { parsed } from "../fields.ts";
import { audioType, typeByName } from "../media.ts";
import type { Target } from "../protocol.ts";
import { unsupported } from "../unsupported.ts";
import { googleId } from "./names.ts";
import { argsOf } from "./parts.ts";

/** What Google documents for calls that another family made and that carry no signature (PROTOCOLS 23). */
const NO_SIGNATURE = "skip_thought_signature_validator";

export interface Contents {
  systemInstruction?: JsonObject;
  contents: JsonObject[];
}

/**
 * Writes canonical messages in Google's form: system texts gathered, tool results as the user's function responses
 * under the name of their call, neighbours of one role merged.
 */
export function buildContents(
  messages: readonly Message[],
  target: Target,
  home: boolean,
  degraded: Set<string>,
): Contents {
  const names = new Map<string, string>();
  const system: JsonObject[] = [];
  const turns: { role: string; parts: JsonObject[] }[] = [];
  const writer = { names, target, home, degraded };
  for (const [index, message] of inCallOrder(messages).entries()) {
    const path = `messages[${index}]`;
    const parts = partsOf(message, path, writer);
    if (message.role === "system" || message.role === "developer") {
      if (turns.length > 0) degraded.add("system");
      system.push(...parts);
      continue;
    }
    if (parts.length === 0) continue;
    const role = message.role === "assistant" ? "model" : "user";
    const last = turns[turns.length - 1];
    if (last?.role === role) last.parts.push(...parts);
    else turns.push({ role, parts });
  }
  // Instructions alone are refused: they are what is asked then.
  if (turns.length === 0 && system.length > 0) {
    degraded.add("system");
    turns.push({ role: "user", parts: system.splice(0) });
  }
  return {
    ...(system.length > 0 && { systemInstruction: { parts: system } }),
    contents: turns.map(({ role, parts }) => ({ role, parts })),
  };
}

interface Writer {
  /** Names of the calls so far, by id. */
  names: Map<string, string>;
  target: Target;
  home: boolean;
  degraded: Set<string>;
}

function partsOf(message: Message, path: string, writer: Writer): JsonObject[] {
  const out: JsonObject[] = [];
  // What a tool showed follows as the user's, behind all results.
  const shown: JsonObject[] = [];
  let calls = 0;
  for (const part of message.parts) {
    if (part.type === "toolCall") out.push(callOf(part, calls++ === 0, writer));
    else if (part.type === "toolResult") out.push(resultOf(part, path, writer, shown));
    else {
      const written = partOf(part, path, writer);
      if (written) out.push(written);
    }
  }
  return [...out, ...shown];
}

/** Models that think in levels demand a signature on the first call of a turn; others take none they did not make. */
function callOf(
  part: Extract<Part, { type: "toolCall" }>,
  first: boolean,
  { names, target, home }: Writer,
): JsonObject {
  names.set(part.id, part.name);
  const { reasoning } = target.facts;
  const needed = first && reasoning !== "budget" && reasoning !== "none";
  const signature = part.signature ?? (needed ? NO_SIGNATURE : undefined);
  const id = home ? part.id : googleId(part.id);
  return {
    functionCall: {
      ...(id !== undefined && { id }),
      name: part.name,
      args: argsOf(part.arguments),
    },
    ...(signature !== undefined && { thoughtSignature: signature }),
  };
}

function resultOf(
  part: Extract<Part, { type: "toolResult" }>,
  path: string,
  writer: Writer,
  media: JsonObject[],
): JsonObject {
  const { names, home } = writer;
  const texts: string[] = [];
  for (const each of part.parts) {
    if (each.type === "text") texts.push(each.text);
    else {
      const written = partOf(each, path, writer);
      if (written) media.push(written);
    }
  }
  const text = texts.join("\n");
  const object = objectIn(parsed(text));
  const id = home ? part.callId : googleId(part.callId);
  const response = part.isError ? { error: text } : (object ?? { output: text });
  return {
    functionResponse: {
      ...(id !== undefined && { id }),
      name: part.name ?? names.get(part.callId) ?? part.callId,
      response,
    },
  };
}

function partOf(part: Part, path: string, { home, degraded }: Writer): JsonObject | null {
  switch (part.type) {
    case "text":
      if (part.signature !== undefined) return { text: "", thoughtSignature: part.signature };
      return part.text === "" ? null : { text: part.text };
    case "refusal":
      return part.text === "" ? null : { text: part.text };
    case "image":
      return mediaOf(part.source, "An image", path);
    case "file":
      return mediaOf(part.source, "A file", path, part.filename);
    case "audio":
      if (part.data === "") throw unsupported("Audio kept at another provider", path);
      return { inlineData: { mimeType: audioType(part.format), data: part.data } };
    case "thinking":
      if (!home) degraded.add("thinking");
      return home ? { text: part.text, thought: true } : null;
    case "native": {
      if (part.dialect === "gemini") return part.value;
      const type = part.value["type"];
      const named = typeof type === "string" ? type : "unknown";
      throw unsupported(`A content part of type '${named}'`, path);
    }
    default:
      return null;
  }
}

function mediaOf(source: MediaSource, what: string, path: string, filename?: string): JsonObject {
  switch (source.type) {
    case "data":
      return { inlineData: { mimeType: source.mediaType, data: source.data } };
    case "url": {
      const mimeType = typeByName(source.url) ?? (filename && typeByName(filename));
      return { fileData: { ...(mimeType && { mimeType }), fileUri: source.url } };
    }
    case "id":
      throw unsupported(`${what} kept at another provider`, path);
  }
}
