import { isMap, isSeq, LineCounter, parseAllDocuments } from "yaml";
import type { Document, Node, YAMLMap, YAMLSeq } from "yaml";
import { Source } from "./document.ts";

/** Larger documents are refused unread. */
const MOST_DOCUMENT = 256 * 1024;
const MOST_DEPTH = 24;

/**
 * Reads a text as YAML 1.2 with plain JSON values: no tags, no merge keys, few aliases. A text may hold two documents, a
 * policy and its tests. Whatever is wrong with the YAML itself is a fault of the first source.
 */
export function readYaml(file: string, text: string, testFile: string): Source[] {
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
    uniqueKeys: true,
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
    const start = document.range?.[0] ?? 0;
    const marked = text.startsWith("---", start) ? 1 : 0;
    const before = index === 0 ? 0 : lines.linePos(start).line - 1 + marked;
    const source = new Source(index === 0 ? file : testFile, text, lines, document, before);
    for (const error of document.errors) {
      source.errorAt(error.pos[0], error.pos[1] - error.pos[0], "yaml", plainYamlError(error));
    }
    for (const error of document.warnings) {
      source.errorAt(error.pos[0], error.pos[1] - error.pos[0], "yaml", plainYamlError(error));
    }
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

/** Aliases are followed wherever they stand: what they unfold to is bounded before anything follows them. */
function boundAliases(source: Source): void {
  let budget = 20_000;
  const visit = (node: Node | null, depth: number): void => {
    if (--budget < 0 || depth > MOST_DEPTH || node === null) return;
    const found = source.resolve(node);
    if (isMap(found)) {
      for (const { key, value } of (found as YAMLMap<Node, Node | null>).items) {
        visit(key, depth + 1);
        visit(value, depth + 1);
      }
    } else if (isSeq(found)) {
      for (const each of (found as YAMLSeq<Node | null>).items) visit(each, depth + 1);
    }
    if (depth === MOST_DEPTH) {
      source.error(node, "too_large", `the document is nested deeper than ${MOST_DEPTH} levels`);
    }
  };
  visit(source.root, 0);
  if (budget < 0) source.error(source.root, "too_large", "the document has too many values");
}

function plainYamlError(error: { code: string; message: string }): string {
  if (error.code === "DUPLICATE_KEY") return "this name stands in the map already";
  const text = error.message.split("\n", 1)[0] ?? "";
  return `not YAML: ${text.charAt(0).toLowerCase()}${text.slice(1, 200)}`;
}
