import type Anthropic from "@anthropic-ai/sdk";
import type OpenAI from "openai";
import { bodyFor, MODEL, type Dialect, type Ground } from "../gateway/support/ground.ts";
import type { Loose } from "../support/loose.ts";
import { toldByChunks, toldByEvents, toldByMessage, type Told } from "./told.ts";

export interface Asked {
  told: Told;
  /** The whole answer, or the chunks or events of a stream. */
  answer: Loose;
  parts: Loose[];
  headers: Headers;
}

/** Which client speaks to a provider of which dialect, buffered or streamed. */
export interface Route {
  client: Dialect;
  provider: Dialect;
  stream: boolean;
}

export const ROUTES: Route[] = (["openai", "anthropic"] as const).flatMap((client) =>
  (["openai", "anthropic"] as const).flatMap((provider) =>
    [false, true].map((stream) => ({ client, provider, stream })),
  ),
);

/** Asks with the official client over the gateway. `more` goes into the body. */
export async function ask(
  ground: Ground,
  { client, provider, stream }: Route,
  more: object = {},
  clients: { openai?: OpenAI; anthropic?: Anthropic } = {},
): Promise<Asked> {
  const body = bodyFor(client, more, MODEL[provider]);
  if (client === "openai") {
    const { completions } = (clients.openai ?? ground.openai()).chat;
    if (!stream) {
      const { data, response } = await completions
        .create(body as OpenAI.ChatCompletionCreateParamsNonStreaming)
        .withResponse();
      return { answer: data, parts: [], told: toldByChunks([data]), headers: response.headers };
    }
    const { data, response } = await completions
      .create({ ...body, stream } as OpenAI.ChatCompletionCreateParamsStreaming)
      .withResponse();
    const parts: Loose[] = await Array.fromAsync(data);
    return { answer: {}, parts, told: toldByChunks(parts), headers: response.headers };
  }
  const { messages } = clients.anthropic ?? ground.anthropic();
  if (!stream) {
    const { data, response } = await messages
      .create(body as Anthropic.MessageCreateParamsNonStreaming)
      .withResponse();
    return { answer: data, parts: [], told: toldByMessage(data), headers: response.headers };
  }
  const running = messages.stream(body as Anthropic.MessageStreamParams);
  const parts: Loose[] = [];
  running.on("streamEvent", (event) => parts.push(structuredClone(event)));
  const { response } = await running.withResponse();
  const answer = await running.finalMessage();
  const told = toldByEvents(parts);
  return { answer, parts, told, headers: response.headers };
}
