import { request } from "node:http";
import { median, type Row } from "./rows.ts";
import type { Rung } from "./rungs.ts";

/**
 * Time from the request to the first content event of a streamed answer, one request after the other. Null where the
 * rung does not serve streams.
 */
export async function firstContent(
  rung: Rung,
  count: number,
): Promise<Pick<Row, "requestsPerSecond" | "p50" | "p99" | "errors"> | null> {
  const times: number[] = [];
  for (let i = 0; i < count + 5; i++) {
    const time = await once(rung);
    if (time === null) return null;
    // The first five warm up.
    if (i >= 5) times.push(time);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return {
    requestsPerSecond: 0,
    p50: median(sorted),
    p99: Math.round((sorted[Math.floor(sorted.length * 0.99)] ?? 0) * 1000) / 1000,
    errors: 0,
  };
}

function once(rung: Rung): Promise<number | null> {
  const { url, headers, body } = rung.request("stream");
  return new Promise((resolve, reject) => {
    const began = performance.now();
    let first: number | null = null;
    const call = request(url, { method: "POST", headers }, (answer) => {
      if (answer.statusCode !== 200) {
        answer.resume();
        resolve(null);
        return;
      }
      let text = "";
      answer.on("data", (chunk: Buffer) => {
        if (first !== null) return;
        text += chunk.toString();
        if (text.includes('"content":"t')) first = performance.now() - began;
      });
      answer.on("end", () => resolve(first));
      answer.on("error", reject);
    });
    call.on("error", reject);
    call.end(body);
  });
}
