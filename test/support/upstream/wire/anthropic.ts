import type { Failure, FailureKind } from "../behaviour.ts";
import { runs, words, type Usage } from "../tokens.ts";
import {
  failureHeaders,
  frame,
  HTML_ERROR,
  list,
  record,
  string,
  type Answer,
  type Ask,
  type Frame,
  type Operation,
  type SolidPart,
  type Wire,
} from "./wire.ts";

const FINISH: Record<string, string> = {
  stop: "end_turn",
  length: "max_tokens",
  tools: "tool_use",
  filter: "refusal",
  refusal: "refusal",
  "stop-sequence": "stop_sequence",
  pause: "pause_turn",
  context: "model_context_window_exceeded",
};

const ERRORS: Record<FailureKind, [number, string, string]> = {
  bad_request: [400, "invalid_request_error", "The request is invalid."],
  invalid_key: [401, "authentication_error", "invalid x-api-key"],
  forbidden: [403, "permission_error", "Your API key has no access to this resource."],
  model_not_found: [404, "not_found_error", "model not found"],
  context_window: [
    400,
    "invalid_request_error",
    "prompt is too long: 201000 tokens > 200000 maximum",
  ],
  content_filter: [400, "invalid_request_error", "Output blocked by content filtering policy"],
  too_large: [413, "request_too_large", "Request exceeds the maximum size"],
  rate_limit: [429, "rate_limit_error", "This request would exceed your rate limit."],
  quota: [400, "invalid_request_error", "Your credit balance is too low to access the API."],
  server_error: [500, "api_error", "Internal server error"],
  unavailable: [503, "api_error", "Service unavailable"],
  overloaded: [529, "overloaded_error", "Overloaded"],
  timeout: [504, "timeout_error", "Request timed out"],
  html: [502, "", ""],
};

export const anthropic: Wire = {
  name: "anthropic",
  streamType: "text/event-stream",
  model: ({ body }) => string(record(body).model),
  terminator: "",

  frame(payload) {
    const type = /"type"\s*:\s*"([^"]+)"/.exec(payload)?.[1] ?? "message";
    return `event: ${type}\ndata: ${payload}\n\n`;
  },

  route(method, path, headers) {
    if (method === "POST" && path.endsWith("/v1/messages")) return "generate";
    if (method === "POST" && path.endsWith("/v1/messages/count_tokens")) return "count";
    const ours = headers["anthropic-version"] !== undefined;
    return method === "GET" && ours && path.endsWith("/v1/models") ? "models" : undefined;
  },

  key(headers) {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
    return (headers["x-api-key"] as string | undefined) ?? bearer;
  },

  read(operation, { body, headers }) {
    const b = record(body);
    const wrong = problem(operation, b, headers["anthropic-version"]);
    if (wrong !== undefined) return { kind: "bad_request", message: wrong };
    const images: Ask["images"] = [];
    const system = content(b.system, images);
    return {
      model: String(b.model),
      stream: b.stream === true,
      usageInStream: true,
      maxTokens: typeof b.max_tokens === "number" ? b.max_tokens : undefined,
      stop: list(b.stop_sequences).map(String),
      n: 1,
      logprobs: false,
      turns: [
        ...(system === "" ? [] : [{ role: "system" as const, text: system }]),
        ...list(b.messages)
          .map(record)
          .map((message) => ({
            role: message.role === "assistant" ? ("assistant" as const) : ("user" as const),
            text: content(message.content, images),
          })),
      ],
      tools: list(b.tools).map((t) => String(record(t).name)),
      images,
    };
  },

  whole(answer, behaviour) {
    return {
      id: id(answer),
      type: "message",
      role: "assistant",
      model: answer.model,
      content: (answer.choices[0] ?? []).map((part, index) => block(part, answer, index)),
      stop_reason: FINISH[answer.finish] ?? answer.finish,
      stop_sequence: answer.stopSequence ?? null,
      ...(behaviour.usagePlace === "none" ? {} : { usage: usage(answer.usage) }),
    };
  },

  stream(answer, behaviour) {
    const silent = behaviour.usagePlace === "none";
    const atStart = usage({ ...answer.usage, output: 1, reasoning: 0 });
    const message = {
      id: id(answer),
      type: "message",
      role: "assistant",
      model: answer.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      ...(silent ? {} : { usage: atStart }),
    };
    const delta = {
      stop_reason: FINISH[answer.finish] ?? answer.finish,
      stop_sequence: answer.stopSequence ?? null,
    };
    const total = silent ? {} : { usage: usage(answer.usage) };
    return [
      event("start", { type: "message_start", message }),
      event("other", { type: "ping" }),
      ...(answer.choices[0] ?? []).flatMap((part, index) => blockEvents(part, answer, index)),
      event("finish", { type: "message_delta", delta, ...total }),
      event("end", { type: "message_stop" }),
    ];
  },

  error(failure, serial) {
    const [status] = ERRORS[failure.kind];
    const html = failure.kind === "html";
    return {
      status: failure.status ?? status,
      headers: {
        "content-type": html ? "text/html" : "application/json",
        "request-id": `req_${serial}`,
        ...failureHeaders(failure),
      },
      body: html
        ? HTML_ERROR
        : JSON.stringify({ ...errorBody(failure), request_id: `req_${serial}` }),
    };
  },

  errorFrame: (failure) => `event: error\ndata: ${JSON.stringify(errorBody(failure))}\n\n`,

  models: (names) => ({
    data: names.map((name) => ({
      type: "model",
      id: name,
      display_name: name,
      created_at: "2026-01-01T00:00:00Z",
    })),
    has_more: false,
    first_id: names[0] ?? null,
    last_id: names.at(-1) ?? null,
  }),
  count: (tokens) => ({ input_tokens: tokens }),
};

