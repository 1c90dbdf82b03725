import type { ErrorKind } from "../../core/errors.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import {
  common,
  completion,
  COMPLETION,
  contents,
  GENERATED,
  generated,
  GOOGLE_MODEL,
  HELLO,
  HI,
  messages,
  MODEL,
  MODEL_NAME,
  modelSchema,
  text,
} from "./data-plane-forms.ts";
import type { Route } from "../operation.ts";

/** A parameter of a path, with a value for the example. */
export interface PathParameter {
  name: string;
  description: string;
  example: string;
}

/** What the documents say of a path that is no admin operation. */
export interface PathFacts {
  id: string;
  section: string;
  summary: string;
  notes?: string;
  http: Route[];
  /** Null: no credential is asked for. */
  permission: { resource: "inference"; action: "call" } | null;
  input: JsonObject | null;
  /** Parameters of the path itself. */
  parameters?: PathParameter[];
  output: JsonObject;
  example: { input: Record<string, Json> | null; output: Json };
  errors: ErrorKind[];
}

const CALL_ERRORS: ErrorKind[] = [
  "key_model_not_allowed",
  "team_model_not_allowed",
  "org_model_not_allowed",
  "model_not_found",
  "feature_not_found",
  "context_length_exceeded",
  "capability_not_supported",
  "rate_limit_exceeded",
  "budget_exceeded",
  "upstream_bad_response",
  "upstream_auth",
  "no_healthy_deployment",
  "audit_unavailable",
  "overloaded",
  "upstream_timeout",
];

const COUNT_ERRORS: ErrorKind[] = [
  "key_model_not_allowed",
  "team_model_not_allowed",
  "org_model_not_allowed",
  "model_not_found",
  "unsupported_endpoint",
  "upstream_bad_response",
  "upstream_auth",
  "no_healthy_deployment",
];

const CALL = { resource: "inference", action: "call" } as const;
/** Where Google's clients ask; the kind of call stands behind the model. */
function googlePaths(call: string): Route[] {
  return ["/v1beta/models", "/v1/models", "/models"].map((path) => ({
    method: "POST",
    path: `${path}/{model}:${call}`,
  }));
}

