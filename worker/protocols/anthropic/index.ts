import { readFault } from "../faults.ts";
import type { Protocol } from "../protocol.ts";
import { sseText } from "../sse.ts";
import { buildRequest } from "./build.ts";
import { encodeError, encodeStreamError } from "./errors.ts";
import { parseRequest } from "./request.ts";
import { encodeResponse, parseResponse } from "./response.ts";
import { MessageStreamEncoder } from "./stream-encoder.ts";
import { MessageStreamParser } from "./stream.ts";
import { verbatim } from "./verbatim.ts";

/** Anthropic Messages. */
export const anthropic: Protocol = {
  name: "anthropic",
  client: {
    parseRequest,
    encodeResponse,
    encodeStream: (options) => new MessageStreamEncoder(options),
    encodeError,
    encodeStreamError,
    keepAlive: sseText({ event: "ping", data: '{"type":"ping"}' }),
  },
  provider: {
    path: (baseUrl) => (/\/v1\/*$/.test(baseUrl) ? "/messages" : "/v1/messages"),
    // The version of 2026-10-21 refuses sampling parameters outright; this one leaves that to the model.
    headers: { "anthropic-version": "2023-06-01" },
    passHeaders: ["anthropic-version", "anthropic-beta"],
    buildRequest,
    parseResponse,
    parseStream: () => new MessageStreamParser(),
    parseError: readFault,
    verbatim,
  },
};
