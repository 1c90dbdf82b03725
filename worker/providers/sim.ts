import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { UpstreamRequest } from "../core/ports.ts";

/**
 * The simulated provider: an OpenAI-compatible server inside the worker, without network, clock or chance, so that a
 * fresh machine answers at once and tests know every byte. `echo` repeats the last user text, `text` writes as many
 * numbered words as asked for, `tools` calls every offered tool, `thinking` reasons before it echoes.
 *
 * A token is four UTF-16 units, begun ones count. The answer stops at `max_tokens` with finish reason `length`.
 */
export async function simulate(request: UpstreamRequest): Promise<Response> {
  const path = request.url.slice("sim:".length);
  if (path !== "/chat/completions") return refusal(404, `The simulated provider has no ${path}.`);
  const body: unknown = JSON.parse(request.body ?? "{}");
  if (!isJsonObject(body)) return refusal(400, "The body must be a JSON object.");
  const answer = answerTo(body);
  if (answer === null) {
    return refusal(404, "The simulated provider has the models echo, text, tools and thinking.");
  }
  return body["stream"] === true
    ? streamed(answer, wantsUsage(body))
    : Response.json(whole(answer));
}

interface Answer {
  model: string;
  reasoning: string;
  text: string;
  calls: { id: string; name: string; arguments: string }[];
  finish: "stop" | "length" | "tool_calls";
  usage: JsonObject;
}

function answerTo(body: JsonObject): Answer | null {
  const model = typeof body["model"] === "string" ? body["model"] : "";
  const messages = Array.isArray(body["messages"]) ? body["messages"].filter(isJsonObject) : [];
  const asked = lastUserText(messages);
  const last = messages.at(-1);
  let reasoning = "";
  let text: string;
  let calls: Answer["calls"] = [];
  if (model === "echo") text = asked;
  else if (model === "text") text = numberedWords(asked);
  else if (model === "thinking") {
    reasoning = `The caller wrote ${asked.length} characters; I repeat them.`;
    text = asked;
  } else if (model === "tools") {
    if (last?.["role"] === "tool") text = `The tool said: ${textOf(last["content"])}`;
    else {
      calls = callsFor(body);
      text = calls.length === 0 ? asked : "";
    }
  } else return null;
  const limit = numberOf(body["max_completion_tokens"]) ?? numberOf(body["max_tokens"]) ?? 16_384;
  const cut = text.length > limit * 4;
  if (cut) text = text.slice(0, limit * 4);
  const prompt = tokens(JSON.stringify(messages));
  const thought = tokens(reasoning);
  const completion =
    tokens(text) + thought + calls.reduce((sum, call) => sum + tokens(call.arguments) + 4, 0);
  return {
    model,
    reasoning,
    text,
    calls,
    finish: calls.length > 0 ? "tool_calls" : cut ? "length" : "stop",
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: thought },
    },
  };
}

function whole(answer: Answer): JsonObject {
  const message: JsonObject = {
    role: "assistant",
    content: answer.text === "" ? null : answer.text,
  };
  if (answer.reasoning !== "") message["reasoning_content"] = answer.reasoning;
  if (answer.calls.length > 0) message["tool_calls"] = answer.calls.map((call) => toolCall(call));
  return {
    ...envelope(answer, "chat.completion"),
    choices: [{ index: 0, message, logprobs: null, finish_reason: answer.finish }],
    usage: answer.usage,
  };
}

