/** JSON as data: the only "unknown shape" that this code base passes around. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object. A missing member reads as `undefined`. */
export interface JsonObject {
  [member: string]: Json | undefined;
}

/** True for a JSON object; false for arrays, null and scalars. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Where one top-level member of a JSON object stands in its text; offsets in UTF-16 units, end exclusive. */
export interface MemberSpan {
  name: string;
  /** Start of the quoted name. */
  start: number;
  valueStart: number;
  valueEnd: number;
}

/** What one linear pass over a JSON text tells without building values. */
export interface JsonScan {
  /** Deepest nesting of arrays and objects; a scalar document has depth 0. */
  depth: number;
  /** Members of the outermost object in order, duplicates included; empty if it is not an object. */
  members: MemberSpan[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Scans a JSON text once. It does not validate: call it on text that `JSON.parse` accepted, or only read `depth`
 * of text that was not parsed yet (nesting is refused before a parser sees it).
 */
export function scanJson(text: string): JsonScan {
  const members: MemberSpan[] = [];
  let depth = 0;
  let deepest = 0;
  let outermostIsObject = false;
  let nameStart = -1;
  let nameEnd = -1;
  let valueStart = -1;
  const close = (end: number) => {
    if (valueStart < 0) return;
    let last = end;
    while (last > valueStart && isSpace(text.charCodeAt(last - 1))) last--;
    const name = JSON.parse(text.slice(nameStart, nameEnd)) as string;
    members.push({ name, start: nameStart, valueStart, valueEnd: last });
    nameStart = nameEnd = valueStart = -1;
  };
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) {
      const start = i;
      i = endOfString(text, i);
      if (depth === 1 && outermostIsObject && valueStart < 0) {
        if (nameStart < 0) {
          nameStart = start;
          nameEnd = i + 1;
        }
      }
    } else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (depth === 0) outermostIsObject = unit === OPEN_BRACE;
      if (++depth > deepest) deepest = depth;
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      if (depth === 1 && outermostIsObject) close(i);
      depth--;
    } else if (depth === 1 && outermostIsObject) {
      if (unit === COLON && valueStart < 0 && nameStart >= 0) {
        let first = i + 1;
        while (first < text.length && isSpace(text.charCodeAt(first))) first++;
        valueStart = first;
      } else if (unit === COMMA) {
        close(i);
      }
    }
  }
  return { depth: deepest, members };
}

/** The text of a member's value, of the last one where there are several; `null` where there is none. */
export function memberText(text: string, { members }: JsonScan, name: string): string {
  const member = members.findLast((each) => each.name === name);
  return member ? text.slice(member.valueStart, member.valueEnd) : "null";
}

/**
 * Rewrites top-level members of a JSON object text and leaves every other byte as it was.
 * `set` replaces each occurrence of a member, or appends it as the last one; `remove` drops each occurrence with one
 * comma beside it and the space between them.
 */
export function spliceJson(
  text: string,
  members: readonly MemberSpan[],
  set: Readonly<Record<string, string>>,
  remove: ReadonlySet<string>,
): string {
  const pending = new Map(Object.entries(set));
  const kept = members.filter((member) => !remove.has(member.name));
  let out = "";
  let from = 0;
  let keptBefore = false;
  for (const [index, member] of members.entries()) {
    if (remove.has(member.name)) {
      // With a kept member before it, its own comma goes; else the comma to the next one.
      const previous = members[index - 1];
      const next = members[index + 1];
      if (keptBefore && previous) {
        out += text.slice(from, Math.max(from, previous.valueEnd));
        from = member.valueEnd;
      } else {
        out += text.slice(from, member.start);
        from = next ? next.start : member.valueEnd;
      }
      continue;
    }
    keptBefore = true;
    const value = Object.hasOwn(set, member.name) ? set[member.name] : undefined;
    if (value === undefined) continue;
    out += text.slice(from, member.valueStart) + value;
    from = member.valueEnd;
    pending.delete(member.name);
  }
  if (pending.size > 0) {
    const added = [...pending].map(([name, value]) => `${JSON.stringify(name)}:${value}`);
    const last = members[members.length - 1];
    const tail = Math.max(from, last ? last.valueEnd : text.indexOf("{") + 1);
    out += text.slice(from, tail) + (kept.length > 0 ? "," : "") + added.join(",");
    from = tail;
  }
  return out + text.slice(from);
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** Index of the closing quote of the string that opens at `start`; the text's end when it never closes. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === BACKSLASH) i++;
    else if (unit === QUOTE) return i;
  }
  return text.length;
}
