import type { JsonObject } from "../../core/json.ts";

// What the documents show of the vendors' forms: the core of requests and answers, and one example each.

export const MODEL_NAME =
  "A model group, an alias of the key or team, provider/model, or a bare model name";

export const text = (description: string): JsonObject => ({ type: "string", description });
export const messages: JsonObject = {
  type: "array",
  minItems: 1,
  items: {
    type: "object",
    properties: { role: text("Who speaks"), content: {} },
    required: ["role"],
  },
};
export const common = {
  model: text(MODEL_NAME),
  messages,
  stream: { type: "boolean", description: "Server-sent events as they come" },
  temperature: { type: "number" },
  tools: { type: "array", items: { type: "object" } },
} satisfies JsonObject;

export const MODEL = { id: "gpt-4o-mini", object: "model", created: 0, owned_by: "openai" };
export const HELLO = [{ role: "user", content: "Say hello." }];

export const modelSchema: JsonObject = {
  type: "object",
  properties: {
    id: { type: "string" },
    object: { const: "model" },
    created: { type: "integer" },
    owned_by: { type: "string" },
  },
  required: ["id", "object", "created", "owned_by"],
};

export const completion: JsonObject = {
  type: "object",
  properties: {
    id: { type: "string" },
    object: { type: "string" },
    created: { type: "integer" },
    model: { type: "string" },
    choices: { type: "array", items: { type: "object" } },
    usage: { type: "object" },
  },
};
export const COMPLETION = {
  id: "chatcmpl-9x2",
  object: "chat.completion",
  created: 1795251600,
  model: "gpt-4o-mini-2024-07-18",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello!" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 },
};

export const HI = [{ role: "user", parts: [{ text: "Say hello." }] }];
export const GENERATED = {
  candidates: [{ content: { role: "model", parts: [{ text: "Hello!" }] }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 2, totalTokenCount: 6 },
};
export const contents: JsonObject = {
  type: "object",
  properties: {
    contents: { type: "array", minItems: 1, items: { type: "object" } },
    systemInstruction: { type: "object" },
    tools: common.tools,
    generationConfig: { type: "object" },
  },
  required: ["contents"],
  additionalProperties: true,
};
export const generated: JsonObject = {
  type: "object",
  properties: {
    candidates: { type: "array", items: { type: "object" } },
    usageMetadata: { type: "object" },
  },
};
export const GOOGLE_MODEL = [
  { name: "model", description: MODEL_NAME, example: "gemini-2.5-flash" },
];
