import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { NO_USAGE } from "../../core/usage.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { objectIn, objectsIn } from "../answers.ts";
import { parsed } from "../fields.ts";
import { freeformInput } from "../freeform.ts";
import type { StreamEncoder, StreamOptions } from "../protocol.ts";
import { sseText } from "../sse.ts";
import { writeAnnotations } from "./citations.ts";
import { encodeFinish } from "./finish.ts";
import {
  callItem,
  callPrefix,
  googleState,
  messageItem,
  outputText,
  reasoningItem,
  writeContent,
  writeItem,
} from "./output.ts";
import { itemIds, responseId, shell } from "./response.ts";
import { encodeUsage } from "./usage.ts";

/** A part that is being written: one output item. */
interface Item {
  index: number;
  id: string;
  /** The part as far as it is known. */
  value: Part;
  annotations: Json[];
  logprobs: Json[];
}

/** Writes the events of a streamed response: each part is an item of its own. Only the first choice is written. */
export class ResponseStreamEncoder implements StreamEncoder {
  private readonly options: StreamOptions;
  private readonly items = new Map<number, Item>();
  /** Items that are whole, by their place. */
  private readonly output: JsonObject[] = [];
  private response: JsonObject;
  private nextId: (prefix: string) => string;
  private begun = false;
  private places = 0;
  private sequence = 0;
  private finish: Extract<ChatEvent, { type: "finish" }> | null = null;
  private usage: TokenUsage = NO_USAGE;

  constructor(options: StreamOptions) {
    this.options = options;
    const id = responseId("", options);
    this.response = shell(id, "", options.created, options.asked);
    this.nextId = itemIds(id);
  }

  push(event: ChatEvent): string {
    switch (event.type) {
      case "start": {
        const id = responseId(event.id, this.options);
        const { created, asked } = this.options;
        this.response = shell(id, event.model, event.created || created, asked);
        this.nextId = itemIds(id);
        return this.begin();
      }
      case "open":
        return event.choice === 0 ? this.begin() + this.open(event.part, event.value) : "";
      case "delta":
        return event.choice === 0 ? this.delta(event.part, event.delta) : "";
      case "close":
        return event.choice === 0 ? this.close(event.part) : "";
      case "finish":
        if (event.choice === 0) this.finish = event;
        return "";
      case "usage":
        this.usage = event.usage;
        return "";
      case "failure":
        return "";
      case "done":
        return this.begin() + this.end();
    }
  }

  resume(delivered: readonly ChatEvent[], own: boolean, last?: string): void {
    let before: Part["type"] | undefined;
    for (const event of delivered) {
      // On the provider's own wire reasoning and its encrypted form are one item.
      const joined = own && event.type === "open" && isState(event.value) && before === "thinking";
      if (event.type === "open") before = event.value.type;
      if (!joined) this.push(event);
      if (own && event.type === "start") this.response["id"] = event.id;
    }
    if (last !== undefined) this.follow(objectIn(parsed(last)) ?? {});
  }

  /** Goes on with the number and the item of the last event. */
  private follow(last: JsonObject): void {
    const { sequence_number: sequence, output_index: place, item_id: id } = last;
    if (typeof sequence === "number") this.sequence = sequence + 1;
    if (typeof place !== "number") return;
    this.places = Math.max(this.places, place + 1);
    const known = id ?? objectIn(last["item"])?.["id"];
    const item = [...this.items.values()].at(-1);
    if (item === undefined || typeof known !== "string") return;
    item.index = place;
    item.id = known;
  }

  private begin(): string {
    if (this.begun) return "";
    this.begun = true;
    return (
      this.line("response.created", { response: this.response }) +
      this.line("response.in_progress", { response: this.response })
    );
  }

