import { readFault } from "../faults.ts";
import type { Protocol } from "../protocol.ts";
import { buildRequest } from "./build.ts";
import { encodeError, encodeStreamError } from "./errors.ts";
import { parseRequest } from "./request.ts";
import { encodeResponse, parseResponse } from "./response.ts";
import { ChatStreamEncoder } from "./stream-encoder.ts";
import { ChatStreamParser } from "./stream.ts";
import { verbatim } from "./verbatim.ts";

/** OpenAI chat completions, and whoever is compatible with them. */
export const openaiChat: Protocol = {
  name: "openai-chat",
  client: {
    parseRequest,
    encodeResponse,
    encodeStream: (options) => new ChatStreamEncoder(options),
    encodeError,
    encodeStreamError,
    keepAlive: ": keepalive\n\n",
  },
  provider: {
    path: () => "/chat/completions",
    headers: {},
    passHeaders: ["openai-beta"],
    buildRequest,
    parseResponse,
    parseStream: () => new ChatStreamParser(),
    parseError: readFault,
    verbatim,
  },
};
