import { isJsonObject, scanJson, spliceJson } from "../../core/json.ts";
import { LEAST_OUTPUT } from "../../core/least-output.ts";
import { objectIn } from "../answers.ts";
import { extensionRewrites } from "../extensions.ts";
import { parsed } from "../fields.ts";
import type { Verbatim } from "../protocol.ts";
import { keptHere } from "./metadata.ts";
import { withData } from "../sse.ts";

/** The least limit of an answer that the provider takes. */
export const LEAST = LEAST_OUTPUT["openai-responses"] ?? 1;

/** The rules of PROTOCOLS 1 for Responses at both ends. Usage is always in the last event. */
export const verbatim: Verbatim = {
  request(text, scan, body, target) {
    const { set, remove } = extensionRewrites(body, text, scan, keptHere);
    set["model"] = JSON.stringify(target.model);
    if (target.outputLimit !== undefined) {
      set["max_output_tokens"] = String(Math.max(target.outputLimit, LEAST));
    }
    return { text: spliceJson(text, scan.members, set, remove), injectedUsage: false, lost: [] };
  },

  block(raw, event, { meta }) {
    if (event === null || !meta || !/"response\.(completed|incomplete)"/.test(event.data)) {
      return raw;
    }
    const last = parsed(event.data);
    if (!isJsonObject(last) || !objectIn(objectIn(last["response"])?.["usage"])) return raw;
    const routero = { routero: JSON.stringify(meta()) };
    const { members } = scanJson(event.data);
    return withData(raw, event, spliceJson(event.data, members, routero, new Set()));
  },
};