  private open(part: number, value: Part): string {
    switch (value.type) {
      case "text":
        if (value.signature !== undefined) return this.whole(value);
        return this.openText(part, value) + this.rest(part, value.text);
      case "refusal":
        return this.openText(part, value) + this.rest(part, value.text);
      case "audio":
        return this.openText(part, { type: "text", text: "" }) + this.rest(part, value.transcript);
      case "thinking": {
        const shown: Part = { ...value, text: "" };
        const item = this.add(part, shown, value.id ?? this.nextId("rs"));
        return (
          this.added(item, reasoningItem({ type: "thinking", text: "" }, item.id)) +
          (value.text === "" ? "" : this.delta(part, { type: "thinking", text: value.text }))
        );
      }
      case "toolCall": {
        const before = googleState(value.signature, this.nextId)
          .map((state) => this.wholeItem(state))
          .join("");
        const item = this.add(part, { ...value, arguments: "" }, this.nextId(callPrefix(value)));
        const call = { ...value, arguments: "" };
        return (
          before +
          this.added(item, callItem(call, item.id, "in_progress")) +
          (value.arguments === ""
            ? ""
            : this.delta(part, { type: "arguments", text: value.arguments }))
        );
      }
      default:
        return this.whole(value);
    }
  }

  private rest(part: number, text = ""): string {
    const item = this.items.get(part);
    if (text === "" || !item) return "";
    const kind = item.value.type === "refusal" ? "refusal" : "text";
    return this.delta(part, { type: kind, text });
  }

  private openText(part: number, value: Extract<Part, { type: "text" | "refusal" }>): string {
    const item = this.add(part, { ...value, text: "" }, this.nextId("msg"));
    if (value.type === "text") {
      for (const each of value.citations ?? []) {
        item.annotations.push(...writeAnnotations(each, 0, value.text.length));
      }
    }
    return (
      this.added(item, messageItem(item.id)) +
      this.line("response.content_part.added", {
        ...this.at(item),
        content_index: 0,
        part: writeContent({ ...value, text: "", citations: [] } as Part) ?? {},
      })
    );
  }

  private add(part: number, value: Part, id: string): Item {
    const item: Item = { index: this.places++, id, value, annotations: [], logprobs: [] };
    this.items.set(part, item);
    return item;
  }

  private added(item: Item, wire: JsonObject): string {
    return this.line("response.output_item.added", { output_index: item.index, item: wire });
  }

  private at(item: Item): JsonObject {
    return { item_id: item.id, output_index: item.index };
  }

  private delta(part: number, delta: PartDelta): string {
    const item = this.items.get(part);
    if (!item) return "";
    const { value } = item;
    switch (delta.type) {
      case "text":
      case "refusal": {
        if (value.type !== "text" && value.type !== "refusal") return "";
        item.value = { ...value, text: value.text + delta.text };
        const logprobs =
          delta.type === "text" ? objectsIn(objectIn(delta.logprobs)?.["content"]) : [];
        item.logprobs.push(...logprobs);
        const name = value.type === "text" ? "output_text" : "refusal";
        return this.line(`response.${name}.delta`, {
          ...this.at(item),
          content_index: 0,
          delta: delta.text,
          ...(value.type === "text" && { logprobs }),
        });
      }
      case "thinking": {
        if (value.type !== "thinking") return "";
        const first = value.text === "";
        item.value = { ...value, text: value.text + delta.text };
        const at = { ...this.at(item), summary_index: 0 };
        const empty = { type: "summary_text", text: "" };
        return (
          (first
            ? this.line("response.reasoning_summary_part.added", { ...at, part: empty })
            : "") + this.line("response.reasoning_summary_text.delta", { ...at, delta: delta.text })
        );
      }
      case "signature":
        if (value.type === "thinking") item.value = { ...value, signature: delta.signature };
        return "";
      case "arguments":
        if (value.type !== "toolCall") return "";
        item.value = { ...value, arguments: value.arguments + delta.text };
        // The text inside is written when it is whole.
        if (value.freeform) return "";
        return this.line("response.function_call_arguments.delta", {
          ...this.at(item),
          delta: delta.text,
        });
      case "citation":
        return this.cite(item, delta.citation);
      case "audio":
        return this.rest(part, delta.transcript);
      case "native":
        return "";
    }
  }

