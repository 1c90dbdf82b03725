import type { Behaviour, FailureKind } from "../behaviour.ts";
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
  type SolidPart,
  type Turn,
  type Wire,
} from "./wire.ts";

const FINISH: Record<string, string> = {
  stop: "stop",
  length: "length",
  tools: "tool_calls",
  filter: "content_filter",
  refusal: "stop",
  "stop-sequence": "stop",
};

const ERRORS: Record<FailureKind, [number, string, string | null, string]> = {
  bad_request: [400, "invalid_request_error", null, "Invalid value in the request."],
  invalid_key: [401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."],
  forbidden: [403, "invalid_request_error", "permission_denied", "No access to this project."],
  model_not_found: [404, "invalid_request_error", "model_not_found", "The model does not exist."],
  context_window: [
    400,
    "invalid_request_error",
    "context_length_exceeded",
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
  ],
  content_filter: [
    400,
    "invalid_request_error",
    "content_filter",
    "The response was filtered due to the content management policy.",
  ],
  too_large: [413, "invalid_request_error", null, "Request body too large."],
  rate_limit: [429, "requests", "rate_limit_exceeded", "Rate limit reached for requests."],
  quota: [429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."],
  server_error: [500, "server_error", null, "The server had an error."],
  unavailable: [503, "server_error", null, "The engine is currently unavailable."],
  overloaded: [503, "server_error", "overloaded", "The engine is currently overloaded."],
  timeout: [504, "server_error", null, "The request timed out."],
  html: [502, "", null, ""],
};

export const openaiChat: Wire = {
  name: "openai-chat",
  streamType: "text/event-stream",
  model: ({ body }) => string(record(body).model),
  terminator: "data: [DONE]\n\n",
  frame: (payload) => `data: ${payload}\n\n`,

  route(method, path) {
    if (method === "POST" && path.endsWith("/chat/completions")) return "generate";
    return method === "GET" && path.endsWith("/models") ? "models" : undefined;
  },

  key(headers) {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
    return bearer ?? (headers["api-key"] as string | undefined);
  },

  read(_, { body }) {
    const b = record(body);
    if (typeof b.model !== "string") return { kind: "bad_request", message: "model is required" };
    if (!Array.isArray(b.messages) || b.messages.length === 0) {
      return { kind: "bad_request", message: "messages is required" };
    }
    const unanswered = unansweredCalls(b.messages.map(record));
    if (unanswered.length > 0) {
      return {
        kind: "bad_request",
        message: `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${unanswered.join(", ")}`,
      };
    }
    const images: Ask["images"] = [];
    const limit = b.max_completion_tokens ?? b.max_tokens;
    return {
      model: b.model,
      stream: b.stream === true,
      usageInStream: record(b.stream_options).include_usage === true,
      maxTokens: typeof limit === "number" ? limit : undefined,
      stop: (typeof b.stop === "string" ? [b.stop] : list(b.stop)).map(String),
      n: typeof b.n === "number" ? b.n : 1,
      logprobs: b.logprobs === true,
      turns: b.messages.map((message) => turn(record(message), images)),
      tools: list(b.tools).map((t) => String(record(record(t).function).name)),
      images,
    };
  },

  whole(answer, behaviour) {
    return {
      id: id(answer),
      object: "chat.completion",
      created: created(answer),
      model: answer.model,
      choices: answer.choices.map((parts, index) => ({
        index,
        message: message(parts, answer, behaviour),
        logprobs: answer.logprobs ? { content: logprobs(visible(parts)), refusal: null } : null,
        finish_reason: FINISH[answer.finish] ?? answer.finish,
      })),
      ...(behaviour.usagePlace === "none" ? {} : { usage: usage(answer.usage, behaviour) }),
      service_tier: "default",
      system_fingerprint: "fp_upstream",
    };
  },

  stream,

  error(failure, serial) {
    const [status, type, code, text] = ERRORS[failure.kind];
    const html = failure.kind === "html";
    return {
      status: failure.status ?? status,
      headers: {
        "content-type": html ? "text/html" : "application/json",
        "x-request-id": `req_${serial}`,
        ...failureHeaders(failure),
      },
      body: html
        ? HTML_ERROR
        : JSON.stringify({ error: { message: failure.message ?? text, type, param: null, code } }),
    };
  },

  errorFrame(failure) {
    const [, type, code, text] = ERRORS[failure.kind];
    const error = { message: failure.message ?? text, type, param: null, code };
    return `data: ${JSON.stringify({ error })}\n\n`;
  },

  models: (names) => ({
    object: "list",
    data: names.map((name) => ({ id: name, object: "model", created: 1, owned_by: "upstream" })),
  }),
  count: () => ({}),
};

/** Calls without a result right behind the message that holds them. */
function unansweredCalls(messages: Record<string, unknown>[]): string[] {
  return messages.flatMap((message, index) => {
    const behind = messages.slice(index + 1);
    const end = behind.findIndex(({ role }) => role !== "tool");
    const results = (end < 0 ? behind : behind.slice(0, end)).map((each) => each.tool_call_id);
    const calls = list(message.tool_calls).map((call) => record(call).id);
    return calls.filter((call) => !results.includes(call)).map(String);
  });
}

function turn(message: Record<string, unknown>, images: Ask["images"]): Turn {
  const role = message.role === "developer" ? "system" : (message.role as Turn["role"]);
  if (typeof message.content === "string") return { role, text: message.content };
  let text = "";
  for (const entry of list(message.content)) {
    const part = record(entry);
    if (part.type === "text") text += String(part.text);
    if (part.type !== "image_url") continue;
    const url = String(record(part.image_url).url);
    const [, type, data] = /^data:([^;]+);base64,(.*)$/s.exec(url) ?? [];
    images.push({ type: type ?? "url", bytes: Buffer.from(data ?? "", "base64").length });
  }
  return { role, text };
}

const id = (answer: Answer) => `chatcmpl-up${answer.serial}`;
const created = (answer: Answer) => 1_760_000_000 + answer.serial;
const callId = (part: { id?: string }, answer: Answer, choice: number, index: number) =>
  part.id ?? `call_${answer.serial}_${choice}_${index}`;
const ofKind = <K extends SolidPart["kind"]>(parts: SolidPart[], kind: K) =>
  parts.filter((part): part is Extract<SolidPart, { kind: K }> => part.kind === kind);
const join = (parts: { text: string }[]) =>
  parts.length === 0 ? null : parts.map((part) => part.text).join("");
const visible = (parts: SolidPart[]) => words(join(ofKind(parts, "text")) ?? "");

const logprobs = (tokens: string[]) =>
  tokens.map((token) => ({
    token,
    logprob: -0.25,
    bytes: [...Buffer.from(token)],
    top_logprobs: [],
  }));

function message(parts: SolidPart[], answer: Answer, behaviour: Behaviour) {
  const calls = ofKind(parts, "tool");
  const thought = join(ofKind(parts, "thinking"));
  const choice = answer.choices.indexOf(parts);
  return {
    role: "assistant",
    content: join(ofKind(parts, "text")),
    ...(thought === null ? {} : { [behaviour.reasoningField ?? "reasoning_content"]: thought }),
    refusal: join(ofKind(parts, "refusal")),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call, index) => ({
            id: callId(call, answer, choice, index),
            type: "function",
            function: { name: call.name, arguments: call.arguments },
          })),
        }),
  };
}

