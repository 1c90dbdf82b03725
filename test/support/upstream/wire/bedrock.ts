import type { FailureKind } from "../behaviour.ts";
import { runs, words, type Usage } from "../tokens.ts";
import { awsEvent, awsException } from "./aws-frame.ts";
import { anthropic } from "./anthropic.ts";
import { openaiChat } from "./openai-chat.ts";
import {
  failureHeaders,
  frame,
  HTML_ERROR,
  list,
  record,
  string,
  type Addressed,
  type Answer,
  type Ask,
  type ErrorAnswer,
  type Frame,
  type SolidPart,
  type Turn,
  type Wire,
} from "./wire.ts";
import type { Failure } from "../behaviour.ts";

const STREAM = "application/vnd.amazon.eventstream";
const PATH = /\/model\/([^/]+)\/(converse|converse-stream|invoke|invoke-with-response-stream)$/;

const ERRORS: Partial<Record<FailureKind, [number, string, string]>> = {
  bad_request: [400, "ValidationException", "Malformed input request."],
  invalid_key: [403, "UnrecognizedClientException", "The security token is invalid."],
  forbidden: [403, "AccessDeniedException", "No access to the model."],
  model_not_found: [404, "ResourceNotFoundException", "Could not resolve the foundation model."],
  context_window: [400, "ValidationException", "Input is too long for requested model."],
  rate_limit: [429, "ThrottlingException", "Too many requests, please wait before trying again."],
  quota: [400, "ServiceQuotaExceededException", "You have run out of credits."],
  unavailable: [503, "ServiceUnavailableException", "Bedrock is unable to process your request."],
  html: [502, "", ""],
};

function refusal(failure: Failure): ErrorAnswer {
  const [status, kind, text] = ERRORS[failure.kind] ?? [500, "InternalServerException", "Failed."];
  const html = failure.kind === "html";
  return {
    status: failure.status ?? status,
    headers: {
      "content-type": html ? "text/html" : "application/json",
      "x-amzn-errortype": `${kind}:http://internal.amazon.com/`,
      ...failureHeaders(failure),
    },
    body: html ? HTML_ERROR : JSON.stringify({ message: failure.message ?? text }),
  };
}

const credential: Wire["key"] = (headers) =>
  /Credential=([^/]+)\//.exec(headers.authorization ?? "")?.[1] ??
  /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
const modelIn = ({ path }: Addressed) => decodeURIComponent(PATH.exec(path)?.[1] ?? "");

/** Bedrock's Converse. */
export const converse: Wire = {
  name: "bedrock-converse",
  streamType: STREAM,
  terminator: "",
  model: modelIn,
  key: credential,
  models: (names) => ({ modelSummaries: names.map((modelId) => ({ modelId })) }),
  count: () => ({}),
  error: refusal,
  errorFrame: (failure) =>
    awsException("internalServerException", failure.message ?? "The model failed."),

  frame(payload) {
    const [[type, body] = ["error", {}]] = Object.entries(record(JSON.parse(payload)));
    return awsEvent(type, record(body));
  },

  route: (method, path) =>
    method === "POST" && (PATH.exec(path)?.[2] ?? "").startsWith("converse")
      ? "generate"
      : undefined,

  read(_, request) {
    const b = record(request.body);
    const stray = Object.keys(b).find((name) => !MEMBERS.has(name));
    if (stray !== undefined) return { kind: "bad_request", message: `Unexpected field ${stray}` };
    const config = record(b.inferenceConfig);
    const images: Ask["images"] = [];
    const turns = list(b.messages).flatMap((message) => turnsOf(record(message), images));
    const system = list(b.system).map((part) => string(record(part).text));
    return {
      model: modelIn(request),
      stream: request.path.endsWith("-stream"),
      usageInStream: true,
      maxTokens: typeof config.maxTokens === "number" ? config.maxTokens : undefined,
      stop: list(config.stopSequences).map(String),
      n: 1,
      logprobs: false,
      turns: [
        ...(system.length > 0 ? [{ role: "system", text: system.join("") } as const] : []),
        ...turns,
      ],
      tools: list(record(b.toolConfig).tools).map((tool) =>
        string(record(record(tool).toolSpec).name),
      ),
      images,
    };
  },

  whole: (answer) => ({
    output: {
      message: {
        role: "assistant",
        content: (answer.choices[0] ?? []).map((part, index) => block(part, answer, index)),
      },
    },
    stopReason: FINISH[answer.finish] ?? answer.finish,
    usage: usage(answer.usage),
    metrics: { latencyMs: 1 },
  }),

  stream,
};

