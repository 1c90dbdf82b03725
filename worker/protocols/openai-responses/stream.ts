import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { badAnswer, eventObject, objectIn, objectsIn, stringOf } from "../answers.ts";
import { streamFailure } from "../openai-chat/stream.ts";
import { others } from "../fields.ts";
import type { StreamParser } from "../protocol.ts";
import type { SseEvent } from "../sse.ts";
import { readAnnotation } from "./citations.ts";
import { parseFinish } from "./finish.ts";
import { callOf, readItem, stateOf } from "./output.ts";
import { parseUsage } from "./usage.ts";

const KNOWN_START: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created_at",
  "model",
  "output",
  "usage",
  "status",
  "error",
  "incomplete_details",
]);

interface Open {
  part: number;
  kind: "text" | "refusal" | "thinking" | "arguments";
  /** What was said so far, to find what the deltas left out. */
  said: string;
}

/** Reads the events of a streamed response; items of kinds that nobody else knows come whole at their end. */
export class ResponseStreamParser implements StreamParser {
  private readonly open = new Map<string, Open>();
  private parts = 0;
  private called = false;
  private done = false;

  push({ data }: SseEvent): ChatEvent[] {
    if (this.done || data.trim() === "" || data.trim() === "[DONE]") return [];
    const event = eventObject(data);
    const out: ChatEvent[] = [];
    switch (event["type"]) {
      case "response.created":
        this.start(event, out);
        break;
      case "response.output_item.added":
        this.addItem(event, out);
        break;
      case "response.output_text.delta":
        this.say(event, "text", event["delta"], out);
        break;
      case "response.output_text.done":
        this.complete(event, "text", event["text"], out);
        break;
      case "response.output_text.annotation.added":
        this.cite(event, out);
        break;
      case "response.refusal.delta":
        this.say(event, "refusal", event["delta"], out);
        break;
      case "response.refusal.done":
        this.complete(event, "refusal", event["refusal"], out);
        break;
      case "response.reasoning_summary_part.added":
        // Paragraphs of one piece of thinking.
        if (this.open.has(keyOf(event, "thinking"))) this.say(event, "thinking", "\n\n", out);
        break;
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        this.say(event, "thinking", event["delta"], out);
        break;
      case "response.function_call_arguments.delta":
        this.say(event, "arguments", event["delta"], out);
        break;
      case "response.function_call_arguments.done":
        this.complete(event, "arguments", event["arguments"], out);
        break;
      case "response.output_item.done":
        this.endItem(event, out);
        break;
      case "response.completed":
      case "response.incomplete":
        this.finish(objectIn(event["response"]) ?? {}, out);
        break;
      case "response.failed":
      case "error":
        this.fail(event, out);
        break;
      default:
    }
    return out;
  }

  /** Only its last event ends a response: a clean end of the body without it is a cut. */
  end(): ChatEvent[] {
    return [];
  }

  private start(event: JsonObject, out: ChatEvent[]): void {
    const response = objectIn(event["response"]) ?? {};
    const created = response["created_at"];
    out.push({
      type: "start",
      id: stringOf(response["id"]) ?? "",
      model: stringOf(response["model"]) ?? "",
      created: typeof created === "number" ? Math.floor(created) : 0,
      extra: others(response, KNOWN_START),
    });
  }

  private addItem(event: JsonObject, out: ChatEvent[]): void {
    const item = objectIn(event["item"]) ?? {};
    if (item["type"] !== "function_call") return;
    this.called = true;
    const call = callOf(item);
    this.begin(keyOf(event, "arguments"), "arguments", { ...call, arguments: "" }, out);
    if (call.arguments !== "") this.say(event, "arguments", call.arguments, out);
  }

  private begin(key: string, kind: Open["kind"], value: Part, out: ChatEvent[]): Open {
    const open: Open = { part: this.parts++, kind, said: "" };
    this.open.set(key, open);
    out.push({ type: "open", choice: 0, part: open.part, value });
    return open;
  }