  private cite(item: Item, citation: Json): string {
    const said = item.value.type === "text" ? item.value.text.length : 0;
    return writeAnnotations(citation, 0, said)
      .map((annotation) => {
        item.annotations.push(annotation);
        return this.line("response.output_text.annotation.added", {
          ...this.at(item),
          content_index: 0,
          annotation_index: item.annotations.length - 1,
          annotation,
        });
      })
      .join("");
  }

  private close(part: number): string {
    const item = this.items.get(part);
    if (!item) return "";
    this.items.delete(part);
    const { value, id } = item;
    if (value.type === "text" || value.type === "refusal") return this.closeText(item, value.text);
    if (value.type === "thinking") {
      const at = { ...this.at(item), summary_index: 0 };
      const { text } = value;
      const summary =
        text === ""
          ? ""
          : this.line("response.reasoning_summary_text.done", { ...at, text }) +
            this.line("response.reasoning_summary_part.done", {
              ...at,
              part: { type: "summary_text", text },
            });
      return summary + this.ended(item, reasoningItem(value, id));
    }
    if (value.type !== "toolCall") return "";
    if (value.freeform) {
      const input = freeformInput(value.arguments);
      return (
        (input === ""
          ? ""
          : this.line("response.custom_tool_call_input.delta", {
              ...this.at(item),
              delta: input,
            })) +
        this.line("response.custom_tool_call_input.done", { ...this.at(item), input }) +
        this.ended(item, callItem(value, id, "completed"))
      );
    }
    return (
      this.line("response.function_call_arguments.done", {
        ...this.at(item),
        name: value.name,
        arguments: value.arguments,
      }) + this.ended(item, callItem(value, id, "completed"))
    );
  }

  private closeText(item: Item, text: string): string {
    const refusal = item.value.type === "refusal";
    const content = refusal
      ? { type: "refusal", refusal: text }
      : outputText(text, item.annotations, item.logprobs);
    const at = { ...this.at(item), content_index: 0 };
    const done = refusal
      ? this.line("response.refusal.done", { ...at, refusal: text })
      : this.line("response.output_text.done", { ...at, text, logprobs: item.logprobs });
    return (
      done +
      this.line("response.content_part.done", { ...at, part: content }) +
      this.ended(item, { ...messageItem(item.id), status: "completed", content: [content] })
    );
  }

  private ended(item: Item, wire: JsonObject): string {
    this.output[item.index] = wire;
    return this.line("response.output_item.done", { output_index: item.index, item: wire });
  }

  /** A part that comes in one piece. */
  private whole(value: Part): string {
    return writeItem(value, this.nextId)
      .map((item) => this.wholeItem(item))
      .join("");
  }

  private wholeItem(wire: JsonObject): string {
    const id = typeof wire["id"] === "string" ? wire["id"] : this.nextId("item");
    const item: Item = {
      index: this.places++,
      id,
      value: { type: "text", text: "" },
      annotations: [],
      logprobs: [],
    };
    return this.added(item, wire) + this.ended(item, wire);
  }

  private end(): string {
    const open = [...this.items.keys()].map((part) => this.close(part)).join("");
    const finish = encodeFinish(this.finish?.reason ?? "stop");
    const meta = this.options.meta?.();
    const response = {
      ...this.response,
      ...finish,
      output: this.output.filter((item) => item !== undefined),
      usage: encodeUsage(this.usage),
    };
    return (
      open +
      this.line(`response.${finish.status}`, {
        response,
        ...(meta && { routero: { ...meta } }),
      })
    );
  }

  private line(type: string, members: JsonObject): string {
    const data = { type, ...members, sequence_number: this.sequence++ };
    return sseText({ event: type, data: JSON.stringify(data) });
  }
}

/** Thinking of which only its maker's form is left. */
function isState(part: Part): boolean {
  return part.type === "thinking" && part.family === "openai" && part.text === "";
}
