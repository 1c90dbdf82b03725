import { isJsonObject, scanJson, spliceJson } from "../../core/json.ts";
import { objectIn } from "../answers.ts";
import { extensionRewrites } from "../extensions.ts";
import { parsed } from "../fields.ts";
import type { Verbatim } from "../protocol.ts";
import { withData } from "../sse.ts";

/**
 * The rules of PROTOCOLS 1 for Google at both ends. The model stands in the URL, so the body only loses what is the
 * gateway's own; usage is in every chunk, so none is ever asked for.
 */
export const verbatim: Verbatim = {
  request(text, scan, body, target) {
    const { set, remove } = extensionRewrites(body, text, scan, () => "all");
    if (target.outputLimit !== undefined) {
      const name = "generation_config" in body ? "generation_config" : "generationConfig";
      const { max_output_tokens: _, ...own } = objectIn(body[name]) ?? {};
      set[name] = JSON.stringify({ ...own, maxOutputTokens: target.outputLimit });
    }
    return { text: spliceJson(text, scan.members, set, remove), injectedUsage: false, lost: [] };
  },

  block(raw, event, { meta }) {
    if (event === null || !meta || !event.data.includes('"finishReason"')) return raw;
    const chunk = parsed(event.data);
    if (!isJsonObject(chunk) || !objectIn(chunk["usageMetadata"])) return raw;
    const routero = { routero: JSON.stringify(meta()) };
    const { members } = scanJson(event.data);
    return withData(raw, event, spliceJson(event.data, members, routero, new Set()));
  },
};