/** What the real one refuses and a careless client forgets. */
function problem(operation: Operation, b: Record<string, unknown>, version: unknown) {
  if (typeof version !== "string") return "anthropic-version: header is required";
  if (typeof b.model !== "string") return "model: Field required";
  if (!Array.isArray(b.messages) || b.messages.length === 0) return "messages: Field required";
  if (operation === "generate" && typeof b.max_tokens !== "number") {
    return "max_tokens: Field required";
  }
  const roles = b.messages.map((message) => record(message).role);
  const strange = roles.some((role) => role !== "user" && role !== "assistant");
  return strange ? "messages: Unexpected role" : undefined;
}

function content(value: unknown, images: Ask["images"]): string {
  if (typeof value === "string") return value;
  let text = "";
  for (const entry of list(value)) {
    const part = record(entry);
    if (part.type === "text") text += String(part.text);
    if (part.type === "tool_result") text += content(part.content, images);
    if (part.type !== "image") continue;
    const source = record(part.source);
    const bytes = Buffer.from(string(source.data), "base64").length;
    images.push({ type: string(source.media_type) || "url", bytes });
  }
  return text;
}

const id = (answer: Answer) => `msg_up${answer.serial}`;

const errorBody = (failure: Failure) => ({
  type: "error",
  error: {
    type: ERRORS[failure.kind][1],
    message: failure.message ?? ERRORS[failure.kind][2],
  },
});

/** Anthropic's sums: cache classes lie outside input_tokens, thinking inside output_tokens. */
function usage(u: Usage) {
  return {
    input_tokens: u.input,
    cache_creation_input_tokens: u.cacheWrite,
    cache_read_input_tokens: u.cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: u.cacheWrite, ephemeral_1h_input_tokens: 0 },
    output_tokens: u.output + u.reasoning,
    service_tier: "standard",
  };
}

function input(json: string): unknown {
  try {
    return JSON.parse(json === "" ? "{}" : json) as unknown;
  } catch {
    return {};
  }
}

function block(part: SolidPart, answer: Answer, index: number): Record<string, unknown> {
  switch (part.kind) {
    case "text":
    case "refusal":
      return { type: "text", text: part.text };
    case "thinking":
      return { type: "thinking", thinking: part.text, signature: part.signature ?? "" };
    case "redacted":
      return { type: "redacted_thinking", data: part.data };
    case "tool":
      return {
        type: "tool_use",
        id: part.id ?? `toolu_${answer.serial}_${index}`,
        name: part.name,
        input: input(part.arguments),
      };
  }
}

const EMPTY: Record<string, object> = {
  text: { text: "" },
  thinking: { thinking: "", signature: "" },
  tool_use: { input: {} },
};

function blockEvents(part: SolidPart, answer: Answer, index: number): Frame[] {
  const whole = block(part, answer, index);
  const open = { ...whole, ...EMPTY[String(whole.type)] };
  const reasoning = part.kind === "thinking";
  const delta = (body: object, tokens = 1) =>
    event("content", { type: "content_block_delta", index, delta: body }, tokens, reasoning);
  const deltas = (): Frame[] => {
    if (part.kind === "redacted") return [];
    if (part.kind === "tool") {
      return runs(part.arguments).map((partial_json) =>
        delta({ type: "input_json_delta", partial_json }),
      );
    }
    if (part.kind !== "thinking") {
      return words(part.text).map((text) => delta({ type: "text_delta", text }));
    }
    return [
      ...words(part.text).map((thinking) => delta({ type: "thinking_delta", thinking })),
      ...(part.signature === undefined
        ? []
        : [delta({ type: "signature_delta", signature: part.signature }, 0)]),
    ];
  };
  const named = part.kind === "tool" ? 1 : 0;
  return [
    event("other", { type: "content_block_start", index, content_block: open }, named),
    ...deltas(),
    event("other", { type: "content_block_stop", index }),
  ];
}

type EventBody = { type: string } & Record<string, unknown>;

function event(kind: Frame["kind"], body: EventBody, tokens = 0, reasoning = false): Frame {
  return frame(`event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`, kind, tokens, reasoning);
}
