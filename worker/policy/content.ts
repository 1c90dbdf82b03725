import type { ChatRequest, Part, Tool } from "../core/chat.ts";
import { isJsonObject, type Json } from "../core/json.ts";

// What a policy may ask of a request's content without any detector of its own: each one pass over the text, in linear
// time and bounded, so that a long prompt costs no more than a few hundred microseconds.

/** Characters of the last user message that its language is read from. */
const LANGUAGE_SAMPLE = 4_000;
/** Characters at either end of the messages that are searched for code. */
const CODE_SAMPLE = 32_000;

/** The texts of a chat's messages, in order; tool results included. */
function textsOf(parts: readonly Part[], into: string[]): string[] {
  for (const part of parts) {
    if (part.type === "text") into.push(part.text);
    else if (part.type === "toolResult") textsOf(part.parts, into);
  }
  return into;
}

/** What the types of parts that only one dialect knows are made of. */
const KINDS: readonly (readonly [kind: string, types: RegExp])[] = [
  ["text", /^(?:input_|output_)?text$/],
  ["image", /image|screenshot/],
  ["audio", /audio/],
  ["file", /video|file(?!_search)|document|upload/],
];

/** The same of a part that only one dialect knows, by the types that stand in it at any depth. */
function kindsIn(value: Json | undefined, found: Set<string>): void {
  if (Array.isArray(value)) for (const each of value) kindsIn(each, found);
  if (!isJsonObject(value)) return;
  const { type } = value;
  if (typeof type === "string")
    for (const [kind, types] of KINDS) if (types.test(type)) found.add(kind);
  for (const each of Object.values(value)) kindsIn(each, found);
}

/** What the messages are made of: `text`, `image`, `audio`, `file`, in this order. */
export function modalitiesOf(chat: Pick<ChatRequest, "messages">): string[] {
  const found = new Set<string>();
  const visit = (parts: readonly Part[]): void => {
    for (const part of parts) {
      if (
        part.type === "text" ||
        part.type === "image" ||
        part.type === "audio" ||
        part.type === "file"
      ) {
        found.add(part.type);
      } else if (part.type === "toolResult") visit(part.parts);
      else if (part.type === "native") kindsIn(part.value, found);
    }
  };
  for (const { parts } of chat.messages) visit(parts);
  return ["text", "image", "audio", "file"].filter((each) => found.has(each));
}

/** Kinds of tools that hold what they offer, in the dialects whose other kinds are each a tool by itself. */
const HOLDERS: ReadonlySet<unknown> = new Set(["custom", "namespace"]);

/**
 * Names of the tools that a request offers, in whichever member of its dialect; null where it offers none. What a tool
 * may be called by is all listed, so that no spelling of it hides another.
 */
export function toolNames(chat: Pick<ChatRequest, "tools" | "extra">): string[] | null {
  const { mcp_servers: servers, web_search_options: search } = chat.extra;
  const names = [
    ...chat.tools.flatMap((tool) => (tool.type === "function" ? [tool.name] : nativeNames(tool))),
    ...(isJsonObject(search) ? ["web_search"] : []),
    ...(Array.isArray(servers) ? servers.flatMap((each) => ["mcp", ...named(each)]) : []),
  ];
  return names.length === 0 ? null : [...new Set(names)];
}

function nativeNames({ dialect, value }: Extract<Tool, { type: "native" }>): string[] {
  // Google's are told by the one member that they have, in either spelling.
  if (dialect === "gemini") {
    return Object.keys(value).map((key) =>
      key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    );
  }
  const { type, custom, function: held, tools } = value;
  const inner = Array.isArray(tools) ? tools : [];
  const names = [value, custom, held].flatMap(named);
  names.push(
    ...inner.flatMap((each) =>
      isJsonObject(each) ? nativeNames({ type: "native", dialect, value: each }) : [],
    ),
  );
  const kind = typeof type === "string" ? type : "native";
  const itself = dialect.startsWith("openai") && !HOLDERS.has(type) && type !== "function";
  return names.length === 0 || itself ? [kind, ...names] : names;
}

function named(from: Json | undefined): string[] {
  const name = isJsonObject(from) ? from["name"] : undefined;
  return typeof name === "string" ? [name] : [];
}