const MEMBERS = new Set([
  "messages",
  "system",
  "inferenceConfig",
  "toolConfig",
  "additionalModelRequestFields",
  "outputConfig",
  "guardrailConfig",
]);

const FINISH: Record<string, string> = {
  stop: "end_turn",
  length: "max_tokens",
  tools: "tool_use",
  filter: "content_filtered",
  refusal: "end_turn",
  "stop-sequence": "stop_sequence",
};

function turnsOf(message: Record<string, unknown>, images: Ask["images"]): Turn[] {
  let text = "";
  let tool = false;
  const read = (value: unknown): void => {
    const part = record(value);
    text += string(part.text);
    const image = record(part.image);
    if (image.source !== undefined) {
      const bytes = Buffer.from(string(record(image.source).bytes), "base64").length;
      images.push({ type: `image/${string(image.format)}`, bytes });
    }
    if (part.toolResult === undefined) return;
    tool = true;
    for (const each of list(record(part.toolResult).content)) read(each);
  };
  for (const part of list(message.content)) read(part);
  return [{ role: tool ? "tool" : (message.role as Turn["role"]), text }];
}

function block(part: SolidPart, answer: Answer, index: number) {
  switch (part.kind) {
    case "thinking": {
      const { text, signature } = part;
      return { reasoningContent: { reasoningText: { text, ...(signature && { signature }) } } };
    }
    case "redacted":
      return { reasoningContent: { redactedContent: part.data } };
    case "tool":
      return {
        toolUse: {
          toolUseId: part.id ?? `tooluse_${answer.serial}_${index}`,
          name: part.name,
          input: JSON.parse(part.arguments || "{}") as unknown,
        },
      };
    default:
      return { text: part.text };
  }
}

function stream(answer: Answer): Frame[] {
  const frames = [frame(awsEvent("messageStart", { role: "assistant" }), "start")];
  for (const [contentBlockIndex, part] of (answer.choices[0] ?? []).entries()) {
    const say = (delta: object, tokens = 1, thought = false) =>
      frames.push(
        frame(
          awsEvent("contentBlockDelta", { contentBlockIndex, delta }),
          "content",
          tokens,
          thought,
        ),
      );
    if (part.kind === "tool") {
      const toolUseId = part.id ?? `tooluse_${answer.serial}_${contentBlockIndex}`;
      const start = { toolUse: { toolUseId, name: part.name } };
      frames.push(frame(awsEvent("contentBlockStart", { contentBlockIndex, start }), "content", 1));
      for (const input of runs(part.arguments)) say({ toolUse: { input } });
    } else if (part.kind === "thinking") {
      for (const text of words(part.text)) say({ reasoningContent: { text } }, 1, true);
      if (part.signature) say({ reasoningContent: { signature: part.signature } }, 0, true);
    } else if (part.kind === "redacted") {
      say({ reasoningContent: { redactedContent: part.data } }, 0);
    } else for (const text of words(part.text)) say({ text });
    frames.push(frame(awsEvent("contentBlockStop", { contentBlockIndex }), "other"));
  }
  const stopReason = FINISH[answer.finish] ?? answer.finish;
  frames.push(frame(awsEvent("messageStop", { stopReason }), "finish"));
  const metadata = { usage: usage(answer.usage), metrics: { latencyMs: 1 } };
  return [...frames, frame(awsEvent("metadata", metadata), "usage")];
}

function usage(u: Usage) {
  return {
    inputTokens: u.input,
    cacheReadInputTokens: u.cacheRead,
    cacheWriteInputTokens: u.cacheWrite,
    outputTokens: u.output + u.reasoning,
    totalTokens: u.input + u.cacheRead + u.cacheWrite + u.output + u.reasoning,
  };
}

