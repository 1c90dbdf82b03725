import type { FailureKind } from "../behaviour.ts";
import { words } from "../tokens.ts";
import { openaiChat } from "./openai-chat.ts";
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
  type SolidPart,
  type Turn,
  type Wire,
} from "./wire.ts";

const ERRORS: Partial<Record<FailureKind, [number, string]>> = {
  bad_request: [400, "invalid options"],
  invalid_key: [401, "unauthorized"],
  forbidden: [403, "forbidden"],
  model_not_found: [404, "model not found, try pulling it first"],
  context_window: [400, "input length exceeds the context length"],
  rate_limit: [429, "too many requests"],
  quota: [429, "out of credits"],
  overloaded: [503, "server busy, please try again. maximum pending requests exceeded"],
  unavailable: [503, "service unavailable"],
  html: [502, ""],
};

export const ollama: Wire = {
  name: "ollama",
  streamType: "application/x-ndjson",
  terminator: "",
  model: ({ body }) => string(record(body).model),
  key: openaiChat.key,
  models: openaiChat.models,
  count: openaiChat.count,
  frame: (payload) => `${payload}\n`,

  route: (method, path) =>
    method === "POST" && path.endsWith("/api/chat") ? "generate" : undefined,

  read(_, { body }) {
    const b = record(body);
    if (typeof b.model !== "string") return { kind: "bad_request", message: "model is required" };
    const options = record(b.options);
    const images: Ask["images"] = [];
    return {
      model: b.model,
      // Unlike everybody else's, these answers stream unless told not to.
      stream: b.stream !== false,
      usageInStream: true,
      maxTokens: typeof options.num_predict === "number" ? options.num_predict : undefined,
      stop: list(options.stop).map(String),
      n: 1,
      logprobs: false,
      turns: list(b.messages).map((message) => turn(record(message), images)),
      tools: list(b.tools).map((tool) => string(record(record(tool).function).name)),
      images,
    };
  },

  whole: (answer) => ({
    ...head(answer),
    message: { role: "assistant", ...joined(answer.choices[0] ?? []) },
    ...end(answer),
  }),

  stream,

  error(failure) {
    const [status, text] = ERRORS[failure.kind] ?? [500, "internal server error"];
    const html = failure.kind === "html";
    return {
      status: failure.status ?? status,
      headers: {
        "content-type": html ? "text/html" : "application/json",
        ...failureHeaders(failure),
      },
      body: html ? HTML_ERROR : JSON.stringify({ error: failure.message ?? text }),
    };
  },

  errorFrame: (failure) => `${JSON.stringify({ error: failure.message ?? "model stopped" })}\n`,
};

const head = (answer: Answer) => ({
  model: answer.model,
  created_at: new Date(1_760_000_000_000 + answer.serial).toISOString(),
});

const end = ({ finish, usage }: Answer) => ({
  done: true,
  done_reason: finish === "length" ? "length" : "stop",
  prompt_eval_count: usage.input + usage.cacheRead + usage.cacheWrite,
  eval_count: usage.output + usage.reasoning,
});

function turn(message: Record<string, unknown>, images: Ask["images"]): Turn {
  for (const image of list(message.images)) {
    const bytes = Buffer.from(string(image), "base64").length;
    images.push({ type: "image/png", bytes });
  }
  return { role: message.role as Turn["role"], text: string(message.content) };
}

const call = (part: Extract<SolidPart, { kind: "tool" }>) => ({
  function: { name: part.name, arguments: JSON.parse(part.arguments || "{}") as unknown },
});

function joined(parts: SolidPart[]) {
  const of = (kind: "text" | "thinking") =>
    parts.map((part) => (part.kind === kind ? part.text : "")).join("");
  const calls = parts.filter((part) => part.kind === "tool").map(call);
  const thinking = of("thinking");
  return {
    content: of("text"),
    ...(thinking !== "" && { thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function stream(answer: Answer): Frame[] {
  const line = (message: object, more: object = {}) =>
    `${JSON.stringify({ ...head(answer), message: { role: "assistant", content: "", ...message }, done: false, ...more })}\n`;
  const frames = (answer.choices[0] ?? []).flatMap((part): Frame[] => {
    if (part.kind === "tool") return [frame(line({ tool_calls: [call(part)] }), "content", 1)];
    if (part.kind === "redacted") return [];
    const thought = part.kind === "thinking";
    return words(part.text).map((word) =>
      frame(line(thought ? { thinking: word } : { content: word }), "content", 1, thought),
    );
  });
  return [...frames, frame(line({}, end(answer)), "end")];
}
