import { request } from "node:http";
import { median, type Row } from "./rows.ts";
import type { Rung } from "./rungs.ts";

/**
 * Time from a caller's closing of its connection to the cut of the provider's stream, which sends an event every 20 ms.
 * Null where the rung does not serve streams; a stream that is not cut within five seconds counts as an error.
 */
export async function timeToCancel(
  rung: Rung,
  cut: () => Promise<number>,
  count: number,
): Promise<Pick<Row, "requestsPerSecond" | "p50" | "p99" | "errors"> | null> {
  const times: number[] = [];
  let errors = 0;
  for (let i = 0; i < count; i++) {
    const ended = cut();
    const left = await leave(rung);
    if (left === null) return null;
    const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), 5_000).unref());
    const at = await Promise.race([ended, late]);
    if (at === null) errors++;
    else times.push(at - left);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return {
    requestsPerSecond: 0,
    p50: median(sorted),
    p99: Math.round((sorted[Math.floor(sorted.length * 0.99)] ?? 0) * 1000) / 1000,
    errors,
  };
}

/** Reads a stream for a while and closes the connection; when, or null where there is no stream. */
function leave(rung: Rung): Promise<number | null> {
  const { url, headers, body } = rung.request("endless");
  return new Promise((resolve, reject) => {
    const call = request(url, { method: "POST", headers }, (answer) => {
      if (answer.statusCode !== 200) {
        answer.resume();
        resolve(null);
        return;
      }
      answer.once("data", () => {
        // Not in step with the events.
        setTimeout(
          () => {
            resolve(performance.now());
            call.destroy();
          },
          40 + Math.random() * 20,
        );
      });
      answer.on("error", () => undefined);
    });
    call.on("error", (cause) => (call.destroyed ? undefined : reject(cause)));
    call.end(body);
  });
}
