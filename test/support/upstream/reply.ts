import type { Behaviour, Continuation, Failure, Part } from "./behaviour.ts";
import { countInput, NO_USAGE, runs, words, type Usage } from "./tokens.ts";
import type { Answer, Ask, SolidPart } from "./wire/wire.ts";

const GREETING: Part[] = [{ kind: "text", text: "Hello from the provider." }];
const PREFACE = "Sure, continuing:";
const OTHER = " or rather something else altogether.";

/** What the provider says to this request: the scripted parts under the limits that the request set. */
export function compose(ask: Ask, behaviour: Behaviour, serial: number): Answer | Failure {
  const scripted = (behaviour.parts ?? GREETING).map((part) => solid(part, ask));
  const parts = continued(scripted, ask, behaviour);
  if ("kind" in parts) return parts;

  const choices: SolidPart[][] = [];
  const usage: Usage = { ...NO_USAGE, input: countInput(ask) };
  let finish = behaviour.finish ?? (parts.some((p) => p.kind === "tool") ? "tools" : "stop");
  let stopSequence = behaviour.stopSequence;
  for (let choice = 0; choice < ask.n; choice += 1) {
    const own = choice === 0 ? parts : parts.map((part) => numbered(part, choice));
    const stopped = stopAt(own, ask.stop);
    const limited = limit(stopped.parts, ask.maxTokens ?? Infinity);
    if (stopped.by !== undefined) [finish, stopSequence] = ["stop-sequence", stopped.by];
    if (limited.short) finish = "length";
    usage.output += limited.output;
    usage.reasoning += limited.reasoning;
    choices.push(limited.parts);
  }
  return {
    serial,
    model: behaviour.model ?? ask.model,
    choices,
    finish,
    stopSequence,
    logprobs: ask.logprobs,
    usage: { ...usage, ...behaviour.usage },
  };
}

function solid(part: Part, ask: Ask): SolidPart {
  if (part.kind === "echo") {
    return { kind: "text", text: ask.turns.findLast((turn) => turn.role === "user")?.text ?? "" };
  }
  if (part.kind !== "images") return part;
  const seen = ask.images.map((image) => `${image.type} of ${image.bytes} bytes`);
  return { kind: "text", text: `I see ${seen.length} images: ${seen.join(", ")}.` };
}

/** Choices differ, so that a test sees when two are mixed up. */
function numbered(part: SolidPart, choice: number): SolidPart {
  return part.kind === "text" ? { ...part, text: `${part.text} (${choice + 1})` } : part;
}

function continued(parts: SolidPart[], ask: Ask, behaviour: Behaviour): SolidPart[] | Failure {
  const at = parts.findIndex((part) => part.kind === "text");
  const part = parts[at];
  const begun = part?.kind === "text" ? begunTurn(ask, part.text) : undefined;
  const set = behaviour.continuation;
  const how = typeof set === "object" && begun ? set[begun.form] : set;
  if (part?.kind !== "text" || begun === undefined || typeof how !== "string") return parts;
  if (how === "refuse") {
    return {
      kind: "bad_request",
      message: "This model takes no trailing assistant turn: the last turn must be the user's.",
    };
  }
  return parts.with(at, { kind: "text", text: continuationText(how, begun.text, part.text) });
}

function begunTurn(ask: Ask, whole: string) {
  const [before, last] = [ask.turns.at(-2), ask.turns.at(-1)];
  if (last?.role === "assistant" && last.text !== "") {
    return { form: "native" as const, text: last.text };
  }
  const begun = before?.role === "assistant" ? before.text : "";
  const resumes = last?.role === "user" && begun !== "" && whole.startsWith(begun);
  return resumes ? { form: "instruction" as const, text: begun } : undefined;
}

function continuationText(how: Exclude<Continuation, "refuse">, begun: string, whole: string) {
  const rest = whole.startsWith(begun) ? whole.slice(begun.length) : whole;
  switch (how) {
    case "exact":
      return rest;
    case "echo":
      return begun + rest;
    case "restart":
      return whole;
    case "repeat":
      return words(begun).slice(-2).join("").trimStart() + rest;
    case "preface":
      return PREFACE + rest;
    case "recap":
      return `${PREFACE} ${begun}${rest}`;
    case "respace":
      return `\n${rest}`;
    case "nothing":
      return "\n ";
    case "differ":
      return begun.slice(0, Math.ceil(begun.length / 2)) + OTHER;
  }
}

/** Honours the request's own stop sequences. */
function stopAt(parts: SolidPart[], stops: string[]): { parts: SolidPart[]; by?: string } {
  for (const [index, part] of parts.entries()) {
    if (part.kind !== "text") continue;
    const found = stops
      .map((stop) => ({ stop, at: part.text.indexOf(stop) }))
      .filter(({ at }) => at >= 0)
      .toSorted((a, b) => a.at - b.at)[0];
    if (found === undefined) continue;
    const kept = { ...part, text: part.text.slice(0, found.at) };
    return { parts: [...parts.slice(0, index), kept], by: found.stop };
  }
  return { parts };
}

function limit(parts: SolidPart[], most: number) {
  let left = most;
  let short = false;
  const used = { output: 0, reasoning: 0 };
  const take = (tokens: string[], kind: "output" | "reasoning") => {
    const taken = tokens.slice(0, left);
    short ||= taken.length < tokens.length;
    left -= taken.length;
    used[kind] += taken.length;
    return taken.join("");
  };
  const kept: SolidPart[] = [];
  for (const part of parts) {
    if (short) break;
    if (part.kind === "redacted") kept.push(part);
    else if (part.kind === "tool") {
      const name = take([part.name], "output");
      if (name !== "") kept.push({ ...part, arguments: take(runs(part.arguments), "output") });
    } else {
      const kind = part.kind === "thinking" ? "reasoning" : "output";
      kept.push({ ...part, text: take(words(part.text), kind) });
    }
  }
  return { parts: kept, short, ...used };
}