/** OpenAI's sums: cached is part of prompt, reasoning part of completion (outside it for xAI). */
function usage(u: Usage, behaviour: Behaviour) {
  const prompt = u.input + u.cacheRead + u.cacheWrite;
  return {
    prompt_tokens: prompt,
    completion_tokens: u.output + (behaviour.reasoningOutside ? 0 : u.reasoning),
    total_tokens: prompt + u.output + u.reasoning,
    prompt_tokens_details: { cached_tokens: u.cacheRead, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: u.reasoning, audio_tokens: 0 },
  };
}

interface Piece {
  delta: Record<string, unknown>;
  tokens: number;
  reasoning: boolean;
  logprob?: string;
}

function pieces(parts: SolidPart[], answer: Answer, choice: number, b: Behaviour): Piece[] {
  const said: Piece[] = [];
  const calls: Piece[][] = [];
  for (const part of parts) {
    if (part.kind === "tool") {
      const index = calls.length;
      const head = {
        index,
        id: callId(part, answer, choice, index),
        type: "function",
        function: { name: part.name, arguments: "" },
      };
      calls.push([
        { delta: { tool_calls: [head] }, tokens: 1, reasoning: false },
        ...runs(part.arguments).map((run) => ({
          delta: { tool_calls: [{ index, function: { arguments: run } }] },
          tokens: 1,
          reasoning: false,
        })),
      ]);
    } else if (part.kind !== "redacted") {
      const field =
        part.kind === "text"
          ? "content"
          : part.kind === "refusal"
            ? "refusal"
            : (b.reasoningField ?? "reasoning_content");
      const reasoning = part.kind === "thinking";
      for (const word of words(part.text)) {
        said.push({ delta: { [field]: word }, tokens: 1, reasoning, logprob: word });
      }
    }
  }
  return [...said, ...(b.interleave ? alternate(calls) : calls.flat())];
}

