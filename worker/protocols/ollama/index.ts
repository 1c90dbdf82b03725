import { readFault } from "../faults.ts";
import type { Protocol } from "../protocol.ts";
import { buildRequest } from "./build.ts";
import { parseResponse } from "./response.ts";
import { ChatLineParser } from "./stream.ts";

/** Ollama's own chat, whose streams are lines of JSON. */
export const ollama: Protocol = {
  name: "ollama",
  provider: {
    path: ({ baseUrl }) => (baseUrl.endsWith("/api") ? "/chat" : "/api/chat"),
    framing: () => "ndjson",
    headers: {},
    passHeaders: [],
    buildRequest,
    parseResponse,
    parseStream: () => new ChatLineParser(),
    parseError: readFault,
  },
};
