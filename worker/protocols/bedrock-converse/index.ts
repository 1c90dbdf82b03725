import { readFault } from "../faults.ts";
import { segment } from "../path.ts";
import type { Protocol } from "../protocol.ts";
import { buildRequest } from "./build.ts";
import { parseResponse } from "./response.ts";
import { ConverseStreamParser } from "./stream.ts";

/** Bedrock's Converse, whose streams are binary events. */
export const bedrockConverse: Protocol = {
  name: "bedrock-converse",
  provider: {
    path: ({ model, stream }) =>
      `/model/${segment(model)}/${stream ? "converse-stream" : "converse"}`,
    framing: () => "aws-events",
    headers: {},
    passHeaders: [],
    toolNames: { most: 64, strange: /[^\w-]/g },
    buildRequest,
    parseResponse,
    parseStream: () => new ConverseStreamParser(),
    parseError: readFault,
  },
};
