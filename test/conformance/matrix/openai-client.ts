import type OpenAI from "openai";
import { APIError } from "openai";
import type { Loose } from "../../support/loose.ts";
import { toldByChunks } from "../told.ts";
import type { Answer, Asked, Client, Thrown, Turn } from "./asked.ts";

/** Chat completions, by OpenAI's client or by Azure's. */
export function openaiClient(name: string, client: OpenAI): Client {
  return {
    name,
    async ask(asked) {
      const body = bodyFor(asked) as unknown as OpenAI.ChatCompletionCreateParams;
      if (!asked.stream) {
        const answer = (await client.chat.completions.create({
          ...body,
          stream: false,
        })) as unknown as Loose;
        return answerOf([answer], answer["choices"][0]["message"] as Loose);
      }
      const stream = await client.chat.completions.create({
        ...body,
        stream: true,
        stream_options: { include_usage: true },
      });
      const chunks: Loose[] = await Array.fromAsync(stream);
      return answerOf(chunks, messageOf(chunks));
    },
    thrown: thrownByOpenai,
  };
}

/** A refusal as OpenAI's client throws it. */
export function thrownByOpenai(error: unknown): Thrown {
  return error instanceof APIError
    ? { status: error.status as number | undefined, message: error.message }
    : { status: undefined, message: String(error) };
}

function bodyFor(asked: Asked): Loose {
  return {
    model: asked.model,
    messages: [
      ...(asked.system === undefined ? [] : [{ role: "system", content: asked.system }]),
      ...asked.turns.flatMap(messagesOf),
    ],
    ...(asked.tools && {
      tools: asked.tools.map(({ name, description, schema }) => ({
        type: "function",
        function: { name, description, parameters: schema },
      })),
    }),
    ...(asked.schema && {
      response_format: {
        type: "json_schema",
        json_schema: { name: "answer", schema: asked.schema, strict: true },
      },
    }),
    ...(asked.reasoning && { reasoning_effort: "medium" }),
  };
}

function messagesOf(turn: Turn): Loose[] {
  switch (turn.role) {
    case "user":
      if (!turn.image) return [{ role: "user", content: turn.text }];
      return [
        {
          role: "user",
          content: [
            { type: "text", text: turn.text },
            {
              type: "image_url",
              image_url: { url: `data:${turn.image.mediaType};base64,${turn.image.base64}` },
            },
          ],
        },
      ];
    case "answer":
      return [turn.answer.own as Loose];
    case "results":
      return turn.results.map(({ id, value }) => ({
        role: "tool",
        tool_call_id: id,
        content: JSON.stringify(value),
      }));
  }
}

/** The message that the chunks add up to, signed state included. */
function messageOf(chunks: readonly Loose[]): Loose {
  const message: Loose = { role: "assistant", content: null };
  const calls: Loose[] = [];
  for (const chunk of chunks) {
    const delta = (chunk["choices"][0]?.["delta"] ?? {}) as Loose;
    if (delta["content"]) message["content"] = (message["content"] ?? "") + delta["content"];
    if (delta["thinking_blocks"]) {
      message["thinking_blocks"] = [
        ...(message["thinking_blocks"] ?? []),
        ...delta["thinking_blocks"],
      ];
    }
    if (delta["reasoning_content"]) {
      message["reasoning_content"] =
        (message["reasoning_content"] ?? "") + delta["reasoning_content"];
    }
    if (delta["extra_content"]) message["extra_content"] = delta["extra_content"];
    for (const call of (delta["tool_calls"] ?? []) as Loose[]) {
      const known = calls[call["index"] as number];
      if (known) known["function"]["arguments"] += call["function"]["arguments"] ?? "";
      else {
        const { index, ...first } = call;
        calls[index as number] = structuredClone(first);
      }
    }
  }
  if (calls.length > 0) message["tool_calls"] = calls;
  return message;
}

function answerOf(chunks: Loose[], message: Loose): Answer {
  const told = toldByChunks(chunks);
  const callIds = ((message["tool_calls"] ?? []) as Loose[]).map((call) => call["id"] as string);
  return { told, callIds, pieces: chunks.length, own: message };
}
