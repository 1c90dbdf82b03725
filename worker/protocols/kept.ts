import type { Message, Part } from "../core/chat.ts";
import { unsupported } from "./unsupported.ts";

/** Refuses files and images that another maker keeps: their ids say nothing to the target, or something else. */
export function refuseKept({ parts }: Pick<Message, "parts">, path: string): void {
  const look = (part: Part): void => {
    if (part.type === "toolResult") part.parts.forEach(look);
    if ((part.type !== "image" && part.type !== "file") || part.source.type !== "id") return;
    const what = part.type === "image" ? "An image" : "A file";
    throw unsupported(`${what} kept at another provider`, path);
  };
  parts.forEach(look);
}
