import { joined } from "../core/bytes.ts";
import type { ChatEvent } from "../core/chat.ts";
import { credible } from "../core/usage.ts";
import type { Framing } from "../protocols/framing.ts";
import type { StreamMeta } from "../protocols/protocol.ts";
import type { SseBlock } from "../protocols/sse.ts";
import type { Splice } from "../routing/continuation/index.ts";
import { AttemptFault, faulty } from "./attempt.ts";
import type { CallerView, Unit } from "./caller-view.ts";
import type { Prepared } from "./prepare.ts";
import type { StreamTally } from "./stream-tally.ts";

/** From an attempt's wire blocks to units for the caller; what comes after the provider's own end is dropped. */
export interface StreamReader {
  block(block: SseBlock): Unit;
  /** The body ended cleanly; `last` is what stood behind its last whole event. */
  end(last: SseBlock | null): Unit[];
  /** What was held back for a decision goes on now. */
  force(): Unit[];
  /** The body ended behind the answer's finish and without the protocol's last words. */
  readonly unsaid: boolean;
}

/** What all readers of one attempt share. */
export interface Reading {
  view: CallerView;
  prepared: Prepared;
  tally: StreamTally;
  /** The answer has one choice alone. */
  single: boolean;
  /** Asked at the end of the answer. */
  meta: () => StreamMeta;
  /** The last events of an answer that several attempts made: one usage, and the end. */
  ended: () => ChatEvent[];
}

const EMPTY = new Uint8Array(0);
const NOTHING: Unit = { bytes: EMPTY, events: [] };
const utf8 = new TextEncoder();

/** The blocks themselves, usage read on the side (PROTOCOLS 1). */
export function verbatimReader({ view, prepared, tally, meta }: Reading): StreamReader {
  const { provider } = prepared.protocol;
  const parser = provider.parseStream();
  const { wants } = view;
  const options = {
    injectedUsage: prepared.injectedUsage && !wants.usage,
    ...(wants.meta && { meta }),
  };
  const block = (from: SseBlock): Unit => {
    if (tally.done) return NOTHING;
    const events = from.event === null ? [] : sealed(prepared, parser.push(from.event));
    tally.observe(events);
    const bytes = provider.verbatim?.block(from.raw, from.event, options) ?? from.raw;
    return from.event === null ? { bytes, events } : { bytes, events, wire: from.event.data };
  };
  let unsaid = false;
  return {
    block,
    get unsaid() {
      return unsaid;
    },
    end(last) {
      const unit = last === null ? NOTHING : block(last);
      const events = tally.done ? [] : parser.end();
      tally.observe(events);
      unsaid = provider.verbatim?.hasLastWords === true && events.length > 0;
      // Of an answer that was cut only whole events are the caller's: no half of one, and no end of an array.
      const cut = !tally.done && last?.event === null;
      // What ends an event or an array must not be missing: something else may follow it, or nothing.
      const bytes = [
        ...(cut ? [] : [unit.bytes]),
        ...(last?.complete === true ? [] : [utf8.encode(closing(prepared.framing, last, tally))]),
      ];
      return [{ bytes: joined(bytes), events: [...unit.events, ...events] }];
    },
    force: () => [],
  };
}

function isFaulty(event: ChatEvent): boolean {
  return event.type === "finish" && event.reason === "error";
}

function sealed({ seal }: Prepared, events: ChatEvent[]): ChatEvent[] {
  for (const event of events) if (event.type === "open") seal(event.value);
  return events;
}

/** What a body that ended too early still lacks for its last event, or for the end of its array. */
function closing(framing: Framing, last: SseBlock | null, { done }: StreamTally): string {
  if (framing === "json-array") return done ? "]" : "";
  return framing === "sse" && last !== null ? "\n\n" : "";
}

/** The hub's events in the caller's dialect; with a `splice` as they go on with what the caller has. */
export function translatingReader(reading: Reading, splice: Splice | null): StreamReader {
  const { view, prepared, tally, single, meta, ended } = reading;
  const parser = prepared.protocol.provider.parseStream();
  const encoder = view.encoder(meta);
  const unit = (events: ChatEvent[]): Unit => {
    const wire = events.map((event) => encoder.push(event)).join("");
    return { bytes: utf8.encode(wire), events, wire };
  };
  const spliced = (events: ChatEvent[]): ChatEvent[] => {
    if (splice === null) return events;
    const out = events.flatMap((event) => {
      const passed = splice.push(event);
      return event.type === "done" ? ended() : passed;
    });
    if (splice.incoherent === null) return out;
    throw new AttemptFault({ class: "incoherent", status: 200, message: splice.incoherent });
  };
  let counted = false;
  const translated = (read: ChatEvent[]): Unit => {
    const events = read.filter((event) => event.type !== "usage" || credible(event.usage));
    tally.observe(events);
    counted ||= events.some((event) => event.type === "usage");
    // No other dialect has a word for it: as a reason to stop it would read as an answer that is whole.
    if (single && events.some(isFaulty)) throw faulty();
    // A provider that told no usage is charged an estimate, and its caller is shown that.
    const whole = splice === null && !counted && tally.done;
    return unit(
      whole ? [...events.filter((event) => event.type !== "done"), ...ended()] : spliced(events),
    );
  };
  const block = ({ event }: SseBlock): Unit =>
    tally.done || event === null ? NOTHING : translated(sealed(prepared, parser.push(event)));
  return {
    block,
    end: (last) => [
      ...(last === null ? [] : [block(last)]),
      ...(tally.done ? [] : [translated(parser.end())]),
    ],
    force: () => [unit(splice?.force() ?? [])],
    unsaid: false,
  };
}

/** The units that may leave: a text that ends within a code point waits for the rest of it. */
export function complete(units: readonly Unit[], over: boolean): Unit[] {
  const last = units.at(-1);
  const delta = last?.events.findLast((event) => event.type === "delta")?.delta;
  const half = delta?.type === "text" && /[\ud800-\udbff]$/.test(delta.text);
  return half && !over ? units.slice(0, -1) : [...units];
}
