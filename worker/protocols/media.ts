import type { AudioPart, FilePart, ImagePart, MediaSource } from "../core/chat.ts";
import { dataUrl } from "./fields.ts";

const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  heic: "image/heic",
  pdf: "application/pdf",
  txt: "text/plain",
  csv: "text/csv",
  html: "text/html",
  md: "text/markdown",
  json: "application/json",
  mp3: "audio/mp3",
  wav: "audio/wav",
  flac: "audio/flac",
  ogg: "audio/ogg",
  mp4: "video/mp4",
  mov: "video/mov",
  webm: "video/webm",
};

/** The media type that a URL's or a file's ending tells; undefined for one that nobody knows. */
export function typeByName(name: string): string | undefined {
  const ending = /\.([a-z0-9]{2,5})(?:[?#].*)?$/i.exec(name)?.[1];
  return ending === undefined ? undefined : TYPES[ending.toLowerCase()];
}

/** What an image's or a file's URL stands for: bytes of its own, or an address. */
export function mediaOf(url: string): MediaSource {
  const bytes = dataUrl(url);
  return bytes ? { type: "data", ...bytes } : { type: "url", url };
}

/** Bytes as a data URL, or the URL itself. */
export function urlOf(source: Exclude<MediaSource, { type: "id" }>): string {
  return source.type === "url" ? source.url : `data:${source.mediaType};base64,${source.data}`;
}

/** Media types whose bytes are plain text to read, whatever they call it. */
export function isTextual(mediaType: string): boolean {
  return /^(text\/|application\/(json|xml|yaml|x-yaml|toml|x-ndjson|jsonl|javascript|sql)\b)/.test(
    mediaType,
  );
}

/** The media type of an audio format as OpenAI names it. */
export function audioType(format: string): string {
  return format.includes("/") ? format : `audio/${format || "wav"}`;
}

/** Media bytes or a reference as the part that its type makes it. */
export function mediaPart(
  source: MediaSource,
  mediaType: string | undefined,
  filename?: string,
): ImagePart | AudioPart | FilePart {
  if (mediaType?.startsWith("image/")) return { type: "image", source };
  if (mediaType?.startsWith("audio/") && source.type === "data") {
    return { type: "audio", data: source.data, format: mediaType.slice("audio/".length) };
  }
  return { type: "file", source, ...(filename !== undefined && { filename }) };
}