function streamed(answer: Answer, includeUsage: boolean): Response {
  const chunk = (delta: JsonObject, finish: string | null = null): JsonObject => ({
    ...envelope(answer, "chat.completion.chunk"),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(includeUsage && { usage: null }),
  });
  const chunks: JsonObject[] = [chunk({ role: "assistant", content: "" })];
  for (const piece of pieces(answer.reasoning)) chunks.push(chunk({ reasoning_content: piece }));
  for (const piece of pieces(answer.text)) chunks.push(chunk({ content: piece }));
  answer.calls.forEach((call, index) => {
    chunks.push(chunk({ tool_calls: [{ index, ...toolCall({ ...call, arguments: "" }) }] }));
    for (const piece of pieces(call.arguments)) {
      chunks.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
  });
  chunks.push(chunk({}, answer.finish));
  if (includeUsage) {
    chunks.push({ ...envelope(answer, "chat.completion.chunk"), choices: [], usage: answer.usage });
  }
  const lines = [...chunks.map((each) => JSON.stringify(each)), "[DONE]"];
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const line = lines.shift();
      if (line === undefined) controller.close();
      else controller.enqueue(encoder.encode(`data: ${line}\n\n`));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function envelope(answer: Answer, object: string): JsonObject {
  return { id: `chatcmpl-sim-${answer.model}`, object, created: 0, model: answer.model };
}

function toolCall(call: Answer["calls"][number]): JsonObject {
  return {
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: call.arguments },
  };
}

function callsFor(body: JsonObject): Answer["calls"] {
  if (body["tool_choice"] === "none") return [];
  const tools = Array.isArray(body["tools"]) ? body["tools"].filter(isJsonObject) : [];
  const wanted = isJsonObject(body["tool_choice"]) ? body["tool_choice"]["function"] : undefined;
  const functions = tools
    .map((tool) => tool["function"])
    .filter(isJsonObject)
    .filter((each) => !isJsonObject(wanted) || each["name"] === wanted["name"]);
  const offered = body["parallel_tool_calls"] === false ? functions.slice(0, 1) : functions;
  return offered.map((each, index) => ({
    id: `call_sim_${index}`,
    name: typeof each["name"] === "string" ? each["name"] : "",
    arguments: JSON.stringify(exampleOf(each["parameters"], 0)),
  }));
}

/** The smallest value that fits a JSON schema's required members. */
function exampleOf(schema: Json | undefined, depth: number): Json {
  if (!isJsonObject(schema) || depth > 8) return {};
  if (Array.isArray(schema["enum"]) && schema["enum"][0] !== undefined) return schema["enum"][0];
  switch (schema["type"]) {
    case "string":
      return "text";
    case "integer":
    case "number":
      return 1;
    case "boolean":
      return true;
    case "array":
      return [exampleOf(schema["items"], depth + 1)];
    default: {
      const properties = isJsonObject(schema["properties"]) ? schema["properties"] : {};
      const required = Array.isArray(schema["required"])
        ? schema["required"]
        : Object.keys(properties);
      const entries = required
        .filter((name) => typeof name === "string")
        .map((name): [string, Json] => [name, exampleOf(properties[name], depth + 1)]);
      return Object.fromEntries(entries);
    }
  }
}

function lastUserText(messages: JsonObject[]): string {
  const user = messages.findLast((message) => message["role"] === "user");
  return textOf(user?.["content"]);
}

function textOf(content: Json | undefined): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .filter(isJsonObject)
    .map((part) => (typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}

/** "12 words" asks for twelve; without a number it is fifty, and 10,000 at most. */
function numberedWords(asked: string): string {
  const count = Math.min(Number(/\d+/.exec(asked)?.[0] ?? 50), 10_000);
  return Array.from({ length: count }, (_, index) => `word${index + 1}`).join(" ");
}

/** Pieces of at most 16 UTF-16 units that never split a surrogate pair. */
function pieces(text: string): string[] {
  const out: string[] = [];
  let piece = "";
  for (const character of text) {
    piece += character;
    if (piece.length >= 16) {
      out.push(piece);
      piece = "";
    }
  }
  if (piece !== "") out.push(piece);
  return out;
}

function tokens(text: string): number {
  return Math.ceil(text.length / 4);
}

function numberOf(value: Json | undefined): number | undefined {
  return typeof value === "number" && value > 0 ? value : undefined;
}

function wantsUsage(body: JsonObject): boolean {
  const options = body["stream_options"];
  return isJsonObject(options) && options["include_usage"] === true;
}

function refusal(status: number, message: string): Response {
  return Response.json(
    { error: { message, type: "invalid_request_error", param: null, code: null } },
    { status },
  );
}
