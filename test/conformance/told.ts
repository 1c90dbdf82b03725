import type { Loose } from "../support/loose.ts";

/**
 * What an answer says, read by the plainest means out of either dialect's JSON: the oracle that a gateway must not
 * change, whichever client asks.
 */
export interface Told {
  text: string;
  reasoning: string;
  calls: { name: string; input: unknown }[];
  /** In OpenAI's words. */
  finish: string | null;
  /** Totals; undefined where the provider told none. */
  usage: { prompt: number; completion: number; cached: number } | undefined;
}

/** Out of the chunks of a chat completion, or of one whole completion. */
export function toldByChunks(chunks: readonly Loose[]): Told {
  const told: Told = { text: "", reasoning: "", calls: [], finish: null, usage: undefined };
  const args = new Map<number, { name: string; text: string }>();
  for (const chunk of chunks) {
    told.usage = openaiUsage(chunk["usage"]) ?? told.usage;
    for (const choice of chunk["choices"] as Loose[]) {
      const delta = (choice["delta"] ?? choice["message"] ?? {}) as Loose;
      told.text += piecesOf(delta["content"], "text");
      told.reasoning +=
        (delta["reasoning_content"] ?? delta["reasoning"] ?? "") +
        piecesOf(delta["content"], "thinking");
      for (const call of (delta["tool_calls"] ?? []) as Loose[]) {
        const index = (call["index"] as number | undefined) ?? args.size;
        const known = args.get(index);
        const { name, arguments: json, input } = (call["function"] ?? call["custom"]) as Loose;
        // A tool that takes text is told as a function of that text would be.
        const text = (json ?? (input ? JSON.stringify({ input }) : "")) as string;
        if (known) known.text += text;
        else args.set(index, { name: name as string, text });
      }
      told.finish = (choice["finish_reason"] as string | null) ?? told.finish;
    }
  }
  told.calls = [...args.values()].map(({ name, text }) => ({ name, input: parsed(text) }));
  return told;
}

/** Out of a whole Anthropic message. */
export function toldByMessage(message: Loose): Told {
  const blocks = message["content"] as Loose[];
  const joined = (type: string, member: string) =>
    blocks.map((block) => (block["type"] === type ? (block[member] as string) : "")).join("");
  return {
    text: joined("text", "text"),
    reasoning: joined("thinking", "thinking"),
    calls: blocks
      .filter((block) => block["type"] === "tool_use")
      .map((block) => ({ name: block["name"] as string, input: block["input"] as unknown })),
    finish: FINISH[message["stop_reason"] as string] ?? String(message["stop_reason"]),
    usage: anthropicUsage(message["usage"] as Loose | undefined),
  };
}

/** Out of the events of one streamed Anthropic message. */
export function toldByEvents(events: readonly Loose[]): Told {
  let message: Loose = {};
  const blocks: Loose[] = [];
  for (const event of events) {
    if (event["type"] === "message_start") message = { ...event["message"] };
    if (event["type"] === "message_delta") {
      Object.assign(message, event["delta"]);
      message["usage"] = { ...message["usage"], ...event["usage"] };
    }
    if (event["type"] === "content_block_start") {
      blocks[event["index"] as number] = { ...event["content_block"], json: "" };
    }
    if (event["type"] !== "content_block_delta") continue;
    const block = blocks[event["index"] as number]!;
    const delta = event["delta"] as Loose;
    if (delta["type"] === "text_delta") block["text"] += delta["text"];
    if (delta["type"] === "thinking_delta") block["thinking"] += delta["thinking"];
    if (delta["type"] === "input_json_delta") block["json"] += delta["partial_json"];
  }
  for (const block of blocks) {
    if (block["json"] !== "") block["input"] = parsed(block["json"] as string);
  }
  return toldByMessage({ ...message, content: blocks });
}

const FINISH: Record<string, string> = {
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  compaction: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

/** A call without arguments is a call with an empty object. */
function parsed(text: string): unknown {
  return text === "" ? {} : (JSON.parse(text) as unknown);
}

/** Mistral sends lists of pieces where others send text. */
function piecesOf(content: unknown, type: "text" | "thinking"): string {
  if (typeof content === "string") return type === "text" ? content : "";
  if (!Array.isArray(content)) return "";
  return (content as Loose[])
    .filter((piece) => piece["type"] === type)
    .map((piece) =>
      type === "text"
        ? (piece["text"] as string)
        : (piece["thinking"] as Loose[]).map((inner) => inner["text"] as string).join(""),
    )
    .join("");
}

/** The completion is what the total says beyond the prompt: xAI leaves reasoning out of completion_tokens. */
function openaiUsage(usage: Loose | null | undefined): Told["usage"] {
  if (!usage) return undefined;
  const prompt = usage["prompt_tokens"] as number;
  return {
    prompt,
    completion: (usage["total_tokens"] as number) - prompt,
    cached:
      usage["prompt_tokens_details"]?.["cached_tokens"] ??
      usage["prompt_cache_hit_tokens"] ??
      usage["cached_tokens"] ??
      0,
  };
}

/** Several runs of models behind one answer are billed as their sum. */
function anthropicUsage(usage: Loose | undefined): Told["usage"] {
  if (!usage) return undefined;
  const runs = (usage["iterations"]?.length ? usage["iterations"] : [usage]) as Loose[];
  const sum = (name: string) => runs.reduce((n, run) => n + ((run[name] as number) ?? 0), 0);
  const cached = sum("cache_read_input_tokens");
  return {
    prompt: sum("input_tokens") + cached + sum("cache_creation_input_tokens"),
    completion: sum("output_tokens"),
    cached,
  };
}
