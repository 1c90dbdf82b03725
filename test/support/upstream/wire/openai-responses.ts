import type { Behaviour, Failure } from "../behaviour.ts";
import { runs, words, type Usage } from "../tokens.ts";
import { openaiChat } from "./openai-chat.ts";
import {
  frame,
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

export const openaiResponses: Wire = {
  name: "openai-responses",
  streamType: "text/event-stream",
  terminator: "",
  model: ({ body }) => string(record(body).model),
  key: openaiChat.key,
  error: openaiChat.error,
  models: openaiChat.models,
  count: openaiChat.count,

  frame(payload) {
    const type = string(record(JSON.parse(payload)).type);
    return `event: ${type}\ndata: ${payload}\n\n`;
  },

  route: (method, path) =>
    method === "POST" && path.endsWith("/responses") ? "generate" : undefined,

  read(_, { body }) {
    const b = record(body);
    if (typeof b.model !== "string") return { kind: "bad_request", message: "model is required" };
    const images: Ask["images"] = [];
    const limit = b.max_output_tokens;
    if (typeof limit === "number" && limit < 16) {
      return { kind: "bad_request", message: "Invalid 'max_output_tokens': at least 16." };
    }
    const turns: Turn[] =
      typeof b.input === "string"
        ? [{ role: "user", text: b.input }]
        : list(b.input).flatMap((item) => turnsOf(record(item), images));
    if (typeof b.instructions === "string") turns.unshift({ role: "system", text: b.instructions });
    return {
      model: b.model,
      stream: b.stream === true,
      usageInStream: true,
      maxTokens: typeof limit === "number" ? limit : undefined,
      stop: [],
      n: 1,
      logprobs: list(b.include).includes("message.output_text.logprobs"),
      turns,
      tools: list(b.tools).map((tool) => string(record(tool).name)),
      images,
    };
  },

  whole(answer, behaviour) {
    const items = itemsOf(answer);
    return final(answer, behaviour, items);
  },

  stream,

  errorFrame(failure: Failure) {
    const { body } = openaiChat.error(failure, 0);
    const error = record(record(JSON.parse(body)).error);
    return event("error", { sequence_number: 0, error });
  },
};

const event = (type: string, members: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;

function turnsOf(item: Record<string, unknown>, images: Ask["images"]): Turn[] {
  if (item.type === "function_call_output") {
    return [{ role: "tool", text: textOf(item.output, images) }];
  }
  if (item.type !== undefined && item.type !== "message") return [];
  const role = item.role === "developer" ? "system" : (item.role as Turn["role"]);
  return [{ role, text: textOf(item.content, images) }];
}

function textOf(content: unknown, images: Ask["images"]): string {
  if (typeof content === "string") return content;
  return list(content)
    .map((entry) => {
      const part = record(entry);
      if (part.type === "input_image") {
        const [, type, data] = /^data:([^;]+);base64,(.*)$/s.exec(string(part.image_url)) ?? [];
        images.push({ type: type ?? "url", bytes: Buffer.from(data ?? "", "base64").length });
      }
      return string(part.text);
    })
    .join("");
}

function shell(answer: Answer) {
  return {
    id: `resp_up${answer.serial}`,
    object: "response",
    created_at: 1_760_000_000 + answer.serial,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    model: answer.model,
    output: [] as unknown[],
    parallel_tool_calls: true,
    tool_choice: "auto",
    tools: [],
    usage: null as unknown,
    metadata: {},
  };
}

function final(answer: Answer, behaviour: Behaviour, output: unknown[]) {
  const short = answer.finish === "length" || answer.finish === "filter";
  const reason = answer.finish === "filter" ? "content_filter" : "max_output_tokens";
  return {
    ...shell(answer),
    status: short ? "incomplete" : "completed",
    incomplete_details: short ? { reason } : null,
    output,
    usage: behaviour.usagePlace === "none" ? null : usage(answer.usage),
  };
}

interface Item {
  part: SolidPart;
  wire: Record<string, unknown>;
}

function item(part: SolidPart, answer: Answer, index: number): Record<string, unknown> {
  const id = `${answer.serial}_${index}`;
  switch (part.kind) {
    case "thinking":
      return {
        id: `rs_${id}`,
        type: "reasoning",
        summary: [{ type: "summary_text", text: part.text }],
        encrypted_content: Buffer.from(`encrypted ${id}`).toString("base64"),
      };
    case "redacted":
      return { id: `rs_${id}`, type: "reasoning", summary: [], encrypted_content: part.data };
    case "tool":
      return {
        id: `fc_${id}`,
        type: "function_call",
        status: "completed",
        call_id: part.id ?? `call_${id}`,
        name: part.name,
        arguments: part.arguments,
      };
    default:
      return {
        id: `msg_${id}`,
        type: "message",
        status: "completed",
        role: "assistant",
        content: [content(part, answer)],
      };
  }
}

function content(part: SolidPart, answer: Answer) {
  if (part.kind === "refusal") return { type: "refusal", refusal: part.text };
  const text = part.kind === "text" ? part.text : "";
  return {
    type: "output_text",
    text,
    annotations: [],
    logprobs: answer.logprobs ? words(text).map(logprob) : [],
  };
}

const logprob = (token: string) => ({
  token,
  logprob: -0.25,
  bytes: [...Buffer.from(token)],
  top_logprobs: [],
});

const itemsOf = (answer: Answer): Record<string, unknown>[] =>
  (answer.choices[0] ?? []).map((part, index) => item(part, answer, index));

function stream(answer: Answer, behaviour: Behaviour): Frame[] {
  let sequence = 0;
  const send = (type: string, members: object, kind: Frame["kind"], tokens = 0, thought = false) =>
    frame(event(type, { ...members, sequence_number: sequence++ }), kind, tokens, thought);
  const items = itemsOf(answer).map((wire, index): Item => ({
    part: answer.choices[0]![index]!,
    wire,
  }));
  const frames: Frame[] = [
    send("response.created", { response: shell(answer) }, "start"),
    send("response.in_progress", { response: shell(answer) }, "start"),
  ];
  for (const [output_index, { part, wire }] of items.entries()) {
    const at = { item_id: wire.id, output_index };
    const added = { ...wire, status: "in_progress" } as Record<string, unknown>;
    if (part.kind === "tool") added.arguments = "";
    else if (wire.type === "message") added.content = [];
    else {
      added.summary = [];
      delete added.encrypted_content;
    }
    frames.push(send("response.output_item.added", { output_index, item: added }, "other"));
    if (part.kind === "tool") {
      for (const delta of runs(part.arguments)) {
        const name = "response.function_call_arguments.delta";
        frames.push(send(name, { ...at, delta }, "content", 1));
      }
      const done = { ...at, name: part.name, arguments: part.arguments };
      frames.push(send("response.function_call_arguments.done", done, "other"));
    } else if (part.kind === "thinking") {
      const where = { ...at, summary_index: 0 };
      const empty = { type: "summary_text", text: "" };
      frames.push(
        send("response.reasoning_summary_part.added", { ...where, part: empty }, "other"),
      );
      for (const delta of words(part.text)) {
        const name = "response.reasoning_summary_text.delta";
        frames.push(send(name, { ...where, delta }, "content", 1, true));
      }
    } else if (part.kind !== "redacted") {
      const where = { ...at, content_index: 0 };
      const whole = content(part, answer);
      const empty =
        part.kind === "refusal" ? { ...whole, refusal: "" } : { ...whole, text: "", logprobs: [] };
      frames.push(send("response.content_part.added", { ...where, part: empty }, "other"));
      const name = part.kind === "refusal" ? "refusal" : "output_text";
      for (const delta of words(part.text)) {
        const logprobs = answer.logprobs ? [logprob(delta)] : [];
        const told = { ...where, delta, ...(name === "output_text" && { logprobs }) };
        frames.push(send(`response.${name}.delta`, told, "content", 1));
      }
      frames.push(send("response.content_part.done", { ...where, part: whole }, "other"));
    }
    frames.push(send("response.output_item.done", { output_index, item: wire }, "other"));
  }
  const response = final(
    answer,
    behaviour,
    items.map(({ wire }) => wire),
  );
  frames.push(send(`response.${response.status}`, { response }, "end"));
  return frames;
}

/** The sums of chat completions under other names. */
function usage(u: Usage) {
  const input = u.input + u.cacheRead + u.cacheWrite;
  const output = u.output + u.reasoning;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: u.cacheRead },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: u.reasoning },
    total_tokens: input + output,
  };
}
