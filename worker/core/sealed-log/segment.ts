/** Records of a segment, at most, and what one may hold unpacked: more is no segment of ours. */
const MAX_BYTES = 64_000_000;

/** A segment: canonical records, each with a newline, gzipped. What is signed is the hash of these bytes as they are. */
export async function packSegment(records: readonly string[]): Promise<Uint8Array> {
  const text = records.map((record) => `${record}\n`).join("");
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The records of a segment. Rejects for bytes that are no gzip, or too much of it. */
export async function segmentLines(bytes: Uint8Array): Promise<string[]> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("gzip"));
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream as unknown as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > MAX_BYTES) throw new RangeError("A segment unpacks to more than it can hold.");
    parts.push(part);
  }
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
    Buffer.concat(parts),
  );
  return text.endsWith("\n") ? text.slice(0, -1).split("\n") : text.split("\n");
}
