import { readFault } from "../faults.ts";
import { ANTHROPIC_LIMITS } from "../limits.ts";
import type { Destination, Dialect } from "../protocol.ts";
import { EVENT_STREAM, sseText } from "../sse.ts";
import { buildRequest } from "./build.ts";
import { encodeError, encodeStreamError } from "./errors.ts";
import { parseRequest } from "./request.ts";
import { encodeResponse, parseResponse } from "./response.ts";
import { MessageStreamEncoder } from "./stream-encoder.ts";
import { MessageStreamParser } from "./stream.ts";
import { verbatim } from "./verbatim.ts";

function path({ baseUrl }: Destination): string {
  return /\/v1\/*$/.test(baseUrl) ? "/messages" : "/v1/messages";
}

/** Anthropic Messages. */
export const anthropic: Dialect = {
  name: "anthropic",
  client: {
    parseRequest,
    encodeResponse,
    streamType: () => EVENT_STREAM,
    encodeStream: (options) => new MessageStreamEncoder(options),
    encodeError,
    encodeStreamError,
    keepAlive: () => sseText({ event: "ping", data: '{"type":"ping"}' }),
  },
  provider: {
    path,
    countPath: (to) => `${path(to)}/count_tokens`,
    framing: () => "sse",
    // The version of 2026-10-21 refuses sampling parameters outright; this one leaves that to the model.
    headers: { "anthropic-version": "2023-06-01" },
    limits: ANTHROPIC_LIMITS,
    passHeaders: ["anthropic-version", "anthropic-beta"],
    toolNames: { most: 128, strange: /[^\w-]/g },
    buildRequest,
    parseResponse,
    parseStream: () => new MessageStreamParser(),
    parseError: readFault,
    verbatim,
  },
};
