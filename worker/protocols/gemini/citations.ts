import type { Json, JsonObject } from "../../core/json.ts";
import { objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { member } from "./names.ts";

/** What a candidate cites, as URL citations over its text: sources of recitations, and pages that grounded it. */
export function readCitations(candidate: JsonObject): Json[] {
  const sources = objectIn(member(candidate, "citationMetadata"));
  const cited = [...objectsIn(sources?.["citationSources"]), ...objectsIn(sources?.["citations"])];
  const grounding = objectIn(member(candidate, "groundingMetadata"));
  const chunks = objectsIn(grounding?.["groundingChunks"]).map((chunk) => objectIn(chunk["web"]));
  const supports = objectsIn(grounding?.["groundingSupports"]).flatMap((support) => {
    const segment = objectIn(support["segment"]) ?? {};
    const indexes = support["groundingChunkIndices"];
    return (Array.isArray(indexes) ? indexes : []).flatMap((index) => {
      const page = typeof index === "number" ? chunks[index] : undefined;
      return page ? citation(page, segment["startIndex"], segment["endIndex"]) : [];
    });
  });
  return [
    ...cited.flatMap((each) => citation(each, each["startIndex"], each["endIndex"])),
    ...supports,
  ];
}

function citation(page: JsonObject, start: Json | undefined, end: Json | undefined): Json[] {
  const url = textOf(page["uri"]);
  if (url === undefined) return [];
  return [
    {
      type: "url_citation",
      url_citation: {
        start_index: typeof start === "number" ? start : 0,
        end_index: typeof end === "number" ? end : 0,
        url,
        title: stringOf(page["title"]) ?? "",
      },
    },
  ];
}

/** URL citations of any dialect as Google's `citationMetadata`; undefined where there are none. */
export function writeCitations(citations: readonly Json[]): JsonObject | undefined {
  const sources = citations.flatMap((each): JsonObject[] => {
    const from = objectIn(each) ?? {};
    const named = objectIn(from["url_citation"]) ?? from;
    const uri = textOf(named["url"]);
    if (uri === undefined) return [];
    return [
      {
        startIndex: named["start_index"] ?? 0,
        endIndex: named["end_index"] ?? 0,
        uri,
        title: stringOf(named["title"]) ?? "",
      },
    ];
  });
  return sources.length === 0 ? undefined : { citationSources: sources };
}
