import type { JsonObject } from "../core/json.ts";
import type { Log } from "../core/ports.ts";

/** One JSON object per line on the console, which every runtime of ours collects. */
export function consoleLog(now: () => number): Log {
  const line = (level: string, message: string, fields: JsonObject) =>
    JSON.stringify({ ts: new Date(now()).toISOString(), level, msg: message, ...fields });
  return {
    info: (message, fields) => console.log(line("info", message, fields)),
    warn: (message, fields) => console.warn(line("warn", message, fields)),
    error: (message, fields) => console.error(line("error", message, fields)),
  };
}
