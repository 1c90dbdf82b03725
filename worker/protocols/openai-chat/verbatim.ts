import { isJsonObject, memberText, scanJson, spliceJson } from "../../core/json.ts";
import type { JsonObject, JsonScan } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { extensionRewrites } from "../extensions.ts";
import { parsed } from "../fields.ts";
import type { Target, Verbatim } from "../protocol.ts";
import { withData } from "../sse.ts";
import { mayHold, withoutForeign } from "./foreign.ts";
import { keptHere } from "./metadata.ts";

const NO_BYTES = new Uint8Array(0);
const USAGE: ReadonlySet<string> = new Set(["usage"]);
const UNCHANGED: ReturnType<typeof withoutForeign> = { changed: {}, lost: [] };

/** The rules of PROTOCOLS 1 for chat completions at both ends. */
export const verbatim: Verbatim = {
  hasLastWords: true,

  request(text, scan, body, target) {
    const { set, remove } = extensionRewrites(body, text, scan, keptHere);
    set["model"] = JSON.stringify(target.model);
    if (target.outputLimit !== undefined) {
      const sent = ["max_completion_tokens", "max_tokens"].find((name) => name in body);
      const name = sent ?? target.facts.quirks?.tokenLimit ?? "max_tokens";
      set[name] = String(target.outputLimit);
    }
    const injectedUsage = needsUsage(body, target);
    if (injectedUsage) {
      set["stream_options"] = withIncludeUsage(memberText(text, scan, "stream_options"), body);
    }
    const { refuses = [] } = target;
    const { changed, lost } = mayHold(text, refuses) ? withoutForeign(body, refuses) : UNCHANGED;
    for (const name of Object.keys(changed)) set[name] = JSON.stringify(changed[name]);
    return { text: spliceJson(text, scan.members, set, remove), injectedUsage, lost };
  },

  block(raw, event, { injectedUsage, meta }) {
    if (event === null || (!injectedUsage && !meta) || !event.data.includes('"usage"')) return raw;
    const chunk = parsed(event.data);
    if (!isJsonObject(chunk)) return raw;
    const usage = objectIn(chunk["usage"]);
    const scan: JsonScan = scanJson(event.data);
    if (injectedUsage && !meta) {
      if (usage && isEmptyList(chunk["choices"])) return NO_BYTES;
      if (chunk["usage"] !== null) return raw;
      return withData(raw, event, spliceJson(event.data, scan.members, {}, USAGE));
    }
    if (!meta || !usage || !isLast(chunk)) return raw;
    const routero = { routero: JSON.stringify(meta()) };
    return withData(raw, event, spliceJson(event.data, scan.members, routero, new Set()));
  },
};

function needsUsage(body: JsonObject, target: Target): boolean {
  if (body["stream"] !== true || target.streamUsage !== "include_usage") return false;
  return objectIn(body["stream_options"])?.["include_usage"] !== true;
}

function withIncludeUsage(text: string, body: JsonObject): string {
  if (!isJsonObject(body["stream_options"])) return '{"include_usage":true}';
  return spliceJson(text, scanJson(text).members, { include_usage: "true" }, new Set());
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** No later chunk brings usage: this one has no choices, or finishes the ones it has. */
function isLast(chunk: JsonObject): boolean {
  const { choices } = chunk;
  if (!Array.isArray(choices)) return true;
  return choices.every((choice) => typeof objectIn(choice)?.["finish_reason"] === "string");
}
