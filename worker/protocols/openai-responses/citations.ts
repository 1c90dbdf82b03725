import type { Json } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { annotationsOf } from "../openai-chat/citations.ts";
import { others } from "../fields.ts";

const TYPE = new Set(["type"]);

/** An annotation as the canonical form holds it: URL citations nested as chat completions nest them. */
export function readAnnotation(annotation: Json): Json {
  const from = objectIn(annotation);
  if (from?.["type"] !== "url_citation" || from["url_citation"] !== undefined) return annotation;
  return { type: "url_citation", url_citation: others(from, TYPE) };
}

/** A citation of any dialect as annotations, over the text from `start` to `end` where it says no place. */
export function writeAnnotations(citation: Json, start: number, end: number): Json[] {
  const from = objectIn(citation);
  const own = from?.["type"] === "file_citation" || from?.["type"] === "container_file_citation";
  if (own || from?.["type"] === "file_path") return [citation];
  return annotationsOf(citation, start, end).map((each) => {
    const named = objectIn(objectIn(each)?.["url_citation"]);
    return named ? { type: "url_citation", ...named } : each;
  });
}
