import { readFault } from "../faults.ts";
import type { Protocol } from "../protocol.ts";
import { buildRequest } from "./build.ts";
import { parseResponse } from "./response.ts";
import { ChatStreamParser } from "./stream.ts";

/** Cohere's chat, second version. */
export const cohere: Protocol = {
  name: "cohere",
  provider: {
    path: ({ baseUrl }) => (baseUrl.endsWith("/v2") ? "/chat" : "/v2/chat"),
    framing: () => "sse",
    headers: {},
    passHeaders: [],
    buildRequest,
    parseResponse,
    parseStream: () => new ChatStreamParser(),
    parseError: readFault,
  },
};
