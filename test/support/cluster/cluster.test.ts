import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gated, hangs, mix, startUpstream, text, type Upstream } from "../upstream/index.ts";
import { startCluster, type Cluster, type Worker } from "./index.ts";

let cluster: Cluster;
let upstream: Upstream;
let a: Worker;
let b: Worker;

beforeAll(async () => {
  upstream = await startUpstream();
  cluster = await startCluster({
    workers: 2,
    tenant: false,
    bundle: join(import.meta.dirname, "toy"),
  });
  [a, b] = cluster.workers as [Worker, Worker];
});
afterAll(async () => {
  await cluster.stop();
  await upstream.stop();
});

const ask = async (worker: Worker, path: string) => {
  const answer = await fetch(worker.url + path, { signal: AbortSignal.timeout(5_000) });
  return (await answer.json()) as unknown;
};
/** Calls the provider through a worker, which calls `/after` once the answer is over. */
const after = () => upstream.calls.all.filter((c) => c.path === "/after").length;
const call = (worker: Worker, model: string, more: object = {}) => {
  const [url, then] = [`${upstream.url}/v1/chat/completions`, `${upstream.url}/after`];
  const messages = [{ role: "user", content: "hello" }];
  return fetch(`${worker.url}/call?url=${url}&then=${then}`, {
    method: "POST",
    body: JSON.stringify({ model, messages, ...more }),
  });
};

test("workers have a memory each and share objects, D1, KV, R2 and the queue's consumer", async () => {
  expect([await ask(a, "/memory"), await ask(b, "/memory"), await ask(a, "/memory")]).toEqual([
    1, 1, 2,
  ]);
  for (const path of ["/object", "/d1", "/kv", "/r2"]) {
    expect([path, await ask(a, path), await ask(b, path)]).toEqual([path, 1, 2]);
  }
  expect(await cluster.objects.sql("SELECT count(*) AS n FROM toys WHERE a = ?", 1)).toEqual([
    { n: 2 },
  ]);
  await ask(a, "/queue");
  await ask(b, "/queue");
  await expect.poll(() => ask(a, "/received")).toBe("2");
  await ask(b, "/log");
  await expect.poll(() => b.logs.map((line) => line.message)).toContain("said by the toy");
});

test("a killed worker cuts its requests, runs nothing more and comes back empty", async () => {
  await (await call(a, "any")).text();
  await expect.poll(after).toBe(1);
  upstream.model("hanging", hangs());
  upstream.model("streaming", mix(text("one two three"), gated()));
  const waiting = expect(call(a, "hanging")).rejects.toThrow();
  const hanging = await upstream.nextCall("hanging");
  const answer = call(a, "streaming", { stream: true });
  const streaming = await upstream.nextCall("streaming");
  streaming.release();
  const cut = expect((await answer).text()).rejects.toThrow();
  await ask(a, "/object");
  await ask(a, "/queue");

  await a.kill();
  await Promise.all([waiting, cut, hanging.aborted, streaming.aborted]);
  await expect(fetch(a.url)).rejects.toThrow();
  expect(after()).toBe(1);
  expect(await ask(b, "/memory")).toBe(2);
  await expect.poll(() => ask(b, "/received")).toBe("3");

  await a.start();
  expect(await ask(a, "/memory")).toBe(1);
  expect(await ask(a, "/object")).toBe(4);
});

test("a partitioned worker serves callers while its binding calls fail, until it is healed", async () => {
  cluster.partition(a);
  for (const path of ["/object", "/d1", "/kv", "/r2", "/queue"]) {
    expect(await ask(a, path)).toMatch(/connection|network|internal/i);
  }
  expect(await ask(a, "/memory")).toBe(2);
  expect((await call(a, "any")).status).toBe(200);
  expect(await ask(b, "/object")).toBe(5);
  await cluster.heal(a);
  expect(await ask(a, "/object")).toBe(6);
  expect(await ask(a, "/kv")).toBe(3);
});

test("with hang, binding calls stay without an answer and go on when healed", async () => {
  cluster.partition(b, "hang");
  const held = ask(b, "/object");
  expect(await Promise.race([held, wait(300, "held")])).toBe("held");
  expect(await ask(a, "/object")).toBe(7);
  await cluster.heal(b);
  expect(await held).toBe(8);
});

test("killed objects come back with their state, and running workers find them", async () => {
  await cluster.objects.kill();
  expect(await ask(a, "/object")).toMatch(/connection|network|internal/i);
  await cluster.objects.start();
  expect([await ask(a, "/object"), await ask(b, "/object")]).toEqual([9, 10]);
  expect(await ask(b, "/d1")).toBe(3);
  expect(await ask(a, "/memory")).toBe(3);
});
