/** Something wrong with, or worth knowing of, a document; `error`s refuse it. */
export interface Fault {
  severity: "error" | "warning";
  /** What kind of fault, for machines: `unknown_signal`, `missing_target`, … */
  code: string;
  file: string;
  /** From 1. */
  line: number;
  column: number;
  /** How many characters are meant; at least 1. */
  length: number;
  message: string;
  /** The line of the document that is meant. */
  source: string;
}

/** A fault as compilers print it: place, message, the line and a caret under what is meant. */
export function faultText(fault: Fault): string {
  const { file, line, column, severity, message, source } = fault;
  const head = `${file}:${line}:${column}: ${severity === "error" ? "" : "warning: "}${message}`;
  if (source.trim() === "") return head;
  const number = String(line).padStart(4);
  const before = source.slice(0, column - 1).replaceAll(/[^\t]/g, " ");
  const length = Math.max(1, Math.min(fault.length, source.length - column + 1));
  return `${head}\n${number} | ${source}\n${" ".repeat(4)} | ${before}${"^".repeat(length)}`;
}
