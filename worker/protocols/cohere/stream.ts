import type { ChatEvent, Part, PartDelta } from "../../core/chat.ts";
import type { JsonObject } from "../../core/json.ts";
import { badAnswer, eventObject, objectIn, objectsIn, stringOf, textOf } from "../answers.ts";
import { namedError, publicText } from "../faults.ts";
import type { StreamParser } from "../protocol.ts";
import type { SseEvent } from "../sse.ts";
import { parseFinish } from "./finish.ts";
import { readCall, readCitation, readContent } from "./parts.ts";
import { readLogprobs } from "./response.ts";
import { parseUsage } from "./usage.ts";

/** Reads the events of a streamed answer: content, the plan for tools, and calls, each begun and ended. */
export class ChatStreamParser implements StreamParser {
  private parts = 0;
  /** Open parts by what they are on the wire. */
  private readonly open = new Map<string, number>();
  /** The text that citations belong to. */
  private text: number | null = null;
  private done = false;

  push({ data }: SseEvent): ChatEvent[] {
    if (this.done || data.trim() === "" || data.trim() === "[DONE]") return [];
    const event = eventObject(data);
    const out: ChatEvent[] = [];
    const delta = objectIn(event["delta"]) ?? {};
    const message = objectIn(delta["message"]) ?? {};
    const place = typeof event["index"] === "number" ? event["index"] : 0;
    switch (event["type"]) {
      case "message-start":
        out.push({ type: "start", id: stringOf(event["id"]) ?? "", model: "", created: 0 });
        break;
      case "content-start":
        this.begin(`content ${place}`, readContent(objectIn(message["content"]) ?? {}), out);
        break;
      case "content-delta":
        this.content(place, event, objectIn(message["content"]) ?? {}, out);
        break;
      case "content-end":
        this.close(`content ${place}`, out);
        break;
      case "tool-plan-delta":
        this.plan(stringOf(message["tool_plan"]) ?? "", out);
        break;
      case "tool-call-start":
        this.close("plan", out);
        this.begin(`call ${place}`, readCall(objectIn(message["tool_calls"]) ?? {}), out);
        break;
      case "tool-call-delta": {
        const named = objectIn(objectIn(message["tool_calls"])?.["function"]);
        const text = stringOf(named?.["arguments"]) ?? "";
        if (text !== "") this.extend(`call ${place}`, { type: "arguments", text }, out);
        break;
      }
      case "tool-call-end":
        this.close(`call ${place}`, out);
        break;
      case "citation-start":
        this.cite(message, out);
        break;
      case "message-end":
        this.finish(delta, out);
        break;
      default:
        if (event["type"] === undefined || event["type"] === "error") this.fail(event, out);
    }
    return out;
  }

  /** Only `message-end` ends an answer: a clean end of the body without it is a cut. */
  end(): ChatEvent[] {
    return [];
  }

  private begin(key: string, value: Part, out: ChatEvent[]): number {
    const part = this.parts++;
    this.open.set(key, part);
    if (value.type === "text") this.text = part;
    out.push({ type: "open", choice: 0, part, value });
    return part;
  }

  private extend(key: string, delta: PartDelta, out: ChatEvent[]): void {
    const part = this.open.get(key);
    if (part === undefined) throw badAnswer("a delta belongs to nothing that is open");
    out.push({ type: "delta", choice: 0, part, delta });
  }

  private content(place: number, event: JsonObject, from: JsonObject, out: ChatEvent[]): void {
    const key = `content ${place}`;
    const thinking = stringOf(from["thinking"]);
    const text = thinking ?? stringOf(from["text"]) ?? "";
    const kind = thinking === undefined ? "text" : "thinking";
    if (!this.open.has(key)) this.begin(key, { type: kind, text: "" }, out);
    const delta: PartDelta = { type: kind, text };
    const logprobs = readLogprobs(event["logprobs"]);
    if (delta.type === "text" && logprobs !== undefined) delta.logprobs = logprobs;
    if (text !== "") this.extend(key, delta, out);
  }

  private plan(text: string, out: ChatEvent[]): void {
    if (!this.open.has("plan")) this.begin("plan", { type: "text", text: "" }, out);
    if (text !== "") this.extend("plan", { type: "text", text }, out);
  }

  private cite(message: JsonObject, out: ChatEvent[]): void {
    const part = this.text;
    if (part === null) return;
    const list = objectIn(message["citations"]);
    for (const from of list ? [list] : objectsIn(message["citations"])) {
      const delta: PartDelta = { type: "citation", citation: readCitation(from) };
      out.push({ type: "delta", choice: 0, part, delta });
    }
  }

  private close(key: string, out: ChatEvent[]): void {
    const part = this.open.get(key);
    if (part === undefined) return;
    this.open.delete(key);
    out.push({ type: "close", choice: 0, part });
  }

  private finish(delta: JsonObject, out: ChatEvent[]): void {
    this.done = true;
    const reason = stringOf(delta["finish_reason"]) ?? "";
    const finish = parseFinish(reason);
    if (finish === "error") {
      const message = publicText(textOf(delta["error"])) ?? `The provider ended with ${reason}.`;
      out.push({ type: "failure", failure: { status: 500, message, code: reason } });
      return;
    }
    for (const key of this.open.keys()) this.close(key, out);
    out.push({ type: "finish", choice: 0, reason: finish });
    const usage = objectIn(delta["usage"]);
    if (usage) out.push({ type: "usage", usage: parseUsage(usage) });
    out.push({ type: "done" });
  }

  private fail(event: JsonObject, out: ChatEvent[]): void {
    this.done = true;
    const message =
      publicText(namedError(event).message) ?? "The provider reported an error inside the stream.";
    out.push({ type: "failure", failure: { status: 500, message } });
  }
}