/** Lines that begin like this are code in most of the languages that people paste. */
const CODE_STARTS =
  /^(?:import |from \S+ import |def |class |function |const |let |var |public |private |package |fn |func |#include|using |return\b|if \(|for \(|while \(|SELECT |INSERT |UPDATE |CREATE TABLE|<\?php|<!DOCTYPE|<html|curl |\$ |@\w+\(?|async )/;

/** True for a fenced block, or for several lines that read like code. */
export function hasCode(chat: Pick<ChatRequest, "messages">): boolean {
  for (const { parts } of chat.messages) {
    for (const text of textsOf(parts, [])) {
      const sample =
        text.length > 2 * CODE_SAMPLE
          ? `${text.slice(0, CODE_SAMPLE)}\n${text.slice(-CODE_SAMPLE)}`
          : text;
      if (sample.includes("```")) return true;
      if (codeLines(sample) >= 2) return true;
    }
  }
  return false;
}

function codeLines(text: string): number {
  let found = 0;
  for (let start = 0; start < text.length && found < 2;) {
    const end = text.indexOf("\n", start);
    const line = text
      .slice(start, end < 0 ? text.length : end)
      .trim()
      .slice(0, 200);
    const last = line.at(-1);
    const closes = (last === ";" || last === "{" || last === "}") && /[=(){}<>:]/.test(line);
    if (CODE_STARTS.test(line) ? /[=(){};:<]/.test(line) : closes) found++;
    if (end < 0) break;
    start = end + 1;
  }
  return found;
}

/** Scripts that stand for one language, by their ranges of characters. */
const SCRIPTS: readonly (readonly [string, number, number])[] = [
  ["ja", 0x3040, 0x30ff],
  ["ko", 0xac00, 0xd7af],
  ["zh", 0x4e00, 0x9fff],
  ["ru", 0x0400, 0x04ff],
  ["el", 0x0370, 0x03ff],
  ["he", 0x0590, 0x05ff],
  ["ar", 0x0600, 0x06ff],
  ["hi", 0x0900, 0x097f],
  ["th", 0x0e00, 0x0e7f],
];

/** Common short words that few other languages share. */
const WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  en: wordSet(
    "the and of to is you that it for was are with have this what how please can be not write do",
  ),
  de: wordSet(
    "der die das und ist ich nicht ein eine mit für auf wie was zu den dem von bitte kann sie wir",
  ),
  fr: wordSet(
    "le les des et est une pour que qui dans pas avec sur vous nous je comment écris du ce cette",
  ),
  es: wordSet(
    "el los las y es una para que con por cómo qué escribe del al no se mi por favor este esta",
  ),
  it: wordSet(
    "il gli che è una per con non come sono della scrivi di questo perché anche nel alla le",
  ),
  pt: wordSet(
    "o os e é uma para que com não como você escreva do da em por favor isso este mais ao",
  ),
  nl: wordSet("het een en van is niet dat ik op voor met zijn wat hoe je schrijf deze kan aan de"),
  pl: wordSet("i w na się nie że jest do jak co dla proszę napisz to czy od przez z oraz"),
  sv: wordSet("och att det är en ett som på inte jag för med hur vad skriv den av kan till"),
  tr: wordSet("ve bir bu için ile nasıl ne değil mi ben çok daha olarak yaz lütfen da de"),
};

/** Every language that can be told, by its code. */
export const LANGUAGES: readonly string[] = [
  ...Object.keys(WORDS),
  ...SCRIPTS.map(([name]) => name),
];

function wordSet(text: string): ReadonlySet<string> {
  return new Set(text.split(" "));
}

/** The language of the last user message, by its script or its common words; null where neither tells. */
export function languageOf(chat: Pick<ChatRequest, "messages">): string | null {
  const last = chat.messages.findLast(({ role }) => role === "user");
  const text = textsOf(last?.parts ?? [], [])
    .join("\n")
    .slice(0, LANGUAGE_SAMPLE);
  const counts = new Map<string, number>();
  let letters = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x0370) {
      if ((unit | 32) >= 97 && (unit | 32) <= 122) letters++;
      continue;
    }
    for (const [name, from, to] of SCRIPTS) {
      if (unit < from || unit > to) continue;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      break;
    }
  }
  const [script, units] = [...counts].toSorted(([, a], [, b]) => b - a)[0] ?? ["", 0];
  // A letter of these scripts carries more than a Latin one does. Japanese is written with Chinese characters too.
  if (units * 3 > letters)
    return script === "zh" && (counts.get("ja") ?? 0) * 10 > units ? "ja" : script;
  return byWords(text);
}

function byWords(text: string): string | null {
  const words = text.toLowerCase().split(/[^\p{L}]+/u);
  let best: string | null = null;
  let most = 1;
  for (const [name, known] of Object.entries(WORDS)) {
    const hits = words.reduce((sum, word) => sum + (known.has(word) ? 1 : 0), 0);
    if (hits > most) {
      most = hits;
      best = name;
    }
  }
  return best;
}
