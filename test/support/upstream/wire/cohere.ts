import type { FailureKind } from "../behaviour.ts";
import { runs, words, type Usage } from "../tokens.ts";
import { openaiChat } from "./openai-chat.ts";
import {
  failureHeaders,
  frame,
  HTML_ERROR,
  list,
  record,
  string,
  type Ask,
  type Answer,
  type Frame,
  type SolidPart,
  type Turn,
  type Wire,
} from "./wire.ts";

const FINISH: Record<string, string> = {
  stop: "COMPLETE",
  length: "MAX_TOKENS",
  tools: "TOOL_CALL",
  filter: "ERROR_TOXIC",
  refusal: "COMPLETE",
  "stop-sequence": "STOP_SEQUENCE",
};

const ERRORS: Partial<Record<FailureKind, [number, string]>> = {
  bad_request: [400, "invalid request: bad parameter"],
  invalid_key: [401, "invalid api token"],
  forbidden: [403, "no access"],
  model_not_found: [404, "model not found"],
  context_window: [400, "too many tokens: the prompt exceeds the context length"],
  content_filter: [422, "blocked by the content filter"],
  rate_limit: [429, "You are past the per minute request limit."],
  quota: [429, "out of credits"],
  unavailable: [503, "service unavailable"],
  html: [502, ""],
};

export const cohere: Wire = {
  name: "cohere",
  streamType: "text/event-stream",
  terminator: "",
  model: ({ body }) => string(record(body).model),
  key: openaiChat.key,
  models: openaiChat.models,
  count: openaiChat.count,
  frame: (payload) =>
    event(string(record(JSON.parse(payload)).type), JSON.parse(payload) as object),

  route: (method, path) =>
    method === "POST" && path.endsWith("/v2/chat") ? "generate" : undefined,

  read(_, { body }) {
    const b = record(body);
    if (typeof b.model !== "string") return { kind: "bad_request", message: "model is required" };
    const images: Ask["images"] = [];
    return {
      model: b.model,
      stream: b.stream === true,
      usageInStream: true,
      maxTokens: typeof b.max_tokens === "number" ? b.max_tokens : undefined,
      stop: list(b.stop_sequences).map(String),
      n: 1,
      logprobs: b.logprobs === true,
      turns: list(b.messages).map((message) => turn(record(message), images)),
      tools: list(b.tools).map((tool) => string(record(record(tool).function).name)),
      images,
    };
  },

  whole: (answer, behaviour) => ({
    id: `up-${answer.serial}`,
    message: { role: "assistant", ...message(answer) },
    finish_reason: FINISH[answer.finish] ?? answer.finish,
    ...(behaviour.usagePlace === "none" ? {} : { usage: usage(answer.usage) }),
  }),

  stream,

  error(failure, serial) {
    const [status, text] = ERRORS[failure.kind] ?? [500, "internal server error"];
    const html = failure.kind === "html";
    return {
      status: failure.status ?? status,
      headers: {
        "content-type": html ? "text/html" : "application/json",
        ...failureHeaders(failure),
      },
      body: html
        ? HTML_ERROR
        : JSON.stringify({ id: `err-${serial}`, message: failure.message ?? text }),
    };
  },

  errorFrame: (failure) =>
    event("message-end", {
      delta: { finish_reason: "ERROR", error: failure.message ?? "internal server error" },
    }),
};

const event = (type: string, members: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;

function turn(message: Record<string, unknown>, images: Ask["images"]): Turn {
  const role = message.role as Turn["role"];
  if (typeof message.content === "string") return { role, text: message.content };
  let text = "";
  for (const entry of list(message.content)) {
    const part = record(entry);
    text += string(part.text);
    if (part.type !== "image_url") continue;
    const url = string(record(part.image_url).url);
    const [, type, data] = /^data:([^;]+);base64,(.*)$/s.exec(url) ?? [];
    images.push({ type: type ?? "url", bytes: Buffer.from(data ?? "", "base64").length });
  }
  return { role, text };
}

const callOf = (part: Extract<SolidPart, { kind: "tool" }>, answer: Answer, index: number) => ({
  id: part.id ?? `${part.name}_${answer.serial}_${index}`,
  type: "function",
  function: { name: part.name, arguments: part.arguments },
});

const contentOf = (part: SolidPart) =>
  part.kind === "thinking"
    ? { type: "thinking", thinking: part.text }
    : { type: "text", text: "text" in part ? part.text : "" };

function message(answer: Answer) {
  const parts = answer.choices[0] ?? [];
  const calls = parts.filter((part) => part.kind === "tool");
  const said = parts.filter((part) => part.kind !== "tool" && part.kind !== "redacted");
  const plan = said.filter((part) => part.kind === "text");
  if (calls.length === 0) return { content: said.map(contentOf) };
  const thoughts = said.filter((part) => part.kind === "thinking");
  return {
    ...(thoughts.length > 0 && { content: thoughts.map(contentOf) }),
    tool_plan: plan.map((part) => part.text).join(""),
    tool_calls: calls.map((part, index) => callOf(part, answer, index)),
  };
}

function stream(answer: Answer, behaviour: { usagePlace?: string }): Frame[] {
  const parts = answer.choices[0] ?? [];
  const plans = parts.some((part) => part.kind === "tool");
  const frames = [
    frame(
      event("message-start", {
        id: `up-${answer.serial}`,
        delta: { message: { role: "assistant", content: [], tool_plan: "", tool_calls: [] } },
      }),
      "start",
    ),
  ];
  let contents = 0;
  let calls = 0;
  for (const part of parts) {
    if (part.kind === "redacted") continue;
    if (part.kind === "tool") {
      const index = calls++;
      const head = callOf({ ...part, arguments: "" }, answer, index);
      const start = { index, delta: { message: { tool_calls: head } } };
      frames.push(frame(event("tool-call-start", start), "content", 1));
      for (const run of runs(part.arguments)) {
        const delta = { message: { tool_calls: { function: { arguments: run } } } };
        frames.push(frame(event("tool-call-delta", { index, delta }), "content", 1));
      }
      frames.push(frame(event("tool-call-end", { index }), "other"));
      continue;
    }
    const thought = part.kind === "thinking";
    if (plans && !thought) {
      for (const word of words(part.text)) {
        const delta = { message: { tool_plan: word } };
        frames.push(frame(event("tool-plan-delta", { delta }), "content", 1));
      }
      continue;
    }
    const index = contents++;
    const empty = contentOf({ ...part, text: "" });
    const begin = { index, delta: { message: { content: empty } } };
    frames.push(frame(event("content-start", begin), "other"));
    for (const word of words(part.text)) {
      const content = thought ? { thinking: word } : { text: word };
      const told = { index, delta: { message: { content } } };
      frames.push(frame(event("content-delta", told), "content", 1, thought));
    }
    frames.push(frame(event("content-end", { index }), "other"));
  }
  const finish_reason = FINISH[answer.finish] ?? answer.finish;
  const told = behaviour.usagePlace === "none" ? {} : { usage: usage(answer.usage) };
  return [...frames, frame(event("message-end", { delta: { finish_reason, ...told } }), "end")];
}

/** What is billed, beside what the model saw. */
function usage(u: Usage) {
  const input_tokens = u.input + u.cacheRead + u.cacheWrite;
  const output_tokens = u.output + u.reasoning;
  return {
    billed_units: { input_tokens, output_tokens },
    tokens: { input_tokens: input_tokens + 500, output_tokens: output_tokens + 5 },
  };
}