/** The data plane. Requests and answers are the vendors' own forms, so these name only the core. */
export const DATA_PLANE: readonly PathFacts[] = [
  {
    id: "chat.completions",
    section: "Inference",
    summary: "Chat, in OpenAI's form",
    notes:
      "The form of OpenAI's chat completions, for any model behind it. Members that are not named here travel through.",
    http: [
      { method: "POST", path: "/v1/chat/completions" },
      { method: "POST", path: "/chat/completions" },
      { method: "POST", path: "/openai/v1/chat/completions" },
    ],
    permission: CALL,
    input: {
      type: "object",
      properties: common,
      required: ["model", "messages"],
      additionalProperties: true,
    },
    output: completion,
    example: {
      input: { model: "gpt-4o-mini", messages: HELLO },
      output: COMPLETION,
    },
    errors: CALL_ERRORS,
  },
  {
    id: "responses",
    section: "Inference",
    summary: "Chat, in the form of OpenAI's Responses",
    notes:
      "For any model behind it. Nothing is kept: send the whole input; `previous_response_id` and its like reach only a provider that speaks Responses itself.",
    http: [
      { method: "POST", path: "/v1/responses" },
      { method: "POST", path: "/responses" },
      { method: "POST", path: "/openai/v1/responses" },
      { method: "POST", path: "/openai/responses" },
    ],
    permission: CALL,
    input: {
      type: "object",
      properties: {
        model: common.model,
        input: { description: "A text, or a list of items" },
        instructions: text("The system text"),
        max_output_tokens: { type: "integer", minimum: 1 },
        stream: common.stream,
        tools: common.tools,
      },
      required: ["model", "input"],
      additionalProperties: true,
    },
    output: {
      type: "object",
      properties: {
        id: { type: "string" },
        object: { const: "response" },
        model: { type: "string" },
        status: { type: "string" },
        output: { type: "array", items: { type: "object" } },
        usage: { type: "object" },
      },
    },
    example: {
      input: { model: "gpt-4o-mini", input: "Say hello." },
      output: {
        id: "resp_01",
        object: "response",
        model: "gpt-4o-mini-2024-07-18",
        status: "completed",
        output: [
          {
            id: "msg_01",
            type: "message",
            role: "assistant",
            status: "completed",
            content: [{ type: "output_text", text: "Hello!", annotations: [] }],
          },
        ],
        usage: { input_tokens: 10, output_tokens: 3, total_tokens: 13 },
      },
    },
    errors: CALL_ERRORS,
  },
  {
    id: "messages",
    section: "Inference",
    summary: "Chat, in Anthropic's form",
    notes:
      "The form of Anthropic's Messages, for any model behind it; errors come in Anthropic's form too.",
    http: [
      { method: "POST", path: "/v1/messages" },
      { method: "POST", path: "/messages" },
      { method: "POST", path: "/anthropic/v1/messages" },
      { method: "POST", path: "/v1/v1/messages" },
    ],
    permission: CALL,
    input: {
      type: "object",
      properties: { ...common, max_tokens: { type: "integer", minimum: 1 }, system: {} },
      required: ["model", "messages", "max_tokens"],
      additionalProperties: true,
    },
    output: {
      type: "object",
      properties: {
        id: { type: "string" },
        type: { const: "message" },
        role: { const: "assistant" },
        model: { type: "string" },
        content: { type: "array", items: { type: "object" } },
        stop_reason: { type: ["string", "null"] },
        usage: { type: "object" },
      },
    },
    example: {
      input: { model: "claude-sonnet-4-5", max_tokens: 64, messages: HELLO },
      output: {
        id: "msg_01",
        type: "message",
        role: "assistant",
        model: "claude-sonnet-4-5",
        content: [{ type: "text", text: "Hello!" }],
        stop_reason: "end_turn",
        usage: { input_tokens: 10, output_tokens: 3 },
      },
    },
    errors: CALL_ERRORS,
  },
  {
    id: "messages.count_tokens",
    section: "Inference",
    summary: "Count the tokens of a message, in Anthropic's form",
    notes: "For nothing, where a deployment of the model speaks Messages at its maker's address.",
    http: [
      { method: "POST", path: "/v1/messages/count_tokens" },
      { method: "POST", path: "/messages/count_tokens" },
      { method: "POST", path: "/anthropic/v1/messages/count_tokens" },
      { method: "POST", path: "/v1/v1/messages/count_tokens" },
    ],
    permission: CALL,
    input: {
      type: "object",
      properties: { model: common.model, messages, system: {}, tools: common.tools },
      required: ["model", "messages"],
      additionalProperties: true,
    },
    output: {
      type: "object",
      properties: { input_tokens: { type: "integer" } },
      required: ["input_tokens"],
    },
    example: {
      input: { model: "claude-sonnet-4-5", messages: HELLO },
      output: { input_tokens: 10 },
    },
    errors: COUNT_ERRORS,
  },
  {
    id: "generate_content",
    section: "Inference",
    summary: "Chat, in Google's form",
    notes: "For any model behind it; errors come in Google's form too.",
    http: googlePaths("generateContent"),
    permission: CALL,
    parameters: GOOGLE_MODEL,
    input: contents,
    output: generated,
    example: { input: { contents: HI }, output: GENERATED },
    errors: CALL_ERRORS,
  },
  {
    id: "stream_generate_content",
    section: "Inference",
    summary: "The same, streamed",
    notes: "With `?alt=sse` as server-sent events, else as one array that grows.",
    http: googlePaths("streamGenerateContent"),
    permission: CALL,
    parameters: GOOGLE_MODEL,
    input: contents,
    output: { type: "array", items: generated },
    example: { input: { contents: HI }, output: [GENERATED] },
    errors: CALL_ERRORS,
  },
  {
    id: "count_tokens",
    section: "Inference",
    summary: "Count the tokens of contents, in Google's form",
    notes:
      "For nothing, where a deployment of the model speaks Google's protocol at its maker's address.",
    http: googlePaths("countTokens"),
    permission: CALL,
    parameters: GOOGLE_MODEL,
    input: contents,
    output: {
      type: "object",
      properties: { totalTokens: { type: "integer" } },
      required: ["totalTokens"],
    },
    example: { input: { contents: HI }, output: { totalTokens: 4 } },
    errors: COUNT_ERRORS,
  },
  {
    id: "azure.chat.completions",
    section: "Inference",
    summary: "Chat, where Azure's clients ask",
    notes:
      "The form of OpenAI's chat completions; the model stands in the path, and `api-version` is not looked at.",
    http: [{ method: "POST", path: "/openai/deployments/{model}/chat/completions" }],
    permission: CALL,
    parameters: [{ name: "model", description: MODEL_NAME, example: "gpt-4o-mini" }],
    input: {
      type: "object",
      properties: { messages, stream: common.stream, tools: common.tools },
      required: ["messages"],
      additionalProperties: true,
    },
    output: completion,
    example: { input: { messages: HELLO }, output: COMPLETION },
    errors: CALL_ERRORS,
  },
  {
    id: "models.list",
    section: "Inference",
    summary: "List the models that this key may call",
    http: [
      { method: "GET", path: "/v1/models" },
      { method: "GET", path: "/models" },
    ],
    permission: CALL,
    input: null,
    output: {
      type: "object",
      properties: { object: { const: "list" }, data: { type: "array", items: modelSchema } },
      required: ["object", "data"],
    },
    example: { input: null, output: { object: "list", data: [MODEL] } },
    errors: [],
  },
  {
    id: "models.show",
    section: "Inference",
    summary: "Show one model",
    http: [
      { method: "GET", path: "/v1/models/{id}" },
      { method: "GET", path: "/models/{id}" },
    ],
    permission: CALL,
    input: null,
    parameters: [
      { name: "id", description: "Name of the model; it may hold slashes", example: "gpt-4o-mini" },
    ],
    output: modelSchema,
    example: { input: null, output: MODEL },
    errors: ["model_not_found"],
  },
  {
    id: "feedback",
    section: "Inference",
    summary: "Judge an answer",
    notes:
      "For the smart router of an organization that learns (`metadata.smart_learning`): the judgement counts for the model group that answered, at that kind of task. Each call is judged once, within a week, by the key that made it, its team or an administrator. `chosen_model` names the model group that the judge prefers: another one than answered is evidence for it and, without a thumb or score, against the one that answered. The comment is not stored.",
    http: [
      { method: "POST", path: "/v1/feedback" },
      { method: "POST", path: "/feedback" },
    ],
    permission: CALL,
    input: {
      type: "object",
      properties: {
        call_id: text("x-routero-call-id of the answer"),
        thumb: { enum: ["up", "down"] },
        score: { type: "number", minimum: 0, maximum: 1 },
        chosen_model: text("The model group that answers this better, or the one that answered"),
        comment: text("Not stored"),
      },
      required: ["call_id"],
    },
    output: {
      type: "object",
      properties: { call_id: { type: "string" }, status: { enum: ["learned", "known", "off"] } },
      required: ["call_id", "status"],
    },
    example: {
      input: { call_id: "req_4Vb0cQ2mXhT8sLr1yKp6Zd", thumb: "up" },
      output: { call_id: "req_4Vb0cQ2mXhT8sLr1yKp6Zd", status: "learned" },
    },
    errors: ["invalid_request", "not_found", "request_too_large"],
  },
];