  private say(
    event: JsonObject,
    kind: Open["kind"],
    delta: Json | undefined,
    out: ChatEvent[],
  ): void {
    const text = stringOf(delta);
    if (text === undefined) return;
    const key = keyOf(event, kind);
    let open = this.open.get(key);
    if (!open) {
      if (kind === "arguments") throw badAnswer("arguments belong to no call");
      open = this.begin(key, kind, { type: kind, text: "" }, out);
    }
    open.said += text;
    const told: PartDelta = { type: kind, text };
    const logprobs = objectsIn(event["logprobs"]);
    if (told.type === "text" && logprobs.length > 0) {
      told.logprobs = { content: logprobs, refusal: null };
    }
    if (text !== "") out.push({ type: "delta", choice: 0, part: open.part, delta: told });
  }

  /** The whole of what the deltas brought: what they left out is said now. */
  private complete(
    event: JsonObject,
    kind: Open["kind"],
    whole: Json | undefined,
    out: ChatEvent[],
  ): void {
    const text = stringOf(whole) ?? "";
    const said = this.open.get(keyOf(event, kind))?.said ?? "";
    if (text.length > said.length && text.startsWith(said)) {
      this.say(event, kind, text.slice(said.length), out);
    }
  }

  private cite(event: JsonObject, out: ChatEvent[]): void {
    const open = this.open.get(keyOf(event, "text"));
    if (!open) return;
    const citation = readAnnotation(event["annotation"] ?? null);
    const delta: PartDelta = { type: "citation", citation };
    out.push({ type: "delta", choice: 0, part: open.part, delta });
  }

  private endItem(event: JsonObject, out: ChatEvent[]): void {
    const item = objectIn(event["item"]) ?? {};
    switch (item["type"]) {
      case "message":
        for (const [index, content] of objectsIn(item["content"]).entries()) {
          const at = { ...event, content_index: index };
          if (content["type"] === "refusal") {
            this.complete(at, "refusal", content["refusal"], out);
          } else this.complete(at, "text", content["text"], out);
        }
        break;
      case "function_call":
        if (!this.open.has(keyOf(event, "arguments"))) this.addItem(event, out);
        this.complete(event, "arguments", item["arguments"], out);
        break;
      case "reasoning": {
        const shown = [...objectsIn(item["content"]), ...objectsIn(item["summary"])];
        const text = shown.map((each) => stringOf(each["text"]) ?? "").join("\n\n");
        this.complete(event, "thinking", text, out);
        this.close(event, out);
        for (const state of stateOf(item)) this.whole(state, out);
        return;
      }
      default:
        for (const part of readItem(item)) {
          if (part.type === "toolCall") this.called = true;
          this.whole(part, out);
        }
    }
    this.close(event, out);
  }

  private whole(value: Part, out: ChatEvent[]): void {
    const part = this.parts++;
    out.push({ type: "open", choice: 0, part, value });
    out.push({ type: "close", choice: 0, part });
  }

  private close(event: JsonObject, out: ChatEvent[]): void {
    const item = `${placeOf(event["output_index"])} `;
    for (const [key, open] of this.open) {
      if (!key.startsWith(item)) continue;
      this.open.delete(key);
      out.push({ type: "close", choice: 0, part: open.part });
    }
  }

  private finish(response: JsonObject, out: ChatEvent[]): void {
    for (const open of this.open.values()) out.push({ type: "close", choice: 0, part: open.part });
    this.open.clear();
    this.done = true;
    out.push({ type: "finish", choice: 0, reason: parseFinish(response, this.called) });
    const usage = objectIn(response["usage"]);
    if (usage) out.push({ type: "usage", usage: parseUsage(usage) });
    out.push({ type: "done" });
  }

  private fail(event: JsonObject, out: ChatEvent[]): void {
    this.done = true;
    const from = objectIn(event["response"]) ?? event;
    const failure = streamFailure(from, from["error"] ?? from);
    out.push({ type: "failure", failure });
  }
}

/** Which part an event extends; thinking is one part for an item, however many paragraphs it has. */
function keyOf(event: JsonObject, kind: Open["kind"]): string {
  const said = kind === "text" || kind === "refusal";
  const content = said ? placeOf(event["content_index"]) : 0;
  return `${placeOf(event["output_index"])} ${kind} ${content}`;
}

function placeOf(index: Json | undefined): number {
  return typeof index === "number" ? index : 0;
}
