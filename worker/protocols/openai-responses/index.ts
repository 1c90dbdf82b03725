import { readFault } from "../faults.ts";
import { encodeError } from "../openai-chat/errors.ts";
import { OPENAI_LIMITS } from "../limits.ts";
import type { Dialect } from "../protocol.ts";
import { EVENT_STREAM } from "../sse.ts";
import { buildRequest } from "./build.ts";
import { encodeStreamError } from "./errors.ts";
import { parseRequest } from "./request.ts";
import { encodeResponse, parseResponse } from "./response.ts";
import { ResponseStreamEncoder } from "./stream-encoder.ts";
import { ResponseStreamParser } from "./stream.ts";
import { verbatim } from "./verbatim.ts";

/** OpenAI Responses. */
export const openaiResponses: Dialect = {
  name: "openai-responses",
  client: {
    parseRequest,
    encodeResponse,
    streamType: () => EVENT_STREAM,
    encodeStream: (options) => new ResponseStreamEncoder(options),
    encodeError,
    encodeStreamError,
    keepAlive: () => ": keepalive\n\n",
  },
  provider: {
    path: () => "/responses",
    framing: () => "sse",
    headers: {},
    limits: OPENAI_LIMITS,
    passHeaders: ["openai-beta"],
    toolNames: { most: 64, strange: /[^\w-]/g },
    buildRequest,
    parseResponse,
    parseStream: () => new ResponseStreamParser(),
    parseError: readFault,
    verbatim,
  },
};
