import { compose } from "../support/upstream/reply.ts";
import type { Behaviour } from "../support/upstream/index.ts";
import { anthropic } from "../support/upstream/wire/anthropic.ts";
import { converse } from "../support/upstream/wire/bedrock.ts";
import { cohere } from "../support/upstream/wire/cohere.ts";
import { gemini } from "../support/upstream/wire/gemini.ts";
import { ollama } from "../support/upstream/wire/ollama.ts";
import { openaiChat } from "../support/upstream/wire/openai-chat.ts";
import { openaiResponses } from "../support/upstream/wire/openai-responses.ts";
import type { Wire } from "../support/upstream/wire/wire.ts";
import type { ProtocolName } from "../../worker/core/chat.ts";
import type { UpstreamRequest } from "../../worker/core/ports.ts";
import { chunked } from "./world.ts";

const WIRES: Partial<Record<ProtocolName, Wire>> = {
  "openai-chat": openaiChat,
  anthropic,
  gemini,
  "openai-responses": openaiResponses,
  cohere,
  ollama,
  "bedrock-converse": converse,
};

/** Where a provider's stream breaks: behind so many events, or inside its bytes. */
export type Cut = { events: number } | { bytes: number } | null;

/** The test provider's answer to a request, made in memory: the wire's own events, whole or cut. */
export function answerOf(
  protocol: ProtocolName,
  request: UpstreamRequest,
  behaviour: Behaviour,
  cut: Cut = null,
  after: "end" | "break" = "break",
): Response {
  const wire = WIRES[protocol];
  if (wire === undefined) throw new Error(`the test provider does not speak ${protocol}`);
  const body: unknown = JSON.parse(request.body ?? "");
  const { pathname: path, searchParams: query } = new URL(request.url);
  const asked = { path, query, headers: request.headers, body };
  const ask = wire.read("generate", asked);
  const said = "kind" in ask ? ask : compose(ask, behaviour, 7);
  if ("kind" in ask || "kind" in said) {
    const { status, headers, body: text } = wire.error("kind" in ask ? ask : (said as never), 7);
    return new Response(text, { status, headers });
  }
  const omitted = new Set(behaviour.omit);
  const events = wire
    .stream(said, behaviour, ask)
    .filter((each) => !omitted.has(each.kind))
    .map((each) => each.text);
  const type = ask.array ? "application/json" : wire.streamType;
  if (cut === null) return typed(chunked(events), type);
  if ("events" in cut) return typed(chunked(events.slice(0, cut.events), after), type);
  const bytes = Buffer.concat(events.map((each) => Buffer.from(each))).subarray(0, cut.bytes);
  return typed(chunked([bytes], after), type);
}

const typed = (response: Response, type: string): Response =>
  new Response(response.body, { headers: { "content-type": type } });

/** How many events and bytes the whole answer has. */
export async function sizeOf(response: Response): Promise<{ events: number; bytes: number }> {
  let events = 0;
  let bytes = 0;
  // Each event came as a chunk of its own.
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    events += 1;
    bytes += chunk.byteLength;
  }
  return { events, bytes };
}
