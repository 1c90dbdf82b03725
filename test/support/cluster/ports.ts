import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Ports below those that systems hand out by themselves: between the moment when one was found free and the moment when
 * a runtime listens on it, no connection and no server that asked for "any" port can take it.
 */
const FIRST = 12_000;
const COUNT = 18_000;

/** Test processes start far apart from each other, since what one found free another might find too. */
let next = (process.pid * 97) % COUNT;

/** A port of loopback that nobody listens on at present. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries += 1) {
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error("No port of loopback is free.");
}