/** Anthropic's Messages behind Bedrock's invoke and behind Vertex: model and streaming in the path, a version in the body. */
function hosted(
  name: string,
  path: RegExp,
  version: string,
  { binary }: { binary: boolean },
): Wire {
  const streams = (at: string) => /stream/i.test(path.exec(at)?.[2] ?? "");
  const model = ({ path: at }: Addressed) => decodeURIComponent(path.exec(at)?.[1] ?? "");
  return {
    ...anthropic,
    name,
    model,
    key: credential,
    ...(binary && { streamType: STREAM, error: refusal }),
    route: (method, at) => (method === "POST" && path.test(at) ? "generate" : undefined),
    read(operation, request) {
      const body = record(request.body);
      if (body.anthropic_version !== version) {
        return { kind: "bad_request", message: "anthropic_version: Field required" };
      }
      if (body.model !== undefined) {
        return { kind: "bad_request", message: "model: Extra inputs are not permitted" };
      }
      const whole = { ...body, model: model(request), stream: streams(request.path) };
      return anthropic.read(operation, { ...request, body: whole });
    },
    stream(answer, behaviour, ask) {
      const frames = anthropic.stream(answer, behaviour, ask);
      return binary ? frames.map((each) => ({ ...each, text: chunked(each.text) })) : frames;
    },
    ...(binary && {
      errorFrame: (failure: Failure) =>
        awsException("modelStreamErrorException", failure.message ?? "The model failed."),
    }),
  };
}

/** A server-sent event as the chunk that wraps its data. */
function chunked(text: Frame["text"]): Uint8Array {
  const data = /^data: (.*)$/m.exec(String(text))?.[1] ?? "";
  return awsEvent("chunk", { bytes: Buffer.from(data).toString("base64") });
}

export const bedrockInvoke: Wire = hosted(
  "bedrock-invoke",
  /\/model\/([^/]+)\/(invoke|invoke-with-response-stream)$/,
  "bedrock-2023-05-31",
  { binary: true },
);

const onVertex: Wire = hosted(
  "vertex-anthropic",
  /\/publishers\/anthropic\/models\/([^/]+):(rawPredict|streamRawPredict)$/,
  "vertex-2023-10-16",
  { binary: false },
);
const COUNTS = /\/publishers\/anthropic\/models\/count-tokens:rawPredict$/;

/** Counts have a place of their own there, and name their model in the body. */
export const vertexAnthropic: Wire = {
  ...onVertex,
  model: (request) => (COUNTS.test(request.path) ? anthropic : onVertex).model(request),
  route: (method, at, headers) => (COUNTS.test(at) ? "count" : onVertex.route(method, at, headers)),
  read: (operation, request) =>
    (operation === "count" ? anthropic : onVertex).read(operation, request),
};

const INVOKE = /\/model\/([^/]+)\/(invoke|invoke-with-response-stream)$/;
const isOpenai = (path: string) =>
  INVOKE.test(path) && !modelIn({ path } as Addressed).includes("anthropic");

/** OpenAI's form behind Bedrock's invoke: the model in the path, chunks without a last word. */
export const bedrockOpenai: Wire = {
  ...openaiChat,
  name: "bedrock-openai",
  streamType: STREAM,
  terminator: "",
  model: modelIn,
  key: credential,
  error: refusal,
  route: (method, path) => (method === "POST" && isOpenai(path) ? "generate" : undefined),
  read(operation, request) {
    const body = record(request.body);
    if (body.model !== undefined) return { kind: "bad_request", message: "model: not permitted" };
    return openaiChat.read(operation, { ...request, body: { ...body, model: modelIn(request) } });
  },
  stream: (answer, behaviour, ask) =>
    openaiChat
      .stream(answer, behaviour, ask)
      .filter(({ text }) => !String(text).includes("[DONE]"))
      .map((each) => ({ ...each, text: chunked(each.text) })),
  errorFrame: (failure) =>
    awsException("modelStreamErrorException", failure.message ?? "The model failed."),
};
