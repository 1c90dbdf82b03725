import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import type { Document, Node, YAMLMap, YAMLSeq } from "yaml";
import { nodesOf, short, Source } from "./document.ts";

/** Larger documents are refused unread. */
const MOST_DOCUMENT = 256 * 1024;
const MOST_DEPTH = 24;
/** Names, values, lists and maps, those that aliases stand for included. */
const MOST_VALUES = 20_000;

/**
 * Reads a text as YAML 1.2 with plain JSON values: no tags, no merge keys, few aliases. A text may hold two documents, a
 * policy and its tests. Whatever is wrong with the YAML itself is a fault of the first source.
 */
export function readYaml(file: string, text: string): Source[] {
  const lines = new LineCounter();
  if (text.length > MOST_DOCUMENT) {
    const source = new Source(file, text.slice(0, 200), lines, null);
    lines.addNewLine(0);
    source.errorAt(0, 1, "too_large", `a document has at most ${MOST_DOCUMENT / 1024} KB`);
    return [source];
  }
  const documents = parsedOrNull(text, {
    lineCounter: lines,
    version: "1.2",
    schema: "core",
    merge: false,
    customTags: null,
    // The parser compares each name of a map with all others; `refuseTwice` looks it up.
    uniqueKeys: false,
    prettyErrors: false,
    stringKeys: false,
    logLevel: "silent",
  });
  if (lines.lineStarts.length === 0) lines.addNewLine(0);
  if (documents === null) {
    const source = new Source(file, text, lines, null);
    source.errorAt(0, 1, "yaml", "not YAML: nested too deep to be read");
    return [source];
  }
  if (documents.length === 0) {
    const source = new Source(file, text, lines, null);
    source.errorAt(0, 1, "empty", "the document is empty");
    return [source];
  }
  return documents.map((document, index) => {
    const source = new Source(file, text, lines, document);
    for (const error of [...document.errors, ...document.warnings]) {
      const { at, length, message } = plainYamlError(error, document);
      source.errorAt(at, length, "yaml", message);
    }
    if (index === 0) refuseInvisible(source, text);
    if (!source.refused) refuseTwice(source);
    if (!source.refused) boundAliases(source);
    return source;
  });
}

/** The parser walks nesting on the stack, which hostile text can exhaust. */
function parsedOrNull(
  text: string,
  options: Parameters<typeof parseAllDocuments>[1],
): Document.Parsed[] | null {
  try {
    const parsed = parseAllDocuments(text, options);
    return Array.isArray(parsed) ? parsed : [];
  } catch (cause) {
    if (cause instanceof RangeError) return null;
    throw cause;
  }
}

/** Characters that a reviewer does not see, and that make two texts unlike: spaces of no width, turns of direction. */
const INVISIBLE =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]/gu;

function refuseInvisible(source: Source, text: string): void {
  for (const { index, 0: found } of text.matchAll(INVISIBLE)) {
    // A mark of the byte order is how some editors begin a file.
    if (index === 0 && found === "\ufeff") continue;
    const code = found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    const told = `a character that nobody sees stands here (U+${code}): take it out`;
    source.errorAt(index, 1, "bad_text", told);
  }
}

/** Of two values under one name the reader would take the last, and who wrote the first would not know. */
function refuseTwice(source: Source): void {
  for (const node of nodesOf(source.root)) {
    if (!isMap(node)) continue;
    const lines = new Map<string, number>();
    for (const { key } of (node as YAMLMap<Node, Node | null>).items) {
      const name = source.scalar(key);
      if (typeof name !== "string") continue;
      const line = lines.get(name);
      if (line === undefined) lines.set(name, source.lineOf(key));
      else {
        const told = `'${short(name)}' stands in this map already, in line ${line}`;
        source.error(key, "yaml", told);
      }
    }
  }
}

/** Aliases are followed wherever they stand: what they unfold to is bounded before anything follows them. */
function boundAliases(source: Source): void {
  for (const node of nodesOf(source.root)) {
    if (isAlias(node) && source.resolve(node) === null)
      source.error(node, "yaml", `nothing above this is called '&${short(node.source)}'`);
  }
  let budget = MOST_VALUES;
  const walk = (node: Node | null, depth: number): void => {
    if (--budget < 0 || depth > MOST_DEPTH || node === null) return;
    const found = source.resolve(node);
    if (isMap(found)) {
      for (const { key, value } of (found as YAMLMap<Node, Node | null>).items) {
        walk(key, depth + 1);
        walk(value, depth + 1);
      }
    } else if (isSeq(found)) {
      for (const each of (found as YAMLSeq<Node | null>).items) walk(each, depth + 1);
    }
    if (depth === MOST_DEPTH) {
      source.error(node, "too_large", `the document is nested deeper than ${MOST_DEPTH} levels`);
    }
  };
  walk(source.root, 0);
  if (budget < 0)
    source.error(source.root, "too_large", `the document has more than ${MOST_VALUES} values`);
}

/** What a fault of the YAML says, and where: what a newcomer most often meant is said with it. */
function plainYamlError(
  { code, message, pos }: { code: string; message: string; pos: [number, number] },
  document: Document.Parsed,
): { at: number; length: number; message: string } {
  const [at, end] = pos;
  const told = (text: string) => ({ at, length: end - at, message: text });
  if (code === "RESOURCE_EXHAUSTION") return told("not YAML: nested too deep to be read");
  const text = message.split("\n", 1)[0] ?? "";
  if (code === "MISSING_CHAR" && text.startsWith("Missing closing")) {
    return {
      at: lastQuote(document) ?? at,
      length: 1,
      message: "not YAML: this quote is never closed",
    };
  }
  const advice = ADVICE.find(([of, part]) => of === code && text.includes(part))?.[2] ?? "";
  return told(`not YAML: ${text.charAt(0).toLowerCase()}${text.slice(1, 200)}${advice}`);
}

const ADVICE: readonly (readonly [code: string, part: string, advice: string])[] = [
  ["TAB_AS_INDENT", "", "; use spaces"],
  ["TAG_RESOLVE_FAILED", "", "; a text that begins with '!' stands in quotes"],
  ["BLOCK_AS_IMPLICIT_KEY", "Nested", "; a text with ': ' in it stands in quotes"],
  ["BLOCK_IN_FLOW", "", "; a text with ': ' in it stands in quotes"],
  [
    "UNEXPECTED_TOKEN",
    "at node end",
    `; a text that begins with a quote stands in other quotes as a whole, as '"a" in identity.groups'`,
  ],
];

/** Where the last text in quotes begins. */
function lastQuote(document: Document.Parsed): number | null {
  let last: number | null = null;
  for (const node of nodesOf(document.contents)) {
    if (isScalar(node) && node.type?.startsWith("QUOTE") === true) last = node.range?.[0] ?? last;
  }
  return last;
}
