import type { Message, Part } from "../core/chat.ts";

/**
 * The results of tools in the order in which they were called, for targets that know no ids: they take the first result of
 * a name for its first call. Callers whose dialect has ids send results as they come in.
 */
export function inCallOrder(messages: readonly Message[]): Message[] {
  const out: Message[] = [];
  let calls: string[] = [];
  for (let at = 0; at < messages.length;) {
    const message = messages[at]!;
    if (message.role !== "tool") {
      if (message.role === "assistant") calls = callsOf(message.parts);
      out.push(message);
      at += 1;
      continue;
    }
    let end = at;
    while (messages[end]?.role === "tool") end += 1;
    out.push(...sorted(messages.slice(at, end), calls));
    at = end;
  }
  return out;
}

function callsOf(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => (part.type === "toolCall" ? [part.id] : []));
}

/** One run of results, each place of one filled with the next that was called; results of no call come last. */
function sorted(run: readonly Message[], calls: readonly string[]): Message[] {
  const place = (part: Part) => {
    const found = part.type === "toolResult" ? calls.indexOf(part.callId) : -1;
    return found < 0 ? calls.length : found;
  };
  const results = run
    .flatMap(({ parts }) => parts.filter((part) => part.type === "toolResult"))
    .toSorted((a, b) => place(a) - place(b));
  return run.map((message) => ({
    ...message,
    parts: message.parts.map((part) =>
      part.type === "toolResult" ? (results.shift() ?? part) : part,
    ),
  }));
}
