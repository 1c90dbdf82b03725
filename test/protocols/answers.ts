import type {
  ChatEvent,
  ChatResponse,
  FinishReason,
  Part,
  DialectName,
} from "../../worker/core/chat.ts";
import type { Json } from "../../worker/core/json.ts";
import type { TokenUsage } from "../../worker/core/usage.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import type { StreamEncoder, StreamParser } from "../../worker/protocols/protocol.ts";
import { SseSplitter } from "../../worker/protocols/sse.ts";
import type { SseEvent } from "../../worker/protocols/sse.ts";

/** What a stream's events add up to. */
export interface Assembled {
  id: string;
  model: string;
  choices: Map<number, { parts: Part[]; finish: FinishReason | null; stopSequence?: string }>;
  usage?: TokenUsage;
  done: boolean;
  failure?: string;
}

/** Adds canonical events up, and throws where they break the rules of `ChatEvent`. */
export function assemble(events: readonly ChatEvent[]): Assembled {
  const out: Assembled = { id: "", model: "", choices: new Map(), done: false };
  const open = new Set<string>();
  const parts = new Map<string, Part>();
  const choiceOf = (index: number) => {
    let choice = out.choices.get(index);
    if (!choice) out.choices.set(index, (choice = { parts: [], finish: null }));
    return choice;
  };
  for (const event of events) {
    if (out.done) throw new Error(`${event.type} after done`);
    const key = "part" in event ? `${event.choice}/${event.part}` : "";
    switch (event.type) {
      case "start":
        out.id = event.id;
        out.model = event.model;
        break;
      case "open": {
        if (parts.has(key)) throw new Error(`part ${key} opened twice`);
        const part = structuredClone(event.value);
        parts.set(key, part);
        open.add(key);
        choiceOf(event.choice).parts.push(part);
        break;
      }
      case "delta": {
        const part = parts.get(key);
        if (!part || !open.has(key)) throw new Error(`delta for ${key}, which is not open`);
        extend(part, event.delta);
        break;
      }
      case "close":
        if (!open.delete(key)) throw new Error(`close of ${key}, which is not open`);
        break;
      case "finish": {
        const choice = choiceOf(event.choice);
        if (choice.finish !== null) throw new Error("finished twice");
        if ([...open].some((each) => each.startsWith(`${event.choice}/`))) {
          throw new Error("finished with an open part");
        }
        choice.finish = event.reason;
        if (event.stopSequence !== undefined) choice.stopSequence = event.stopSequence;
        break;
      }
      case "usage":
        out.usage = event.usage;
        break;
      case "failure":
        out.failure = event.failure.message;
        break;
      case "done":
        out.done = true;
    }
  }
  return out;
}

function extend(part: Part, delta: Extract<ChatEvent, { type: "delta" }>["delta"]): void {
  if (delta.type === "native" && part.type === "native") {
    const list = (part.value["deltas"] ??= []) as Json[];
    list.push(delta.value);
  } else if (delta.type === "text" && part.type === "text") part.text += delta.text;
  else if (delta.type === "refusal" && part.type === "refusal") part.text += delta.text;
  else if (delta.type === "thinking" && part.type === "thinking") part.text += delta.text;
  else if (delta.type === "signature" && part.type === "thinking") part.signature = delta.signature;
  else if (delta.type === "arguments" && part.type === "toolCall") part.arguments += delta.text;
  else if (delta.type === "citation" && part.type === "text") {
    part.citations = [...(part.citations ?? []), delta.citation];
  } else if (delta.type === "audio" && part.type === "audio") {
    part.data += delta.data ?? "";
    if (delta.transcript) part.transcript = (part.transcript ?? "") + delta.transcript;
    if (delta.id) part.id = delta.id;
  } else throw new Error(`a ${delta.type} delta for a ${part.type} part`);
}

/** All canonical events of wire events. */
export function readEvents(parser: StreamParser, events: readonly SseEvent[]): ChatEvent[] {
  return [...events.flatMap((event) => parser.push(event)), ...parser.end()];
}

/** The events in SSE text. */
export function sseEvents(text: string): SseEvent[] {
  const splitter = new SseSplitter();
  const blocks = splitter.push(new TextEncoder().encode(text));
  const rest = splitter.end();
  return [...blocks, ...(rest ? [rest] : [])].flatMap((block) => block.event ?? []);
}

/** The SSE text of canonical events. */
export function encoded(encoder: StreamEncoder, events: readonly ChatEvent[]): string {
  return events.map((event) => encoder.push(event)).join("");
}

/** A response as the events that a provider would have streamed, each text in two pieces. */
export function asEvents(response: ChatResponse): ChatEvent[] {
  const events: ChatEvent[] = [
    { type: "start", id: response.id, model: response.model, created: response.created },
  ];
  for (const { index: choice, parts, finish, stopSequence } of response.choices) {
    for (const [part, value] of parts.entries()) {
      events.push(...partEvents(choice, part, value), { type: "close", choice, part });
    }
    events.push({
      type: "finish",
      choice,
      reason: finish,
      ...(stopSequence !== undefined && { stopSequence }),
    });
  }
  if (response.usage) events.push({ type: "usage", usage: response.usage });
  return [...events, { type: "done" }];
}

function partEvents(choice: number, part: number, value: Part): ChatEvent[] {
  const open = (opened: Part): ChatEvent => ({ type: "open", choice, part, value: opened });
  const halves = (text: string) => {
    const middle = Math.floor(text.length / 2);
    return [text.slice(0, middle), text.slice(middle)].filter((piece) => piece !== "");
  };
  if (value.type === "text" || value.type === "refusal" || value.type === "thinking") {
    if (value.type === "thinking" && value.redacted !== undefined) return [open(value)];
    const { type } = value;
    const deltas = halves(value.text).map((text): ChatEvent => ({
      type: "delta",
      choice,
      part,
      delta: { type, text },
    }));
    const signed: ChatEvent[] =
      value.type === "thinking" && value.signature !== undefined
        ? [
            {
              type: "delta",
              choice,
              part,
              delta: { type: "signature", signature: value.signature },
            },
          ]
        : [];
    return [open({ type, text: "" }), ...deltas, ...signed];
  }
  if (value.type === "toolCall") {
    const deltas = halves(value.arguments).map((text): ChatEvent => ({
      type: "delta",
      choice,
      part,
      delta: { type: "arguments", text },
    }));
    return [open({ ...value, arguments: "" }), ...deltas];
  }
  return [open(value)];
}

export const CONTEXT = { requestId: "req-1", created: 1_700_000_000 };

/** Both directions of a protocol, for tests that go round. */
export function bothWays(name: DialectName) {
  const protocol = dialectOf(name);
  return {
    whole: (response: ChatResponse) =>
      protocol.provider.parseResponse(
        JSON.parse(JSON.stringify(protocol.client.encodeResponse(response, CONTEXT))),
      ),
    streamed: (events: readonly ChatEvent[]) => {
      const encoder = protocol.client.encodeStream({ ...CONTEXT, includeUsage: true });
      return readEvents(protocol.provider.parseStream(), sseEvents(encoded(encoder, events)));
    },
  };
}
