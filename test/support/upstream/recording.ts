import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { frame, type Frame, type Wire } from "./wire/wire.ts";

/** The folder of recorded provider traffic, or undefined where `ROUTERO_TEST_DATA` names none. */
export function recordingsFolder(): string | undefined {
  const data = process.env.ROUTERO_TEST_DATA;
  return data === undefined || data === "" ? undefined : resolve(data, "recordings");
}

/** The recordings below a folder such as `groq`, as names for `recorded()`, without what follows the dot. */
export function recordings(folder: string, form: "whole" | "stream"): string[] {
  const root = recordingsFolder();
  if (root === undefined) return [];
  const suffix = form === "whole" ? ".json" : ".chunks.txt";
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(suffix))
    .map((name) => `${folder}/${name.slice(0, -suffix.length)}`)
    .toSorted();
}

/** The payloads of a recorded stream, one per event. */
export function recordedEvents(name: string): string[] {
  return readFileSync(locate(name, ".chunks.txt"), "utf8").split("\n").filter(Boolean);
}

/** A recorded whole answer, exactly as it lies on disk. */
export function recordedBody(name: string): string {
  return readFileSync(locate(name, ".json"), "utf8");
}

/** A recorded stream with this wire's framing; every payload counts as a content event. */
export function recordedFrames(name: string, wire: Wire): Frame[] {
  const events = recordedEvents(name).map((line) => frame(wire.frame(line), "content"));
  return wire.terminator === "" ? events : [...events, frame(wire.terminator, "end")];
}

/** Takes a path below the recordings folder or any path, with or without its ending. */
function locate(name: string, suffix: string): string {
  const base = name.replace(/(\.chunks\.txt|\.json)$/, "") + suffix;
  const root = recordingsFolder();
  const places = [resolve(base), ...(root === undefined ? [] : [join(root, base)])];
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new Error(`no recording ${name} at ${places.join(" or ")}`);
  return found;
}
