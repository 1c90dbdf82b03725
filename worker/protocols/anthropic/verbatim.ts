import { isJsonObject, scanJson, spliceJson } from "../../core/json.ts";
import type { Json } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { extensionRewrites } from "../extensions.ts";
import { parsed } from "../fields.ts";
import { mayHold, withoutForeign } from "./foreign.ts";
import type { Verbatim } from "../protocol.ts";
import { withData } from "../sse.ts";

/** Anthropic takes a user id and nothing else; the rest of `metadata` is the gateway's. */
function keptHere(metadata: Json): ReadonlySet<string> | "all" {
  if (!isJsonObject(metadata)) return "all";
  return new Set(Object.keys(metadata).filter((name) => name !== "user_id"));
}

/** The rules of PROTOCOLS 1 for Messages at both ends. Usage is always in the stream, so none is ever injected. */
export const verbatim: Verbatim = {
  request(text, scan, body, target) {
    const { set, remove } = extensionRewrites(body, text, scan, keptHere);
    set["model"] = JSON.stringify(target.model);
    if (target.outputLimit !== undefined) set["max_tokens"] = String(target.outputLimit);
    const kept = mayHold(text) ? withoutForeign(body) : null;
    if (kept !== null) set["messages"] = JSON.stringify(kept);
    return {
      text: spliceJson(text, scan.members, set, remove),
      injectedUsage: false,
      lost: kept === null ? [] : ["thinking"],
    };
  },

  block(raw, event, { meta }) {
    if (event === null || !meta || !event.data.includes('"message_delta"')) return raw;
    const message = parsed(event.data);
    if (!isJsonObject(message) || message["type"] !== "message_delta") return raw;
    if (!objectIn(message["usage"])) return raw;
    const routero = { routero: JSON.stringify(meta()) };
    const { members } = scanJson(event.data);
    return withData(raw, event, spliceJson(event.data, members, routero, new Set()));
  },
};
