import type { ErrorKind } from "../core/errors.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Route } from "./operation.ts";

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
  parameters?: { name: string; description: string }[];
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

const CALL = { resource: "inference", action: "call" } as const;
const text = (description: string): JsonObject => ({ type: "string", description });
const messages: JsonObject = {
  type: "array",
  minItems: 1,
  items: {
    type: "object",
    properties: { role: text("Who speaks"), content: {} },
    required: ["role"],
  },
};
const common = {
  model: text("A model group, an alias of the key or team, provider/model, or a bare model name"),
  messages,
  stream: { type: "boolean", description: "Server-sent events as they come" },
  temperature: { type: "number" },
  tools: { type: "array", items: { type: "object" } },
} satisfies JsonObject;

const MODEL = { id: "gpt-4o-mini", object: "model", created: 0, owned_by: "openai" };
const HELLO = [{ role: "user", content: "Say hello." }];

const modelSchema: JsonObject = {
  type: "object",
  properties: {
    id: { type: "string" },
    object: { const: "model" },
    created: { type: "integer" },
    owned_by: { type: "string" },
  },
  required: ["id", "object", "created", "owned_by"],
};

/** The data plane and the health checks. Requests and answers are the vendors' own forms, so these name only the core. */
export const PATHS: readonly PathFacts[] = [
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
  {
    id: "chat.completions",
    section: "Inference",
    summary: "Chat, in OpenAI's form",
    notes:
      "The form of OpenAI's chat completions, for any model behind it. Members that are not named here travel through.",
    http: [
      { method: "POST", path: "/v1/chat/completions" },
      { method: "POST", path: "/chat/completions" },
    ],
    permission: CALL,
    input: {
      type: "object",
      properties: common,
      required: ["model", "messages"],
      additionalProperties: true,
    },
    output: {
      type: "object",
      properties: {
        id: { type: "string" },
        object: { type: "string" },
        created: { type: "integer" },
        model: { type: "string" },
        choices: { type: "array", items: { type: "object" } },
        usage: { type: "object" },
      },
    },
    example: {
      input: { model: "gpt-4o-mini", messages: HELLO },
      output: {
        id: "chatcmpl-9x2",
        object: "chat.completion",
        created: 1795251600,
        model: "gpt-4o-mini-2024-07-18",
        choices: [
          { index: 0, message: { role: "assistant", content: "Hello!" }, finish_reason: "stop" },
        ],
        usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 },
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
    parameters: [{ name: "id", description: "Name of the model; it may hold slashes" }],
    output: modelSchema,
    example: { input: null, output: MODEL },
    errors: ["model_not_found"],
  },
  {
    id: "invitation.claim",
    section: "Users",
    summary: "Accept an invitation",
    notes:
      "The token is the credential: it makes a user and a first key, once, and the key is in this answer and nowhere else. The page behind an invitation's link, GET /invitation, does this call.",
    http: [{ method: "POST", path: "/invitation/claim" }],
    permission: null,
    input: {
      type: "object",
      properties: { token: text("Of the invitation"), user_alias: text("A name for people") },
      required: ["token"],
    },
    output: {
      type: "object",
      properties: {
        user_id: { type: "string" },
        user_email: { type: "string" },
        user_role: { type: "string" },
        organization_id: { type: "string" },
        teams: { type: "array", items: { type: "string" } },
        key: text("The key itself, shown once"),
        token: text("Public handle of the key"),
        key_name: { type: "string" },
        base_url: { type: "string" },
      },
      required: ["user_id", "key"],
    },
    example: {
      input: { token: "rt-invite-…" },
      output: {
        user_id: "5b0f6f0e-1c0e-4a5c-8a53-0a4e1f7f7c11",
        user_email: "ada@example.com",
        user_role: "developer",
        organization_id: "org_g4Zk1x9QmT7ab",
        teams: [],
        key: "sk-rt-g4Zk1x9QmT7ab-…",
        key_name: "sk-…x7Qe",
        base_url: "https://gateway.example.com/v1",
      },
    },
    errors: ["invalid_fields", "invalid_request", "not_found", "conflict"],
  },
  {
    id: "health.liveliness",
    section: "Health",
    summary: "Is the process alive?",
    http: [
      { method: "GET", path: "/health/liveliness" },
      { method: "GET", path: "/health/liveness" },
    ],
    permission: null,
    input: null,
    output: { type: "string" },
    example: { input: null, output: "I'm alive!" },
    errors: [],
  },
  {
    id: "health.readiness",
    section: "Health",
    summary: "Can it serve?",
    notes: "503 until the record can be reached.",
    http: [{ method: "GET", path: "/health/readiness" }],
    permission: null,
    input: null,
    output: {
      type: "object",
      properties: { status: { type: "string" }, db: { type: "string" } },
      required: ["status", "db"],
    },
    example: { input: null, output: { status: "healthy", db: "connected" } },
    errors: [],
  },
];
