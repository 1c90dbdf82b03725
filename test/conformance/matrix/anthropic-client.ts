import Anthropic from "@anthropic-ai/sdk";
import type { Loose } from "../../support/loose.ts";
import { toldByMessage } from "../told.ts";
import type { Asked, Client, Turn } from "./asked.ts";

/** Messages, by Anthropic's client. */
export function anthropicClient(client: Anthropic): Client {
  return {
    name: "anthropic",
    async ask(asked) {
      const body = bodyFor(asked) as unknown as Anthropic.MessageCreateParamsNonStreaming;
      let message: Loose;
      let pieces = 1;
      if (asked.stream) {
        const running = client.messages.stream(body);
        running.on("streamEvent", () => (pieces += 1));
        message = (await running.finalMessage()) as unknown as Loose;
      } else {
        message = (await client.messages.create(body)) as unknown as Loose;
      }
      const content = message["content"] as Loose[];
      return {
        told: toldByMessage(message),
        callIds: content
          .filter((block) => block["type"] === "tool_use")
          .map((block) => block["id"] as string),
        pieces,
        own: { role: "assistant", content },
      };
    },
    thrown: (error) =>
      error instanceof Anthropic.APIError
        ? { status: error.status as number | undefined, message: error.message }
        : { status: undefined, message: String(error) },
  };
}

function bodyFor(asked: Asked): Loose {
  return {
    model: asked.model,
    max_tokens: 4000,
    ...(asked.system !== undefined && { system: asked.system }),
    messages: asked.turns.map(messageOf),
    ...(asked.tools && {
      tools: asked.tools.map(({ name, description, schema }) => ({
        name,
        description,
        input_schema: schema,
      })),
    }),
    ...(asked.schema && {
      output_config: { format: { type: "json_schema", schema: asked.schema } },
    }),
    ...(asked.reasoning && { thinking: { type: "enabled", budget_tokens: 2000 } }),
  };
}

function messageOf(turn: Turn): Loose {
  switch (turn.role) {
    case "user":
      return {
        role: "user",
        content: [
          { type: "text", text: turn.text },
          ...(turn.image
            ? [
                {
                  type: "image",
                  source: {
                    type: "base64",
                    media_type: turn.image.mediaType,
                    data: turn.image.base64,
                  },
                },
              ]
            : []),
        ],
      };
    case "answer":
      return turn.answer.own as Loose;
    case "results":
      return {
        role: "user",
        content: turn.results.map(({ id, value }) => ({
          type: "tool_result",
          tool_use_id: id,
          content: JSON.stringify(value),
        })),
      };
  }
}
