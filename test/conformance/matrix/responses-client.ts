import type OpenAI from "openai";
import type { Loose } from "../../support/loose.ts";
import type { Told } from "../told.ts";
import type { Asked, Client, Turn } from "./asked.ts";
import { thrownByOpenai } from "./openai-client.ts";

/** Responses, by OpenAI's client: streams through its own accumulator. */
export function responsesClient(client: OpenAI): Client {
  return {
    name: "openai-responses",
    async ask(asked) {
      const body = bodyFor(asked) as unknown as OpenAI.Responses.ResponseCreateParams;
      let response: Loose;
      let pieces = 1;
      if (asked.stream) {
        const stream = client.responses.stream(body as never);
        for await (const _ of stream) pieces += 1;
        response = (await stream.finalResponse()) as unknown as Loose;
      } else {
        response = (await client.responses.create({ ...body, stream: false })) as unknown as Loose;
      }
      const output = response["output"] as Loose[];
      return {
        told: toldBy(response, output),
        callIds: output
          .filter((item) => item["type"] === "function_call")
          .map((item) => item["call_id"] as string),
        pieces,
        own: output,
      };
    },
    thrown: thrownByOpenai,
  };
}

function toldBy(response: Loose, output: readonly Loose[]): Told {
  const calls = output
    .filter((item) => item["type"] === "function_call")
    .map((item) => ({
      name: item["name"] as string,
      input: JSON.parse((item["arguments"] as string) || "{}") as unknown,
    }));
  const short: Record<string, string> = {
    max_output_tokens: "length",
    content_filter: "content_filter",
  };
  const reason = response["incomplete_details"]?.["reason"] as string | undefined;
  const usage = response["usage"] as Loose | undefined;
  return {
    text: output
      .flatMap((item) => (item["type"] === "message" ? (item["content"] as Loose[]) : []))
      .map((part) => (part["text"] as string | undefined) ?? "")
      .join(""),
    reasoning: output
      .flatMap((item) => (item["type"] === "reasoning" ? (item["summary"] as Loose[]) : []))
      .map((part) => part["text"] as string)
      .join(""),
    calls,
    finish: reason ? (short[reason] ?? reason) : calls.length > 0 ? "tool_calls" : "stop",
    usage: usage && {
      prompt: usage["input_tokens"] as number,
      completion: usage["output_tokens"] as number,
      cached: usage["input_tokens_details"]["cached_tokens"] as number,
    },
  };
}

function bodyFor(asked: Asked): Loose {
  return {
    model: asked.model,
    store: false,
    ...(asked.system !== undefined && { instructions: asked.system }),
    input: asked.turns.flatMap(itemsOf),
    ...(asked.tools && {
      tools: asked.tools.map(({ name, description, schema }) => ({
        type: "function",
        name,
        description,
        parameters: schema,
        strict: false,
      })),
    }),
    ...(asked.schema && {
      text: { format: { type: "json_schema", name: "answer", schema: asked.schema, strict: true } },
    }),
    ...(asked.reasoning && {
      reasoning: { effort: "medium", summary: "auto" },
      include: ["reasoning.encrypted_content"],
    }),
  };
}

function itemsOf(turn: Turn): Loose[] {
  switch (turn.role) {
    case "user":
      return [
        {
          role: "user",
          content: [
            { type: "input_text", text: turn.text },
            ...(turn.image
              ? [
                  {
                    type: "input_image",
                    detail: "auto",
                    image_url: `data:${turn.image.mediaType};base64,${turn.image.base64}`,
                  },
                ]
              : []),
          ],
        },
      ];
    case "answer":
      return turn.answer.own as Loose[];
    case "results":
      return turn.results.map(({ id, value }) => ({
        type: "function_call_output",
        call_id: id,
        output: JSON.stringify(value),
      }));
  }
}
