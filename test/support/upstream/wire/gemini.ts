import type { FailureKind } from "../behaviour.ts";
import { words, type Usage } from "../tokens.ts";
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
  stop: "STOP",
  length: "MAX_TOKENS",
  tools: "STOP",
  filter: "SAFETY",
  refusal: "SAFETY",
  "stop-sequence": "STOP",
};

const ERRORS: Record<FailureKind, [number, string, string]> = {
  bad_request: [400, "INVALID_ARGUMENT", "Request contains an invalid argument."],
  invalid_key: [400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."],
  forbidden: [403, "PERMISSION_DENIED", "The caller does not have permission."],
  model_not_found: [404, "NOT_FOUND", "models/unknown is not found for API version v1beta."],
  context_window: [
    400,
    "INVALID_ARGUMENT",
    "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
  ],
  content_filter: [
    400,
    "INVALID_ARGUMENT",
    "The prompt was filtered due to the content management policy.",
  ],
  too_large: [413, "INVALID_ARGUMENT", "Request payload size exceeds the limit."],
  rate_limit: [429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."],
  quota: [429, "RESOURCE_EXHAUSTED", "Insufficient quota: you have run out of credits."],
  server_error: [500, "INTERNAL", "An internal error has occurred."],
  unavailable: [503, "UNAVAILABLE", "The service is currently unavailable."],
  overloaded: [503, "UNAVAILABLE", "The model is overloaded. Please try again later."],
  timeout: [504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."],
  html: [502, "", ""],
};

const PATH = /\/models\/([^/]+):(generateContent|streamGenerateContent|countTokens)$/;

export const gemini: Wire = {
  name: "gemini",
  streamType: "text/event-stream",
  terminator: "",
  frame: (payload) => `data: ${payload}\n\n`,
  model: ({ path }) => decodeURIComponent(PATH.exec(path)?.[1] ?? ""),

  route(method, path) {
    const [, , call] = PATH.exec(path) ?? [];
    if (method === "POST" && call !== undefined)
      return call === "countTokens" ? "count" : "generate";
    return method === "GET" && path.endsWith("/v1beta/models") ? "models" : undefined;
  },

  key(headers) {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
    return (headers["x-goog-api-key"] as string | undefined) ?? bearer;
  },

  read(_, { path, query, body }) {
    const b = record(body);
    const [, model = "", call] = PATH.exec(path) ?? [];
    if (!Array.isArray(b.contents) || b.contents.length === 0) {
      return { kind: "bad_request", message: "contents is not specified" };
    }
    const stray = Object.keys(b).find((name) => !MEMBERS.has(name));
    if (stray !== undefined) {
      return { kind: "bad_request", message: `Invalid JSON payload: unknown name "${stray}"` };
    }
    const config = record(b.generationConfig);
    const images: Ask["images"] = [];
    const stream = call === "streamGenerateContent";
    return {
      model: decodeURIComponent(model),
      stream,
      array: stream && query.get("alt") !== "sse",
      usageInStream: true,
      maxTokens: typeof config.maxOutputTokens === "number" ? config.maxOutputTokens : undefined,
      stop: list(config.stopSequences).map(String),
      n: typeof config.candidateCount === "number" ? config.candidateCount : 1,
      logprobs: config.responseLogprobs === true,
      turns: b.contents.flatMap((content) => turns(record(content), images)),
      tools: list(b.tools).flatMap((tool) =>
        list(record(tool).functionDeclarations).map((each) => string(record(each).name)),
      ),
      images,
    };
  },

  whole: (answer, behaviour) => ({
    candidates: answer.choices.map((parts, index) => ({
      content: { role: "model", parts: parts.map((part) => written(part, answer)) },
      finishReason: FINISH[answer.finish] ?? answer.finish,
      index,
      ...(answer.logprobs && { logprobsResult: logprobs(parts) }),
    })),
    ...(behaviour.usagePlace === "none" ? {} : { usageMetadata: usage(answer.usage) }),
    ...head(answer),
  }),

  stream(answer, behaviour, ask) {
    const chunks: [object, Frame["kind"], number, boolean][] = answer.choices.flatMap(
      (parts, index) => [
        ...parts.flatMap((part) =>
          pieces(part).map((piece): [object, Frame["kind"], number, boolean] => [
            {
              candidates: [
                {
                  content: { role: "model", parts: [written(piece, answer)] },
                  index,
                  ...(answer.logprobs && { logprobsResult: logprobs([piece]) }),
                },
              ],
              ...head(answer),
            },
            "content",
            1,
            piece.kind === "thinking",
          ]),
        ),
        [
          {
            candidates: [
              {
                content: { role: "model", parts: [{ text: "" }] },
                finishReason: FINISH[answer.finish] ?? answer.finish,
                index,
              },
            ],
            ...(behaviour.usagePlace === "none" ? {} : { usageMetadata: usage(answer.usage) }),
            ...head(answer),
          },
          "finish",
          0,
          false,
        ],
      ],
    );
    const framed = chunks.map(([chunk, kind, tokens, reasoning], index) => {
      const json = JSON.stringify(chunk, null, ask.array ? 2 : 0);
      const text = ask.array ? (index === 0 ? "[" : ",\r\n") + json : `data: ${json}\n\n`;
      return frame(text, kind, tokens, reasoning);
    });
    return ask.array ? [...framed, frame("\n]\n", "end")] : framed;
  },

  error(failure, serial) {
    const [status] = ERRORS[failure.kind];
    const html = failure.kind === "html";
    return {
      status: failure.status ?? status,
      headers: {
        "content-type": html ? "text/html" : "application/json; charset=UTF-8",
        "x-request-id": `req_${serial}`,
        ...failureHeaders(failure),
      },
      body: html ? HTML_ERROR : JSON.stringify(errorBody(failure), null, 2),
    };
  },

  errorFrame: (failure) => `${JSON.stringify(errorBody(failure))}\n\n`,
  models: (names) => ({ models: names.map((name) => ({ name: `models/${name}` })) }),
  count: (totalTokens) => ({ totalTokens }),
};

const MEMBERS = new Set([
  "contents",
  "systemInstruction",
  "tools",
  "toolConfig",
  "generationConfig",
  "safetySettings",
  "cachedContent",
  "labels",
]);

function errorBody(failure: { kind: FailureKind; message?: string; status?: number }) {
  const [status, name, message] = ERRORS[failure.kind];
  return {
    error: {
      code: failure.status ?? status,
      message: failure.message ?? message,
      status: name,
      ...(failure.kind === "invalid_key" && {
        details: [
          {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            reason: "API_KEY_INVALID",
            domain: "googleapis.com",
          },
        ],
      }),
    },
  };
}

const head = (answer: Answer) => ({
  modelVersion: answer.model,
  responseId: `up${answer.serial}`,
});

function turns(content: Record<string, unknown>, images: Ask["images"]): Turn[] {
  let text = "";
  let tool = false;
  for (const entry of list(content.parts)) {
    const part = record(entry);
    text += string(part.text);
    if (part.functionResponse !== undefined) {
      tool = true;
      text += JSON.stringify(record(part.functionResponse).response);
    }
    const inline = record(part.inlineData);
    if (inline.data !== undefined) {
      const bytes = Buffer.from(string(inline.data), "base64").length;
      images.push({ type: string(inline.mimeType), bytes });
    }
    if (part.fileData !== undefined) images.push({ type: "url", bytes: 0 });
  }
  const role = tool ? "tool" : content.role === "model" ? "assistant" : "user";
  return [{ role, text }];
}

/** Text and thinking come word by word, calls whole. */
function pieces(part: SolidPart): SolidPart[] {
  if (part.kind === "text" || part.kind === "refusal" || part.kind === "thinking") {
    return words(part.text).map((text) => ({ kind: part.kind, text }) as SolidPart);
  }
  return [part];
}

function written(part: SolidPart, answer: Answer): object {
  switch (part.kind) {
    case "thinking":
      return { text: part.text, thought: true };
    case "redacted":
      return { text: "", thoughtSignature: part.data };
    case "tool":
      return {
        functionCall: {
          ...(part.id !== undefined && { id: part.id }),
          name: part.name,
          args: JSON.parse(part.arguments || "{}") as unknown,
        },
        thoughtSignature: Buffer.from(`signed ${answer.serial} ${part.name}`).toString("base64"),
      };
    default:
      return { text: part.text };
  }
}

function logprobs(parts: SolidPart[]) {
  const tokens = parts.flatMap((part) => (part.kind === "text" ? words(part.text) : []));
  const one = (token: string) => ({ token, logProbability: -0.25 });
  return {
    chosenCandidates: tokens.map(one),
    topCandidates: tokens.map((token) => ({ candidates: [one(token)] })),
  };
}

/** Google's sums: cached is part of the prompt, thoughts stand beside the candidates. */
function usage(u: Usage) {
  const prompt = u.input + u.cacheRead + u.cacheWrite;
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: u.output,
    totalTokenCount: prompt + u.output + u.reasoning,
    ...(u.cacheRead > 0 && { cachedContentTokenCount: u.cacheRead }),
    ...(u.reasoning > 0 && { thoughtsTokenCount: u.reasoning }),
  };
}
