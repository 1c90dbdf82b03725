import { ApiError, type GoogleGenAI } from "@google/genai";
import type { Loose } from "../../support/loose.ts";
import type { Told } from "../told.ts";
import type { Asked, Client, Turn } from "./asked.ts";

/** generateContent, by Google's client. */
export function googleClient(client: GoogleGenAI): Client {
  return {
    name: "gemini",
    async ask(asked) {
      const params = paramsFor(asked);
      const chunks: Loose[] = [];
      if (asked.stream) {
        for await (const chunk of await client.models.generateContentStream(params as never)) {
          chunks.push(chunk as unknown as Loose);
        }
      } else {
        chunks.push((await client.models.generateContent(params as never)) as unknown as Loose);
      }
      const parts = chunks.flatMap(
        (chunk) => (chunk["candidates"]?.[0]?.["content"]?.["parts"] ?? []) as Loose[],
      );
      return {
        told: toldBy(chunks, parts),
        callIds: parts.flatMap((part) =>
          part["functionCall"] ? [part["functionCall"]["id"] as string | undefined] : [],
        ),
        pieces: chunks.length,
        own: { role: "model", parts },
      };
    },
    thrown: (error) =>
      error instanceof ApiError
        ? { status: error.status, message: error.message }
        : { status: undefined, message: String(error) },
  };
}

const FINISH: Record<string, string> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "content_filter",
};

function toldBy(chunks: readonly Loose[], parts: readonly Loose[]): Told {
  const text = (thought: boolean) =>
    parts
      .map((part) => (Boolean(part["thought"]) === thought ? (part["text"] ?? "") : ""))
      .join("");
  const calls = parts.flatMap((part) => {
    const call = part["functionCall"] as Loose | undefined;
    return call ? [{ name: call["name"] as string, input: call["args"] as unknown }] : [];
  });
  const usage = chunks.findLast((chunk) => chunk["usageMetadata"]?.["totalTokenCount"])?.[
    "usageMetadata"
  ] as Loose | undefined;
  const reason = chunks.findLast((chunk) => chunk["candidates"]?.[0]?.["finishReason"])?.[
    "candidates"
  ][0]["finishReason"] as string | undefined;
  const finish = reason === undefined ? null : (FINISH[reason] ?? reason);
  return {
    text: text(false),
    reasoning: text(true),
    calls,
    finish: finish === "stop" && calls.length > 0 ? "tool_calls" : finish,
    usage: usage && {
      prompt: usage["promptTokenCount"] as number,
      completion: (usage["totalTokenCount"] - usage["promptTokenCount"]) as number,
      cached: (usage["cachedContentTokenCount"] as number | undefined) ?? 0,
    },
  };
}

function paramsFor(asked: Asked): Loose {
  return {
    model: asked.model,
    contents: asked.turns.map(contentOf),
    config: {
      ...(asked.system !== undefined && { systemInstruction: asked.system }),
      ...(asked.tools && {
        tools: [
          {
            functionDeclarations: asked.tools.map(({ name, description, schema }) => ({
              name,
              description,
              parametersJsonSchema: schema,
            })),
          },
        ],
      }),
      ...(asked.schema && {
        responseMimeType: "application/json",
        responseJsonSchema: asked.schema,
      }),
      ...(asked.reasoning && { thinkingConfig: { thinkingBudget: 2000, includeThoughts: true } }),
    },
  };
}

function contentOf(turn: Turn): Loose {
  switch (turn.role) {
    case "user":
      return {
        role: "user",
        parts: [
          { text: turn.text },
          ...(turn.image
            ? [{ inlineData: { mimeType: turn.image.mediaType, data: turn.image.base64 } }]
            : []),
        ],
      };
    case "answer":
      return turn.answer.own as Loose;
    case "results":
      return {
        role: "user",
        parts: turn.results.map(({ id, name, value }) => ({
          functionResponse: { id, name, response: value },
        })),
      };
  }
}
