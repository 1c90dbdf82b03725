import { readFault } from "../faults.ts";
import { OPENAI_LIMITS } from "../limits.ts";
import type { Dialect } from "../protocol.ts";
import { EVENT_STREAM } from "../sse.ts";
import { buildRequest } from "./build.ts";
import { encodeError, encodeStreamError } from "./errors.ts";
import { parseRequest } from "./request.ts";
import { encodeResponse, parseResponse } from "./response.ts";
import { ChatStreamEncoder } from "./stream-encoder.ts";
import { ChatStreamParser } from "./stream.ts";
import { verbatim } from "./verbatim.ts";

/** OpenAI chat completions, and whoever is compatible with them. */
export const openaiChat: Dialect = {
  name: "openai-chat",
  client: {
    parseRequest,
    encodeResponse,
    streamType: () => EVENT_STREAM,
    encodeStream: (options) => new ChatStreamEncoder(options),
    encodeError,
    encodeStreamError,
    keepAlive: () => ": keepalive\n\n",
  },
  provider: {
    path: () => "/chat/completions",
    framing: () => "sse",
    headers: {},
    limits: OPENAI_LIMITS,
    passHeaders: ["openai-beta"],
    toolNames: { most: 64, strange: /[^\w-]/g },
    buildRequest,
    parseResponse,
    parseStream: () => new ChatStreamParser(),
    parseError: readFault,
    verbatim,
  },
};
