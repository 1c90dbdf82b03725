import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AppendResult } from "../../worker/core/audit.ts";

interface Answer {
  eventId: string;
  result: AppendResult;
}

let miniflare: Miniflare;
let url: string;

beforeAll(async () => {
  const built = await build({
    entryPoints: ["test/support/context-worker.ts"],
    bundle: true,
    format: "esm",
    write: false,
  });
  const port = await freePort();
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: "contexts",
          modules: true,
          script: built.outputFiles[0]?.text ?? "",
          compatibilityDate: "2026-10-20",
          compatibilityFlags: ["nodejs_compat", "enable_request_signal"],
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        },
      ],
    }),
  );
  await miniflare.ready;
  url = `http://127.0.0.1:${port}`;
});

afterAll(() => miniflare?.dispose());

const call = async (id: string, signal?: AbortSignal) =>
  (await (await fetch(`${url}/?id=${id}`, { signal: signal ?? null })).json()) as Answer;
const state = async () =>
  (await (await fetch(`${url}/log`)).json()) as { log: Record<string, number>; appends: number[] };

test("in workerd requests of one isolate share an append, and each hears of its own record", async () => {
  const first = call("first");
  await pause(30);
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => call(`r${n}`)));
  answers.push(await first);
  expect(answers.every(({ result }) => result.ok)).toBe(true);
  const { log, appends } = await state();
  expect(answers.map(({ eventId }) => log[eventId])).toEqual(answers.map(() => 1));
  expect(appends.reduce((sum, each) => sum + each, 0)).toBe(41);
  // How many go together is a matter of how fast they come; that they do is what is promised.
  expect(Math.max(...appends)).toBeGreaterThan(1);
});

test.each([
  ["while its group is in flight", 30],
  ["before its group leaves", 0],
])("a leader whose client disconnects %s takes nobody's record with it", async (_, head) => {
  const before = Object.keys((await state()).log).length;
  const clients = new AbortController();
  const leaders: Promise<unknown>[] = [];
  if (head === 0) {
    leaders.push(call("busy"));
    await pause(20);
  }
  leaders.push(call("leader&stream", clients.signal).catch(() => "cut"));
  await pause(20);
  const followers = Array.from({ length: 20 }, (_, n) => call(`f${n}`));
  await pause(20);
  clients.abort();
  const answers = await Promise.all(followers);
  expect(await leaders.at(-1)).toBe("cut");
  expect(answers.every(({ result }) => result.ok)).toBe(true);
  await expect
    .poll(async () => Object.keys((await state()).log).length - before, { timeout: 20_000 })
    .toBe(head === 0 ? 22 : 21);
  const { log } = await state();
  // The log of this worker counts; the real one knows event ids.
  expect(answers.every(({ eventId }) => (log[eventId] ?? 0) >= 1)).toBe(true);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
