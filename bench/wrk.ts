import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Row } from "./rows.ts";
import type { Rung, UpstreamPath } from "./rungs.ts";

const run = promisify(execFile);

/** One closed-loop run of wrk against a rung, after a short warm-up that is not counted. Loopback only. */
export async function load(
  rung: Rung,
  load: { path: UpstreamPath; connections: number },
  seconds: number,
): Promise<Pick<Row, "requestsPerSecond" | "p50" | "p99" | "errors">> {
  const { url, headers, body } = rung.request(load.path);
  const folder = await mkdtemp(join(tmpdir(), "routero-bench-"));
  const script = join(folder, "request.lua");
  const lines = [
    'wrk.method = "POST"',
    `wrk.body = ${luaText(body)}`,
    ...Object.entries(headers).map(
      ([name, value]) => `wrk.headers[${luaText(name)}] = ${luaText(value)}`,
    ),
  ];
  await writeFile(script, lines.join("\n"));
  const wrk = (duration: number) =>
    run("wrk", ["-t1", `-c${load.connections}`, `-d${duration}s`, "--latency", "-s", script, url]);
  try {
    await wrk(1);
    const { stdout } = await wrk(seconds);
    return read(stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function read(said: string): Pick<Row, "requestsPerSecond" | "p50" | "p99" | "errors"> {
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(said)?.[1] ?? 0);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(said);
  const broken = (socket ?? []).slice(1).reduce((sum, each) => sum + Number(each), 0);
  return {
    requestsPerSecond: Math.round(Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1] ?? 0)),
    p50: milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(said)),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(said)),
    errors: bad + broken,
  };
}

function milliseconds(match: RegExpExecArray | null): number {
  const unit = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? "ms"] ?? 1;
  return Math.round(Number(match?.[1] ?? 0) * unit * 1000) / 1000;
}

function luaText(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}
