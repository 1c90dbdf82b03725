import { segment } from "../path.ts";
import type { Destination, Dialect } from "../protocol.ts";
import { EVENT_STREAM } from "../sse.ts";
import { buildRequest } from "./build.ts";
import { encodeError, encodeStreamError, parseError } from "./errors.ts";
import { parseRequest } from "./request.ts";
import { encodeResponse, parseResponse } from "./response.ts";
import { ContentStreamEncoder } from "./stream-encoder.ts";
import { ContentStreamParser } from "./stream.ts";
import { verbatim } from "./verbatim.ts";

function path({ baseUrl, model, stream, array }: Destination): string {
  const version = /\/v\d\w*$/.test(baseUrl) ? "" : "/v1beta";
  const [, folder = "models", name = model] = /^(models|tunedModels)\/(.+)$/.exec(model) ?? [];
  const call = stream ? `streamGenerateContent${array ? "" : "?alt=sse"}` : "generateContent";
  return `${version}/${folder}/${segment(name)}:${call}`;
}

/** Google's generateContent, of the Gemini API and of Vertex AI. */
export const gemini: Dialect = {
  name: "gemini",
  client: {
    parseRequest,
    encodeResponse,
    streamType: ({ array }) => (array ? "application/json; charset=utf-8" : EVENT_STREAM),
    encodeStream: (options) => new ContentStreamEncoder(options),
    encodeError,
    encodeStreamError,
    keepAlive: ({ array }) => (array ? "\n" : ": keepalive\n\n"),
  },
  provider: {
    path,
    countPath: (to) => path({ ...to, stream: false }).replace(/:generateContent$/, ":countTokens"),
    framing: ({ array }) => (array ? "json-array" : "sse"),
    headers: {},
    passHeaders: [],
    toolNames: { most: 64, strange: /[^\w.:-]/g },
    buildRequest,
    parseResponse,
    parseStream: () => new ContentStreamParser(),
    parseError,
    verbatim,
  },
};
