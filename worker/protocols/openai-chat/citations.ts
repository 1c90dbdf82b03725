import type { Json } from "../../core/json.ts";
import { objectIn, stringOf, textOf } from "../answers.ts";

/**
 * A citation as OpenAI's annotations: its own as they are, any other that names a URL as a `url_citation` over the
 * cited text; one that only names a place in a document has no counterpart.
 */
export function annotationsOf(citation: Json, start: number, end: number): Json[] {
  const from = objectIn(citation);
  if (!from) return [];
  if (from["type"] === "url_citation") return [citation];
  const url = textOf(from["url"]);
  if (url === undefined) return [];
  return [
    {
      type: "url_citation",
      url_citation: {
        start_index: start,
        end_index: end,
        url,
        title: stringOf(from["title"]) ?? "",
      },
    },
  ];
}
