import type { ChatEvent, StreamFailure } from "../../core/chat.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { badAnswer, eventObject, objectsIn, stringOf, textOf } from "../answers.ts";
import { namedError, publicText } from "../faults.ts";
import { others } from "../fields.ts";
import type { StreamParser } from "../protocol.ts";
import type { SseEvent } from "../sse.ts";
import { ChoiceReader } from "./choice-reader.ts";
import { usageIn } from "./usage.ts";

const KNOWN: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "model",
  "choices",
  "usage",
  "obfuscation",
]);

/** Reads the chunks of a streamed chat completion, whoever of the compatible providers sent them. */
export class ChatStreamParser implements StreamParser {
  private readonly choices = new Map<number, ChoiceReader>();
  private started = false;
  private done = false;
  private prelude: JsonObject = {};

  push(event: SseEvent): ChatEvent[] {
    if (this.done) return [];
    if (event.data.trim() === "[DONE]") return this.conclude();
    if (event.data.trim() === "") return [];
    const chunk = eventObject(event.data);
    const out: ChatEvent[] = [];
    const error = chunk["error"] ?? (event.event === "error" ? chunk : undefined);
    if (error !== undefined && error !== null) {
      this.done = true;
      return [{ type: "failure", failure: streamFailure(chunk, error) }];
    }
    const entries = objectsIn(chunk["choices"]);
    this.start(chunk, entries.length > 0, out);
    for (const entry of entries) {
      const index = typeof entry["index"] === "number" ? entry["index"] : 0;
      let choice = this.choices.get(index);
      if (!choice) this.choices.set(index, (choice = new ChoiceReader(index)));
      out.push(...choice.read(entry));
    }
    const usage = usageIn(chunk);
    if (usage) out.push({ type: "usage", usage });
    return out;
  }

  end(): ChatEvent[] {
    if (this.done || !this.complete()) return [];
    this.done = true;
    return [{ type: "done" }];
  }

  /** A prelude without choices and id (Azure) begins nothing; what it tells goes with the first real chunk. */
  private start(chunk: JsonObject, hasChoices: boolean, out: ChatEvent[]): void {
    if (this.started) return;
    const extra = others(chunk, KNOWN);
    if (!hasChoices && textOf(chunk["id"]) === undefined) {
      this.prelude = { ...this.prelude, ...extra };
      return;
    }
    this.started = true;
    out.push({
      type: "start",
      id: stringOf(chunk["id"]) ?? "",
      model: stringOf(chunk["model"]) ?? "",
      created: typeof chunk["created"] === "number" ? Math.floor(chunk["created"]) : 0,
      extra: { ...this.prelude, ...extra },
    });
  }

  /** The last words are no end where a choice has none: passed on, they would hide that the answer is not whole. */
  private conclude(): ChatEvent[] {
    const out = [...this.choices.values()].flatMap((choice) => choice.conclude());
    if (!this.complete()) throw badAnswer("the stream stopped without a finish reason");
    return [...out, ...this.end()];
  }

  private complete(): boolean {
    const choices = [...this.choices.values()];
    return choices.length > 0 && choices.every((choice) => choice.finished);
  }
}

const STATUS: readonly (readonly [RegExp, number])[] = [
  [/rate_?limit|too_many_requests|insufficient_quota/, 429],
  [/authentication|invalid_api_key/, 401],
  [/permission/, 403],
  [/not_found/, 404],
  [/invalid_request|bad_request|context_length/, 400],
  [/overloaded|unavailable|capacity/, 503],
  [/timeout/, 504],
];

/** An error inside a stream, with the status it would have had over HTTP. */
export function streamFailure(chunk: JsonObject, error: Json): StreamFailure {
  const named = namedError(isJsonObject(error) ? { error } : chunk);
  const number = Number(named.code);
  const names = `${named.code ?? ""} ${named.type ?? ""}`.toLowerCase();
  const status =
    number >= 400 && number <= 599
      ? number
      : (STATUS.find(([pattern]) => pattern.test(names))?.[1] ?? 500);
  const failure: StreamFailure = {
    status,
    message: publicText(named.message) ?? "The provider reported an error inside the stream.",
  };
  if (named.type !== undefined) failure.type = publicText(named.type);
  if (named.code !== undefined) failure.code = publicText(named.code);
  return failure;
}