/** The lists' members in turns: first of each, second of each, … */
function alternate<T>(lists: T[][]): T[] {
  const longest = Math.max(0, ...lists.map((l) => l.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((l) => l.slice(i, i + 1))).flat();
}

function stream(answer: Answer, behaviour: Behaviour, ask: Ask): Frame[] {
  const asked = behaviour.usagePlace ?? "asked";
  const place = asked === "asked" ? (ask.usageInStream ? "own" : "none") : asked;
  const soFar: Usage = { ...answer.usage, output: 0, reasoning: 0 };

  const event = (choices: unknown[], kind: Frame["kind"], piece?: Piece, extra: object = {}) => {
    if (piece) soFar[piece.reasoning ? "reasoning" : "output"] += piece.tokens;
    const body = {
      id: id(answer),
      object: "chat.completion.chunk",
      created: created(answer),
      model: answer.model,
      service_tier: "default",
      system_fingerprint: "fp_upstream",
      choices,
      ...(ask.usageInStream && place === "own" ? { usage: null } : {}),
      ...(place === "every" ? { usage: usage(soFar, behaviour) } : {}),
      ...extra,
    };
    return frame(`data: ${JSON.stringify(body)}\n\n`, kind, piece?.tokens, piece?.reasoning);
  };
  const choice = (index: number, delta: object, finish: string | null, word?: string) => ({
    index,
    delta,
    logprobs:
      answer.logprobs && word !== undefined ? { content: logprobs([word]), refusal: null } : null,
    finish_reason: finish,
  });

  const start = answer.choices.map((_, index) =>
    event([choice(index, { role: "assistant", content: "", refusal: null }, null)], "start"),
  );
  const content = alternate(
    answer.choices.map((parts, index) =>
      pieces(parts, answer, index, behaviour).map((piece) => ({ index, piece })),
    ),
  ).map(({ index, piece }) =>
    event([choice(index, piece.delta, null, piece.logprob)], "content", piece),
  );
  const total = usage(answer.usage, behaviour);
  const beside = {
    finish: { usage: total },
    x_groq: { x_groq: { id: id(answer), usage: total } },
    every: { usage: total },
  }[place as string];
  const finish = answer.choices.map((_, index) => {
    const last = index === answer.choices.length - 1;
    const end = choice(index, {}, FINISH[answer.finish] ?? answer.finish);
    const inChoice = last && place === "choice" ? { ...end, usage: total } : end;
    return event([inChoice], "finish", undefined, last ? (beside ?? {}) : {});
  });
  const own = place === "own" ? [event([], "usage", undefined, { usage: total })] : [];
  return [...start, ...content, ...finish, ...own, frame("data: [DONE]\n\n", "end")];
}
